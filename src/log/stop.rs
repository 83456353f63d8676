//! Why counting stopped, and what an operator may decide about it: values only.
//!
//! Owns the names of reasons and decisions, and which decision fits which
//! reason. A stop's id is made of what was seen, so the same thing seen again
//! has the same id, and a decision on one stop never meets another.

use std::fmt;

use crate::log::{NextOffset, Partition};

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

/// What an operator decides about a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Count on behind the lost records.
    AcceptGap,
    /// Keep the rooms, and read the present log from its beginning on top of them.
    Adopt,
    /// Forget all, and read the log from its beginning.
    Rebuild,
}

/// The name by which an operator decides on a stop: lower-case letters, digits,
/// `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StopId(String);

/// A partition that is not counted on, and what is missing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// By which it is decided on; partitions stopped by one cause share it.
    pub id: StopId,
    /// Why.
    pub reason: StopReason,
    /// The first offset that is missing or doubtful.
    pub from: NextOffset,
    /// The first offset behind what is missing or doubtful.
    pub to: NextOffset,
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

    /// The reason of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The decisions that fit, the most careful one first.
    pub const fn decisions(self) -> &'static [Decision] {
        match self {
            Self::Recreated | Self::BeyondEnd => &[Decision::Adopt, Decision::Rebuild],
            Self::Gap | Self::BadBatch => &[Decision::AcceptGap, Decision::Rebuild],
        }
    }

    /// Whether records of another log may have been counted before it was noticed.
    pub const fn doubts_the_counts(self) -> bool {
        matches!(self, Self::Recreated | Self::BeyondEnd)
    }
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 3] = [Self::AcceptGap, Self::Adopt, Self::Rebuild];

    /// The name, which is that of the command's flag.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcceptGap => "accept-gap",
            Self::Adopt => "adopt",
            Self::Rebuild => "rebuild",
        }
    }

    /// The decision of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == name)
    }
}

impl StopId {
    /// Reads an id; none if no stop can have it.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        let sound = (1..=64).contains(&text.len()) && text.bytes().all(known);
        sound.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Stop {
    /// A stop of one partition, named by it and the offset behind what is missing.
    pub fn of_partition(reason: StopReason, partition: Partition, from: NextOffset, to: NextOffset) -> Self {
        Self { id: StopId(format!("{}-{partition}-{to}", reason.name())), reason, from, to }
    }

    /// The stop of a partition at its position because the topic is another one;
    /// `mark` tells this time from others.
    pub fn recreated(mark: u32, position: NextOffset) -> Self {
        let id = StopId(format!("{}-{mark:08x}", StopReason::Recreated.name()));
        Self { id, reason: StopReason::Recreated, from: position, to: position }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_has_the_id_of_what_was_seen() {
        let (from, to) = (NextOffset::at(1_000), NextOffset::at(1_500));
        let gap = Stop::of_partition(StopReason::Gap, Partition(2), from, to);
        assert_eq!(gap.id.as_str(), "gap-2-1500");
        let end = Stop::of_partition(StopReason::BeyondEnd, Partition(0), to, from);
        assert_eq!(end.id.as_str(), "beyond_end-0-1000");
        assert_eq!(Stop::recreated(0xbeef, from).id.as_str(), "recreated-0000beef");
        for stop in [gap, end, Stop::recreated(1, from)] {
            assert_eq!(StopId::parse(stop.id.as_str()), Some(stop.id));
        }
        for text in ["", "../x", "gap 1", "Gap-1", &"x".repeat(65)] {
            assert_eq!(StopId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert!(StopReason::ALL.iter().all(|reason| StopReason::of(reason.name()) == Some(*reason)));
        assert!(Decision::ALL.iter().all(|decision| Decision::of(decision.name()) == Some(*decision)));
        assert!(StopReason::ALL.iter().all(|reason| reason.decisions().contains(&Decision::Rebuild)));
    }
}
