//! Where we are in a topic's log: values only.
//!
//! Owns the one rule that decides whether a record is applied. Invariant: a
//! position only moves forward, and it moves in the same step that applies the
//! record, so a record is never applied twice and never skipped unseen.

mod identity;

pub use identity::{Canary, CanaryFound, LogIdentity, TopicId};

use std::collections::BTreeMap;
use std::fmt;

/// The number of one partition of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub i32);

/// The offset of the next record to read, never of the last one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(i64);

/// Why the service stopped counting a partition until somebody decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The topic is not the one that was counted.
    Recreated,
    /// Records between our position and the log's start are gone unread.
    Gap,
    /// Our position is past the log's end: the log is not the one we read.
    BeyondEnd,
    /// A batch of records does not match its checksum.
    BadBatch,
}

impl StopReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Recreated, Self::Gap, Self::BeyondEnd, Self::BadBatch];

    /// The name in the readiness body and in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recreated => "recreated",
            Self::Gap => "gap",
            Self::BeyondEnd => "beyond_end",
            Self::BadBatch => "bad_batch",
        }
    }
}

/// A partition that is not counted on, and what is missing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// The first offset that is missing or doubtful.
    pub from: NextOffset,
    /// The first offset behind what is missing or doubtful.
    pub to: NextOffset,
}

impl NextOffset {
    /// The beginning of a log that has never been trimmed.
    pub const START: Self = Self(0);

    /// The position before the record at `offset`; a negative one counts as 0.
    pub const fn at(offset: i64) -> Self {
        Self(if offset < 0 { 0 } else { offset })
    }

    /// The offset as Kafka writes it.
    pub const fn as_offset(self) -> i64 {
        self.0
    }

    /// How many offsets lie between `earlier` and this; 0 when it is not earlier.
    pub fn records_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0 - earlier.0).unwrap_or(0)
    }
}

impl fmt::Display for NextOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What an arriving record means for the position.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Not read before: apply it. Offsets skipped on the way hold no record for
    /// us (compaction, transactions).
    New,
    /// Already applied (the client delivered it again): drop it.
    Replayed,
    /// Of a partition that was never begun: drop it.
    Unassigned,
}

/// How far every partition has been applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Partition, NextOffset>);

impl Positions {
    /// Starts to follow a partition from `begin` on; one that is followed
    /// already keeps its position. Says whether it is new.
    pub fn begin(&mut self, partition: Partition, begin: NextOffset) -> bool {
        let new = !self.0.contains_key(&partition);
        self.0.entry(partition).or_insert(begin);
        new
    }

    /// Moves past the record at `offset` unless it was applied before.
    pub fn advance(&mut self, partition: Partition, offset: i64) -> Arrival {
        match self.0.get_mut(&partition) {
            None => Arrival::Unassigned,
            Some(next) if offset < next.0 => Arrival::Replayed,
            Some(next) => {
                *next = NextOffset(offset + 1);
                Arrival::New
            }
        }
    }

    /// Moves to the end that the log's own reader has reached: what lies
    /// between, such as a transaction's markers, holds no record for us.
    pub fn reach(&mut self, partition: Partition, end: NextOffset) {
        if let Some(next) = self.0.get_mut(&partition) {
            *next = (*next).max(end);
        }
    }

    /// Follows a partition no more.
    pub fn stop(&mut self, partition: Partition) {
        self.0.remove(&partition);
    }

    /// The next offset of one partition, if it is followed.
    pub fn get(&self, partition: Partition) -> Option<NextOffset> {
        self.0.get(&partition).copied()
    }

    /// All partitions in order.
    pub fn iter(&self) -> impl Iterator<Item = (Partition, NextOffset)> + '_ {
        self.0.iter().map(|(&partition, &next)| (partition, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrival::{New, Replayed, Unassigned};

    const P: Partition = Partition(3);

    #[track_caller]
    fn check(offsets: &[i64], expected: &[Arrival], end: i64) {
        let mut positions = Positions::default();
        assert!(positions.begin(P, NextOffset::START));
        let arrivals: Vec<_> = offsets.iter().map(|&offset| positions.advance(P, offset)).collect();
        assert_eq!(arrivals, expected);
        assert_eq!(positions.get(P), Some(NextOffset(end)));
    }

    #[test]
    fn records_in_order_are_applied_one_by_one() {
        check(&[0, 1, 2], &[New, New, New], 3);
    }

    #[test]
    fn a_replayed_record_is_dropped_and_moves_nothing() {
        check(&[0, 1, 0, 1], &[New, New, Replayed, Replayed], 2);
    }

    #[test]
    fn a_record_behind_a_gap_is_applied() {
        check(&[0, 7, 6], &[New, New, Replayed], 8);
    }

    #[test]
    fn a_record_of_a_partition_never_begun_is_dropped() {
        assert_eq!(Positions::default().advance(P, 0), Unassigned);
    }

    #[test]
    fn beginning_twice_keeps_the_position() {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::START);
        let _ = positions.advance(P, 4);
        assert!(!positions.begin(P, NextOffset::START));
        assert_eq!(positions.get(P), Some(NextOffset(5)));
    }

    #[test]
    fn the_end_of_a_log_moves_the_position_only_forward() {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::at(5));
        positions.reach(P, NextOffset::at(9));
        positions.reach(P, NextOffset::at(7));
        assert_eq!(positions.get(P), Some(NextOffset(9)));
    }
}
