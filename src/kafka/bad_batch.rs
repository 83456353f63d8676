//! Where a batch that does not match its checksum ends.
//!
//! Owns the search. The client tells where such a batch begins and nothing else:
//! it asks for the same batch again and again, and what it makes of the bytes
//! behind it is not to be relied on. A broker answers a question for any offset
//! with the batch that has it, so the first offset for which another one comes is
//! the first behind. It is found in twice as many questions as the number of
//! records has binary digits, with a client of its own.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;

use crate::kafka::canaries::SMALL_FETCHES;
use crate::kafka::context::Context;
use crate::kafka::looking::offsets;
use crate::kafka::native::Queue;
use crate::kafka::{Batch, Connection, FaultKind};
use crate::log::{NextOffset, Partition};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two looks at the time that is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Nothing but the first record is of interest.
const BATCH_RECORDS: usize = 1;

/// What the log has at an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// A bad batch, which begins here.
    Bad(i64),
    /// A record that can be read, or the log's end.
    Other,
}

/// Asks what the log has at an offset.
type Ask<'a> = dyn FnMut(i64) -> Result<Has, String> + 'a;

/// The first offset behind the bad batch that begins at `begin`, and behind those
/// that follow it at once.
///
/// # Errors
/// In words, when the broker does not answer.
pub(super) fn end(
    connection: &Connection,
    partition: Partition,
    begin: NextOffset,
) -> Result<NextOffset, String> {
    let mut connection = connection.clone();
    for (name, value) in SMALL_FETCHES {
        connection.properties.0.insert(name.to_owned(), value.to_owned());
    }
    let consumer = connection.consumer(Context::default()).map_err(|error| error.to_string())?;
    let mut queue = Queue::new(consumer, BATCH_RECORDS);
    let mut ask = |at| has(&mut queue, &connection.topic, partition, at);
    let mut behind = search(begin.as_offset(), &mut ask)?;
    while let Has::Bad(next) = ask(behind)? {
        // A batch that begins before what is asked for is not another one.
        if next < behind {
            break;
        }
        behind = search(behind, &mut ask)?;
    }
    Ok(NextOffset::at(behind))
}

/// The first offset behind the bad batch that begins at `begin`.
fn search(begin: i64, ask: &mut Ask<'_>) -> Result<i64, String> {
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
        Has::Bad(other) => other > begin,
        Has::Other => true,
    }
}

fn has(queue: &mut Queue, topic: &str, partition: Partition, at: i64) -> Result<Has, String> {
    let words = |error: KafkaError| error.to_string();
    queue.begin_anew();
    let start = offsets(topic, &[(partition, NextOffset::at(at))]).map_err(words)?;
    queue.consumer().assign(&start).map_err(words)?;
    let deadline = Instant::now() + PATIENCE;
    let mut why = "no answer".to_owned();
    while Instant::now() < deadline {
        let (mut batch, mut found) = (Batch::default(), None);
        queue.take(PAUSE, &mut batch, |fault| match fault.kind {
            FaultKind::BadBatch => found = found.or(Some(Has::Bad(fault.at.as_offset()))),
            // One of another offset is what an earlier question has led to.
            FaultKind::OutOfRange if fault.at.as_offset() == at => found = found.or(Some(Has::Other)),
            FaultKind::OutOfRange => {}
            FaultKind::Other => why = fault.message,
        });
        // One thing is taken at a time.
        let other = (!batch.is_empty()).then_some(Has::Other);
        if let Some(has) = found.or(other) {
            return Ok(has);
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of batches that begin at these offsets, bad or not, up to `end`.
    #[track_caller]
    fn check(batches: &[(i64, bool)], end: i64, begin: i64, expected: i64) {
        let mut asked = 0;
        let mut ask = |at| {
            asked += 1;
            let batch = batches.iter().rev().find(|(begin, _)| *begin <= at).filter(|_| at < end);
            Ok(match batch {
                Some(&(begin, true)) => Has::Bad(begin),
                _ => Has::Other,
            })
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
}
