//! Where a batch that does not match its checksum ends.
//!
//! Owns the search. The client tells where such a batch begins and nothing else:
//! it asks for the same batch again and again, and what it makes of the bytes
//! behind it is not to be relied on. A broker answers a question for any offset
//! with the batch that has it, so the first offset for which another one comes is
//! the first behind. It is found in twice as many questions as the number of
//! records has binary digits, with a client of its own.
//!
//! The last question is for the batch itself: it may have been damaged on its way,
//! or another replica leads by now. One that is whole is to be read again, and
//! nobody has to give it up.
//!
//! Of a batch in a format that it does not know, the client tells nothing to those who
//! ask for an offset within it: only whether it is one record's is found out.
//!
//! A search that an answer did not reach in time is given up, so that others are
//! read on, and goes on from the answers that it had when the batch is met again,
//! with more patience. Invariant: a stop ends it within a tenth of a second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use crate::kafka::canaries::with_small_fetches;
use crate::kafka::context::Context;
use crate::kafka::looking::offsets;
use crate::kafka::patience::Patience;
use crate::kafka::queue::Queue;
use crate::kafka::{Batch, Connection, FaultKind};
use crate::log::{NextOffset, Partition};

/// Between two looks at the time that is left, and at whether to stop.
const PAUSE: Duration = Duration::from_millis(100);

/// Nothing but the first record is of interest.
const BATCH_RECORDS: usize = 1;

/// What the log has at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// A bad batch, which begins here.
    Bad(i64),
    /// A batch of a format that the client does not know, which begins here.
    UnknownFormat(i64),
    /// A record that can be read, or the log's end.
    Other,
    /// Nothing: the log begins later, or ends before.
    Outside,
}

/// What became of a bad batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// This is the first offset behind it, and behind those that follow it at once.
    Behind(NextOffset),
    /// It is bad, and of several records; how many, nobody tells.
    Untold,
    /// It is not bad any more.
    Whole,
}

/// Why it is not known where a batch ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// The search was told to stop.
    Stopped,
    /// No answer came, in the client's words.
    Unanswered(String),
}

impl From<KafkaError> for Unknown {
    fn from(error: KafkaError) -> Self {
        Self::Unanswered(error.to_string())
    }
}

/// Asks what the log has at an offset.
type Ask<'a> = dyn FnMut(i64) -> Result<Has, Unknown> + 'a;

/// Searches for ends, one after the other.
pub(super) struct Search {
    connection: Connection,
    stop: CancellationToken,
    /// For one question.
    patience: Patience,
    known: Option<Known>,
    /// Where the batch began that was found whole last.
    whole: BTreeMap<Partition, NextOffset>,
}

/// What was answered about the batch that was searched for last.
struct Known {
    partition: Partition,
    begin: NextOffset,
    answers: BTreeMap<i64, Has>,
    /// Whether a batch in an unknown format is of one record, once that was asked.
    is_one: Option<bool>,
}

impl Search {
    pub(super) fn new(connection: &Connection, stop: CancellationToken) -> Self {
        let connection = with_small_fetches(connection);
        Self { connection, stop, patience: Patience::default(), known: None, whole: BTreeMap::new() }
    }

    /// Where the bad batch that begins at `begin` ends, if it is one still.
    ///
    /// # Errors
    /// When the broker does not answer in time, or the search is told to stop.
    pub(super) fn end(&mut self, partition: Partition, begin: NextOffset) -> Result<End, Unknown> {
        let mut known = self.known(partition, begin);
        let mut client = None;
        let end = known.end(&mut |at| {
            let queue = match &mut client {
                Some(queue) => queue,
                none => none.insert(self.queue()?),
            };
            self.has(queue, partition, at)
        });
        self.known = (end != Ok(End::Whole)).then_some(known);
        match &end {
            Ok(_) => self.patience.sufficed(),
            Err(Unknown::Unanswered(_)) => self.patience.ran_out(),
            Err(Unknown::Stopped) => {}
        }
        end
    }

    /// The same of a batch in a format that the client does not know.
    ///
    /// # Errors
    /// As above.
    pub(super) fn end_in_unknown_format(
        &mut self,
        partition: Partition,
        begin: NextOffset,
    ) -> Result<End, Unknown> {
        let (mut known, mut queue) = (self.known(partition, begin), self.queue()?);
        let end = known.end_of_one(&mut |at| self.has(&mut queue, partition, at));
        self.known = (end != Ok(End::Whole)).then_some(known);
        end
    }

