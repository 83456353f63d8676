//! Where we are in a topic's log, which log that is, and why we may have stopped:
//! values only.
//!
//! Owns the newtypes for partitions and offsets, so that "the next to read" and
//! "the last one read" are never mistaken for each other.

mod identity;
mod positions;
mod stop;

pub use identity::{Canary, CanaryFound, LogIdentity, TopicId};
pub use positions::{Arrival, Position, Positions};
pub use stop::{Decision, Stop, StopId, StopReason};

use std::fmt;

/// The number of one partition of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(pub i32);

/// The offset of the next record to read, never of the last one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(i64);

impl NextOffset {
    /// The beginning of a log that has never been trimmed.
    pub const START: Self = Self(0);

    /// The position before the record at `offset`; a negative one counts as 0.
    pub const fn at(offset: i64) -> Self {
        Self(if offset < 0 { 0 } else { offset })
    }

    /// The position behind the record at `offset`.
    pub const fn behind(offset: i64) -> Self {
        Self::at(offset.saturating_add(1))
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
