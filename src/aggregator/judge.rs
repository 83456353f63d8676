//! Whether our positions still lie in the log that the broker has.
//!
//! Owns the evidence: which partitions the client called out of range, and
//! which positions lie past an end that was asked for later. It decides on
//! nothing but positions and bounds; time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kafka::PartitionBounds;
use crate::log::{NextOffset, Partition, Positions, Stop, StopReason};
use crate::room::Timestamp;

/// A watermark may fall back for a moment while brokers hand over; only after
/// so long is a position past the end taken for what it says.
const PAST_END_FOR: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Judge {
    /// Positions that the broker says are outside of the log, and when it said so; none
    /// where it says that the log has lost what had been read.
    out_of_range: BTreeMap<Partition, (Option<NextOffset>, Timestamp)>,
    /// Since when a position lies past the end that was asked for later.
    past_end: BTreeMap<Partition, Instant>,
    /// The wall clock and the positions when the last bounds were taken in.
    last_look: Option<(Timestamp, Positions)>,
}

/// What a look at a partition's bounds means for reading it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    ReadOn,
    /// The client has to be given the partition anew.
    ReadAgain,
    /// Nothing of it was read and nothing of the topic kept, and its first records are
    /// gone: it begins where its log does now.
    BeginAnew,
    Stop(Stop),
}

impl Judge {
    /// The broker said, by the instant `at`, that the log has nothing at this position;
    /// or, where there is none, that the log was truncated below what was read of it.
    pub(super) fn hear_out_of_range(
        &mut self,
        partition: Partition,
        position: Option<NextOffset>,
        at: Timestamp,
    ) {
        self.out_of_range.insert(partition, (position, at));
    }

    /// Judges one partition by its bounds, asked for at the instant `at`, and by what
    /// is `kept`. While nothing is being read, no record can be on its way.
    pub(super) fn verdict(
        &mut self,
        positions: &Positions,
        kept: Option<&Positions>,
        bounds: &PartitionBounds,
        reading: bool,
        at: Timestamp,
        now: Instant,
    ) -> Verdict {
        let PartitionBounds { partition, begin, end } = *bounds;
        let Some(position) = positions.get(partition) else { return Verdict::ReadOn };
        let refused = self.out_of_range.get(&partition).copied();
        let is_truncated = refused.is_some_and(|(refused, _)| refused.is_none());
        if position < begin && (refused.is_some() || !reading) {
            if is_untouched(positions, partition) && kept.is_none_or(Positions::is_empty) {
                self.out_of_range.remove(&partition);
                return Verdict::BeginAnew;
            }
            if !is_truncated {
                return Verdict::Stop(Stop::of_partition(StopReason::Gap, partition, position, begin));
            }
        }
        // A log's beginning only grows, so bounds asked for after the refusal tell on
        // which side of the log the refused position was, whatever has come since. In a
        // truncated log it was past the end, and the log may begin anywhere by now.
        let refused = refused.filter(|(_, heard)| *heard <= at);
        let refused = refused.map(|(refused, _)| refused.unwrap_or(position));
        if let Some(refused) = refused.filter(|refused| is_truncated || *refused >= begin) {
            let to = end.min(refused);
            return Verdict::Stop(Stop::of_partition(StopReason::BeyondEnd, partition, position, to));
        }
        // Records may have come since the broker was asked; what was applied
        // before the question lies past the end only if the log is another one.
        let before = self.last_look.as_ref().filter(|(looked_at, _)| *looked_at <= at);
        let applied_before = before.and_then(|(_, positions)| positions.get(partition));
        if applied_before.is_some_and(|applied| applied > end) {
            let since = *self.past_end.entry(partition).or_insert(now);
            let stop = Stop::of_partition(StopReason::BeyondEnd, partition, position, end);
            return if now - since >= PAST_END_FOR { Verdict::Stop(stop) } else { Verdict::ReadOn };
        }
        self.past_end.remove(&partition);
        // What was refused had been applied already and is gone since (a replay); the
        // partition stays silent until it is given anew.
        if refused.is_some() && self.out_of_range.remove(&partition).is_some() {
            Verdict::ReadAgain
        } else {
            Verdict::ReadOn
        }
    }