    fn known(&mut self, partition: Partition, begin: NextOffset) -> Known {
        let known = self.known.take().filter(|known| known.partition == partition && known.begin == begin);
        known.unwrap_or(Known { partition, begin, answers: BTreeMap::new(), is_one: None })
    }

    /// Notes a batch that was whole when it was asked for; says whether it was so the
    /// last time, too, and yet was met damaged since.
    pub(super) fn was_whole_before(&mut self, partition: Partition, begin: NextOffset) -> bool {
        self.whole.insert(partition, begin) == Some(begin)
    }

    /// What was answered holds while the partition is read on, and no longer: another
    /// log may have come after that.
    pub(super) fn forget_unless_among(&mut self, partitions: &[(Partition, NextOffset)]) {
        self.known.take_if(|known| partitions.iter().all(|(partition, _)| *partition != known.partition));
    }

    fn queue(&self) -> Result<Queue, Unknown> {
        let consumer = self.connection.patient_consumer(Context::default(), self.patience.doublings())?;
        Ok(Queue::new(consumer, BATCH_RECORDS))
    }

    fn has(&self, queue: &mut Queue, partition: Partition, at: i64) -> Result<Has, Unknown> {
        queue.begin_anew();
        let start = offsets(&self.connection.topic, &[(partition, NextOffset::at(at))])?;
        queue.consumer().assign(&start)?;
        let time = self.patience.time();
        let deadline = Instant::now() + time;
        let mut why = format!("no answer within {time:?}");
        while Instant::now() < deadline {
            if self.stop.is_cancelled() {
                return Err(Unknown::Stopped);
            }
            let (mut batch, mut found) = (Batch::default(), None);
            queue.take(PAUSE, &mut batch, |fault| match fault.kind {
                FaultKind::BadBatch => found = found.or(fault.at.map(|at| Has::Bad(at.as_offset()))),
                // One of another offset is what an earlier question has led to.
                FaultKind::OutOfRange if fault.at == Some(NextOffset::at(at)) => {
                    found = found.or(Some(Has::Outside));
                }
                FaultKind::OutOfRange => {}
                FaultKind::UnknownFormat => {
                    found = found.or(fault.at.map(|at| Has::UnknownFormat(at.as_offset())));
                }
                FaultKind::WholeAgain | FaultKind::Other => why = fault.message,
            });
            // One thing is taken at a time.
            let other = (!batch.is_empty()).then_some(Has::Other);
            if let Some(has) = found.or(other) {
                return Ok(has);
            }
        }
        Err(Unknown::Unanswered(why))
    }
}

impl Known {
    /// Where the batch and those that follow it at once end; asks for what is not known,
    /// and then whether the batch is bad still.
    fn end(&mut self, ask: &mut Ask<'_>) -> Result<End, Unknown> {
        let begin = self.begin.as_offset();
        let mut ask_once = |at| match self.answers.get(&at) {
            Some(&answer) => Ok(answer),
            None => ask(at).inspect(|&answer| {
                self.answers.insert(at, answer);
            }),
        };
        let mut behind = search(begin, &mut ask_once)?;
        while let Has::Bad(next) = ask_once(behind)? {
            // A batch that begins before what is asked for is not another one.
            if next < behind {
                break;
            }
            // Nothing may lie in between, as where the log was compacted.
            behind = search(next, &mut ask_once)?;
        }
        let is_whole = is_whole(begin, ask(begin)?);
        Ok(if is_whole { End::Whole } else { End::Behind(NextOffset::at(behind)) })
    }

    /// Where the batch ends if it has one record, and whether it is bad still. Within a
    /// longer one no question is answered.
    fn end_of_one(&mut self, ask: &mut Ask<'_>) -> Result<End, Unknown> {
        let begin = self.begin.as_offset();
        let behind = begin.saturating_add(1);
        let is_one = match self.is_one {
            Some(is_one) => is_one,
            None => match ask(behind) {
                Ok(has) => is_behind(begin, has),
                Err(Unknown::Unanswered(_)) => false,
                Err(Unknown::Stopped) => return Err(Unknown::Stopped),
            },
        };
        self.is_one = Some(is_one);
        Ok(match is_whole(begin, ask(begin)?) {
            true => End::Whole,
            false if is_one => End::Behind(NextOffset::at(behind)),
            false => End::Untold,
        })
    }
}

