//! Where a partition is taken up that is not followed yet.
//!
//! Owns what tells a first start from a partition that came later. Invariant: records
//! that went unread are missing only where others of the topic were counted: a first
//! start counts from what is there, and a partition that was added since has lost what
//! is gone of it.

use crate::log::{Decision, NextOffset, Partition, Positions};
use crate::snapshot::Decided;

/// What was kept of a log, and decided about it.
#[derive(Debug)]
pub(super) struct Before<'a> {
    pub(super) kept: Option<&'a Positions>,
    pub(super) decided: &'a [Decided],
}

impl<'a> Before<'a> {
    /// Where a partition that is not followed is taken up, if its log begins at `begin`.
    pub(super) fn takes_up(&self, partition: Partition, begin: NextOffset) -> NextOffset {
        let is_kept = self.kept.is_some_and(|kept| is_in(kept, partition));
        // What is kept and not followed any more is to be read anew.
        if is_kept || self.kept_beside(partition).is_none() { begin } else { NextOffset::START }
    }

    /// What is kept that makes records missing which an untouched partition has lost.
    pub(super) fn kept_beside(&self, partition: Partition) -> Option<&'a Positions> {
        let kept = self.kept.filter(|kept| !kept.is_empty())?;
        (is_in(kept, partition) || !self.is_adopted(partition)).then_some(kept)
    }

    /// Whether an operator decided that it is read from its log's beginning.
    fn is_adopted(&self, partition: Partition) -> bool {
        let mut adopted = self.decided.iter().filter(|decided| decided.decision == Decision::Adopt);
        adopted.any(|decided| decided.missing.iter().any(|(of, ..)| *of == partition))
    }
}

fn is_in(positions: &Positions, partition: Partition) -> bool {
    positions.all().any(|(of, _)| of == partition)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log::StopId;
    use crate::room::Timestamp;

    const P: Partition = Partition(1);
    const BEGIN: NextOffset = NextOffset::at(5);

    fn positions(partitions: &[i32]) -> Positions {
        let mut positions = Positions::default();
        for &partition in partitions {
            positions.begin(Partition(partition), NextOffset::START);
        }
        positions
    }

    fn decided(decision: Decision, partition: i32) -> Decided {
        let missing = vec![(Partition(partition), NextOffset::START, BEGIN)];
        let stop = StopId::parse("gap-1-5").unwrap();
        Decided { stop, decision, at: Timestamp::from_millis(0), missing }
    }

    #[test]
    fn only_a_partition_that_came_later_has_lost_what_its_log_has_no_more() {
        let (others, with_it) = (positions(&[0, 2]), positions(&[0, 1]));
        let none = Positions::default();
        let (adopted, other) = (decided(Decision::Adopt, 1), decided(Decision::Adopt, 0));
        let accepted = decided(Decision::AcceptGap, 1);
        for (kept, decided, taken_up, is_beside) in [
            (None, vec![], BEGIN, false),
            (Some(&none), vec![], BEGIN, false),
            (Some(&others), vec![], NextOffset::START, true),
            (Some(&others), vec![other, accepted], NextOffset::START, true),
            (Some(&others), vec![adopted.clone()], BEGIN, false),
            // It was adopted a moment ago.
            (Some(&with_it), vec![], BEGIN, true),
            (Some(&with_it), vec![adopted], BEGIN, true),
        ] {
            let before = Before { kept, decided: &decided };
            assert_eq!(before.takes_up(P, BEGIN), taken_up, "{before:?}");
            assert_eq!(before.kept_beside(P).is_some(), is_beside, "{before:?}");
        }
    }
}
