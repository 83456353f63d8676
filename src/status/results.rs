//! What became of records: one result each, counted.
//!
//! Invariant: the sum over the results is the number of records, because a
//! record is counted in one place and once.

use crate::decode::RejectReason;

/// What became of a record; every record that is consumed has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventResult {
    /// A room not known before now counts.
    Counted,
    /// A known room is different now.
    Changed,
    /// A known room, nothing different.
    Duplicate,
    /// A known room is gone.
    Removed,
    /// Nothing that we count.
    Ignored,
    /// An update or a deletion of a room not known.
    UnknownRoom,
    /// Refused, see [`RejectReason`].
    Rejected,
    /// A record without value for a room not known.
    Tombstone,
}

impl EventResult {
    /// Every result, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Counted,
        Self::Changed,
        Self::Duplicate,
        Self::Removed,
        Self::Ignored,
        Self::UnknownRoom,
        Self::Rejected,
        Self::Tombstone,
    ];

    /// The name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::Changed => "changed",
            Self::Duplicate => "duplicate",
            Self::Removed => "removed",
            Self::Ignored => "ignored",
            Self::UnknownRoom => "unknown_room",
            Self::Rejected => "rejected",
            Self::Tombstone => "tombstone",
        }
    }
}

/// What became of copies of refused records, since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeadLetterCounts {
    /// They stand in the dead-letter topic.
    pub acknowledged: u64,
    /// They were given up.
    pub failed: u64,
}

/// How many records had which result, since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventCounts {
    results: [u64; EventResult::ALL.len()],
    rejects: [u64; RejectReason::ALL.len()],
}

impl EventCounts {
    /// Counts one record that was not refused.
    pub fn add(&mut self, result: EventResult) {
        self.results[result as usize] += 1;
    }

    /// Counts one refused record.
    pub fn reject(&mut self, reason: RejectReason) {
        self.add(EventResult::Rejected);
        self.rejects[reason as usize] += 1;
    }

    /// Records per result, every result once.
    pub fn by_result(&self) -> impl Iterator<Item = (EventResult, u64)> + '_ {
        EventResult::ALL.into_iter().map(|result| (result, self.results[result as usize]))
    }

    /// Refused records per reason, every reason once.
    pub fn by_reason(&self) -> impl Iterator<Item = (RejectReason, u64)> + '_ {
        RejectReason::ALL.into_iter().map(|reason| (reason, self.rejects[reason as usize]))
    }

    /// All records: the sum over the results.
    pub fn total(&self) -> u64 {
        self.results.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_to_the_records() {
        let mut events = EventCounts::default();
        events.add(EventResult::Counted);
        events.add(EventResult::Tombstone);
        events.reject(RejectReason::NoTs);
        assert_eq!(events.total(), 3);
        assert_eq!(events.by_result().map(|(_, records)| records).sum::<u64>(), 3);
        assert_eq!(
            events.by_reason().filter(|&(_, records)| records > 0).collect::<Vec<_>>(),
            [(RejectReason::NoTs, 1)]
        );
    }
}