/// The first offset behind the bad batch that begins at `begin`.
fn search(begin: i64, ask: &mut Ask<'_>) -> Result<i64, Unknown> {
    let (mut inside, mut step) = (begin, 1_i64);
    let mut behind = loop {
        let at = inside.saturating_add(step);
        if is_behind(begin, ask(at)?) {
            break at;
        }
        (inside, step) = (at, step.saturating_mul(2));
    };
    while behind - inside > 1 {
        let at = inside + (behind - inside) / 2;
        if is_behind(begin, ask(at)?) { behind = at } else { inside = at }
    }
    Ok(behind)
}

fn is_behind(begin: i64, has: Has) -> bool {
    match has {
        Has::Bad(other) | Has::UnknownFormat(other) => other > begin,
        Has::Other | Has::Outside => true,
    }
}

/// Whether the batch that begins at `begin` is not bad any more, by what the log has there.
fn is_whole(begin: i64, has: Has) -> bool {
    // A log that was trimmed within the batch has nothing where it begins, and may have
    // the rest of it.
    has != Has::Outside && is_behind(begin, has)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::kafka::Properties;

    const P: Partition = Partition(2);

    /// What a log of batches that begin at these offsets, bad or not, has at an offset.
    fn has(batches: &[(i64, bool)], end: i64, at: i64) -> Has {
        match batches.iter().rev().find(|(begin, _)| *begin <= at).filter(|_| at < end) {
            Some(&(begin, true)) => Has::Bad(begin),
            _ => Has::Other,
        }
    }

    /// The same of batches that end before these offsets, with holes between them.
    fn has_with_holes(batches: &[(i64, i64, bool)], at: i64) -> Has {
        match batches.iter().find(|(_, end, _)| at < *end) {
            Some(&(begin, _, true)) => Has::Bad(begin),
            _ => Has::Other,
        }
    }

    fn known(begin: i64) -> Known {
        Known { partition: P, begin: NextOffset::at(begin), answers: BTreeMap::new(), is_one: None }
    }

    #[track_caller]
    fn check(batches: &[(i64, bool)], end: i64, begin: i64, expected: i64) {
        let mut asked = 0;
        let mut ask = |at| {
            asked += 1;
            Ok(has(batches, end, at))
        };
        assert_eq!(search(begin, &mut ask), Ok(expected), "{batches:?}");
        assert!(asked < 45, "{asked} questions");
    }

    #[test]
    fn a_bad_batch_ends_where_another_or_the_end_of_the_log_begins() {
        for length in [1, 2, 3, 30, 1_000, 1_000_000] {
            let behind = 20 + length;
            check(&[(0, false), (20, true), (behind, false)], behind + 5, 20, behind);
            check(&[(0, false), (20, true), (behind, true)], behind + 5, 20, behind);
            check(&[(0, false), (20, true)], behind, 20, behind);
        }
    }

    #[test]
    fn bad_batches_with_holes_between_them_are_one_and_each_costs_few_questions() {
        for hole in [0, 1, 7, 50_000] {
            let (second, third) = (30 + hole, 50 + 2 * hole);
            let next = (third + 10 + hole, third + 20 + hole, false);
            let batches = [
                (0, 20, false),
                (20, 30, true),
                (second, second + 20, true),
                (third, third + 10, true),
                next,
            ];
            let mut asked = 0;
            let end = known(20).end(&mut |at| {
                asked += 1;
                Ok(has_with_holes(&batches, at))
            });
            assert_eq!(end, Ok(End::Behind(NextOffset::at(third + 10))), "a hole of {hole}");
            assert!(asked < 40, "{asked} questions");
        }
    }

    #[test]
    fn a_search_that_is_given_up_goes_on_from_its_answers() {
        let batches = [(0, false), (20, true), (1_000, true), (1_500, false)];
        let (mut known, mut asked) = (known(20), Vec::new());
        let mut attempts = 0;
        let end = loop {
            attempts += 1;
            let mut answers_left = 3;
            let end = known.end(&mut |at| {
                if answers_left == 0 {
                    return Err(Unknown::Unanswered("late".to_owned()));
                }
                answers_left -= 1;
                asked.push(at);
                Ok(has(&batches, 2_000, at))
            });
            if let Ok(end) = end {
                break end;
            }
            assert_eq!((end, answers_left), (Err(Unknown::Unanswered("late".to_owned())), 0));
        };
        assert_eq!(end, End::Behind(NextOffset::at(1_500)));
        assert!(attempts > 3, "{attempts}");
        let questions = asked.len();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), questions, "nothing is asked twice");
        let still_bad = &mut |at| if at == 20 { Ok(Has::Bad(20)) } else { Err(Unknown::Stopped) };
        assert_eq!(known.end(still_bad), Ok(end));
    }

    #[test]
    fn a_batch_that_is_whole_when_it_is_asked_for_last_is_none_to_give_up() {
        let batches = [(0, false), (20, true), (30, true), (40, false)];
        for (found, expected) in [
            (Has::Bad(20), End::Behind(NextOffset::at(40))),
            // Trimmed within the batch: what is left of it is bad still.
            (Has::Outside, End::Behind(NextOffset::at(40))),
            (Has::Other, End::Whole),
            // All of it is gone, or was a transaction's that was aborted.
            (Has::Bad(30), End::Whole),
        ] {
            let end = known(20).end(&mut |at| Ok(if at == 20 { found } else { has(&batches, 50, at) }));
            assert_eq!(end, Ok(expected), "{found:?}");
        }
    }

    #[test]
    fn of_a_batch_in_an_unknown_format_is_told_whether_it_is_one_records() {
        let bad = Has::UnknownFormat(20);
        let behind = End::Behind(NextOffset::at(21));
        let unanswered = || Unknown::Unanswered("late".to_owned());
        let late = || Err(unanswered());
        for (behind_it, itself, expected) in [
            (Ok(Has::Other), Ok(bad), Ok(behind)),
            (Ok(Has::Bad(21)), Ok(bad), Ok(behind)),
            (Ok(Has::UnknownFormat(21)), Ok(bad), Ok(behind)),
            (Ok(Has::Outside), Ok(Has::Outside), Ok(behind)),
            (late(), Ok(bad), Ok(End::Untold)),
            (late(), Ok(Has::Other), Ok(End::Whole)),
            (Ok(Has::Other), Ok(Has::Other), Ok(End::Whole)),
            (late(), late(), Err(unanswered())),
            (Err(Unknown::Stopped), Ok(bad), Err(Unknown::Stopped)),
        ] {
            let mut answers = [(21, behind_it), (20, itself)].into_iter();
            let end = known(20).end_of_one(&mut |at| {
                let (asked, answer) = answers.next().unwrap_or((at, Err(Unknown::Stopped)));
                assert_eq!(at, asked);
                answer
            });
            assert_eq!(end, expected);
        }
        // Met again, only the batch itself is asked for.
        let mut known = known(20);
        for expected in [&[21, 20][..], &[20]] {
            let mut asked = Vec::new();
            let end = known.end_of_one(&mut |at| {
                asked.push(at);
                if at == 20 { Ok(bad) } else { late() }
            });
            assert_eq!((end, &asked[..]), (Ok(End::Untold), expected));
        }
    }

    #[test]
    fn a_batch_that_is_damaged_and_whole_by_turns_is_told_from_one_that_was_damaged_once() {
        let mut search = search_without_a_broker(&CancellationToken::new());
        let at = NextOffset::at;
        for (partition, begin, before) in [(1, 20, false), (2, 20, false), (1, 20, true), (1, 30, false)] {
            assert_eq!(
                search.was_whole_before(Partition(partition), at(begin)),
                before,
                "{partition} {begin}"
            );
        }
    }

    fn search_without_a_broker(stop: &CancellationToken) -> Search {
        // Nothing listens on port 1.
        let (bootstrap_servers, topic) = ("127.0.0.1:1".to_owned(), "any".to_owned());
        let connection = Connection { bootstrap_servers, topic, properties: Properties::default() };
        Search::new(&connection, stop.clone())
    }

    #[test]
    fn answers_are_forgotten_with_the_assignment() {
        let mut search = search_without_a_broker(&CancellationToken::new());
        let at = |partition| [(Partition(partition), NextOffset::START)];
        search.known = Some(known(20));
        search.forget_unless_among(&[at(1), at(2)].concat());
        assert!(search.known.is_some());
        search.forget_unless_among(&at(1));
        assert!(search.known.is_none());
    }

    #[test]
    fn a_search_that_nobody_answers_ends_with_a_stop_and_not_with_its_patience() {
        let stop = CancellationToken::new();
        let mut search = search_without_a_broker(&stop);
        thread::scope(|scope| {
            scope.spawn(|| stop.cancel());
            assert_eq!(search.end(P, NextOffset::at(20)), Err(Unknown::Stopped));
        });
        assert_eq!(search.patience.doublings(), 0);
    }
}