    /// Every partition has been judged; remembers where the positions were.
    pub(super) fn looked(&mut self, positions: &Positions, at: Timestamp) {
        self.last_look = Some((at, positions.clone()));
    }
}

/// Whether nothing of a partition was read since it was begun.
fn is_untouched(positions: &Positions, partition: Partition) -> bool {
    let mut all = positions.all();
    all.any(|(of, at)| of == partition && at.next == at.begin && at.canary.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0);

    fn begun_at(begin: i64) -> Positions {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::at(begin));
        positions
    }

    fn read_to(next: i64) -> Positions {
        let mut positions = begun_at(0);
        positions.reach(P, NextOffset::at(next));
        positions
    }

    fn bounds(begin: i64, end: i64) -> PartitionBounds {
        PartitionBounds { partition: P, begin: NextOffset::at(begin), end: NextOffset::at(end) }
    }

    fn stop(reason: StopReason, from: i64, to: i64) -> Verdict {
        Verdict::Stop(Stop::of_partition(reason, P, NextOffset::at(from), NextOffset::at(to)))
    }

    fn ts(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn records_gone_before_they_were_read_are_a_gap() {
        let (mut judge, now) = (Judge::default(), Instant::now());
        // Until the client says so, they may be on their way to us.
        assert_eq!(
            judge.verdict(&read_to(5), Some(&read_to(5)), &bounds(9, 20), true, ts(1), now),
            Verdict::ReadOn
        );
        judge.hear_out_of_range(P, Some(NextOffset::at(5)), ts(2));
        assert_eq!(
            judge.verdict(&read_to(5), Some(&read_to(5)), &bounds(0, 20), true, ts(1), now),
            Verdict::ReadOn,
            "asked before"
        );
        assert_eq!(
            judge.verdict(&read_to(5), Some(&read_to(5)), &bounds(9, 20), true, ts(2), now),
            stop(StopReason::Gap, 5, 9)
        );
    }

    #[test]
    fn a_partition_of_which_nothing_was_read_or_kept_follows_its_beginning() {
        let with_record = {
            let mut positions = begun_at(5);
            let _ = positions.advance(P, 5);
            positions
        };
        let gap = |from| stop(StopReason::Gap, from, 9);
        let mut other = Positions::default();
        other.begin(Partition(1), NextOffset::START);
        for (positions, kept, expected) in [
            (begun_at(5), None, Verdict::BeginAnew),
            (begun_at(5), Some(Positions::default()), Verdict::BeginAnew),
            (begun_at(5), Some(begun_at(5)), gap(5)),
            // Others were kept: it came later, and all that it had was to be read.
            (begun_at(0), Some(other), gap(0)),
            (with_record, None, gap(6)),
            // Control records are read, too.
            (read_to(7), None, gap(7)),
        ] {
            for (reading, refused) in [(false, false), (true, true)] {
                let mut judge = Judge::default();
                if refused {
                    judge.hear_out_of_range(P, Some(NextOffset::at(5)), ts(1));
                }
                let now = Instant::now();
                let verdict = judge.verdict(&positions, kept.as_ref(), &bounds(9, 20), reading, ts(1), now);
                assert_eq!(verdict, expected, "{positions:?}, kept {kept:?}");
                if expected == Verdict::BeginAnew {
                    // The refusal was of the former beginning.
                    let verdict = judge.verdict(&begun_at(9), None, &bounds(9, 20), true, ts(2), now);
                    assert_eq!(verdict, Verdict::ReadOn);
                }
            }
        }
        let mut judge = Judge::default();
        let on_its_way = judge.verdict(&begun_at(5), None, &bounds(9, 20), true, ts(1), Instant::now());
        assert_eq!(on_its_way, Verdict::ReadOn, "its records may be on their way");
    }

    #[test]
    fn a_position_refused_behind_the_beginning_was_past_the_end_however_far_that_has_come_since() {
        for (end, to) in [(3, 3), (5, 5), (20, 5)] {
            let (mut judge, now) = (Judge::default(), Instant::now());
            judge.hear_out_of_range(P, Some(NextOffset::at(5)), ts(1));
            let verdict = judge.verdict(&read_to(5), Some(&read_to(5)), &bounds(0, end), true, ts(1), now);
            assert_eq!(verdict, stop(StopReason::BeyondEnd, 5, to));
        }
    }

    #[test]
    fn a_truncated_log_was_exceeded_wherever_it_begins_and_ends_by_the_time_it_is_judged() {
        for (begin, end, to) in [(0, 30, 30), (5, 30, 30), (5, 60, 60), (5, 90, 60), (70, 90, 60)] {
            let (mut judge, now) = (Judge::default(), Instant::now());
            judge.hear_out_of_range(P, None, ts(2));
            let mut verdict =
                |at| judge.verdict(&read_to(60), Some(&read_to(60)), &bounds(begin, end), true, at, now);
            assert_eq!(verdict(ts(1)), Verdict::ReadOn, "asked before");
            assert_eq!(verdict(ts(2)), stop(StopReason::BeyondEnd, 60, to), "{begin} to {end}");
        }
    }

    #[test]
    fn a_position_past_the_end_stops_only_when_it_stays_there() {
        let (mut judge, now) = (Judge::default(), Instant::now());
        judge.looked(&read_to(9), ts(0));
        let mut verdict = |end, seconds: u64| {
            let now = now + Duration::from_secs(seconds);
            let verdict = judge.verdict(&read_to(9), Some(&read_to(9)), &bounds(0, end), true, ts(1), now);
            judge.looked(&read_to(9), ts(1));
            verdict
        };
        assert_eq!(verdict(3, 0), Verdict::ReadOn);
        assert_eq!(verdict(9, 5), Verdict::ReadOn, "the watermark came back");
        assert_eq!(verdict(3, 10), Verdict::ReadOn);
        assert_eq!(verdict(3, 19), Verdict::ReadOn);
        assert_eq!(verdict(3, 20), stop(StopReason::BeyondEnd, 9, 3));
    }

    #[test]
    fn records_that_came_after_the_question_prove_nothing() {
        let (mut judge, now) = (Judge::default(), Instant::now());
        judge.looked(&read_to(3), ts(5));
        // Asked before the last look was over: its positions may be newer.
        assert_eq!(
            judge.verdict(&read_to(9), Some(&read_to(9)), &bounds(0, 2), true, ts(4), now),
            Verdict::ReadOn
        );
        // Asked after it, and what it had applied is in the log.
        let later = now + Duration::from_mins(1);
        assert_eq!(
            judge.verdict(&read_to(9), Some(&read_to(9)), &bounds(0, 3), true, ts(6), later),
            Verdict::ReadOn
        );
        assert!(judge.past_end.is_empty());
    }

    #[test]
    fn a_partition_whose_replay_was_refused_is_read_again_once() {
        let (mut judge, now) = (Judge::default(), Instant::now());
        judge.hear_out_of_range(P, Some(NextOffset::at(2)), ts(1));
        assert_eq!(
            judge.verdict(&read_to(5), Some(&read_to(5)), &bounds(4, 9), true, ts(1), now),
            Verdict::ReadAgain
        );
        assert_eq!(
            judge.verdict(&read_to(5), Some(&read_to(5)), &bounds(4, 9), true, ts(2), now),
            Verdict::ReadOn
        );
    }

    #[test]
    fn a_partition_that_is_not_followed_is_not_judged() {
        let mut judge = Judge::default();
        judge.hear_out_of_range(P, Some(NextOffset::at(2)), ts(1));
        let verdict = judge.verdict(&Positions::default(), None, &bounds(5, 9), true, ts(1), Instant::now());
        assert_eq!(verdict, Verdict::ReadOn);
    }
}
