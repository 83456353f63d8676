//! Copies that are under way, counted by the era in which they were sent.
//!
//! Owns the count that a cut asks. Invariant: a copy stays in the era in which it was sent,
//! however many eras ago that was; and the lock is held for one step of counting at a time.

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are under way of each era; an era without any has no entry.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<BTreeMap<usize, u64>>);

impl UnderWay {
    /// One more is under way.
    pub(super) fn sent(&self, era: usize) {
        *self.eras().entry(era).or_default() += 1;
    }

    /// One that was sent in this era is acknowledged or given up.
    pub(super) fn settled(&self, era: usize) {
        if let Entry::Occupied(mut of_era) = self.eras().entry(era) {
            *of_era.get_mut() -= 1;
            if *of_era.get() == 0 {
                of_era.remove();
            }
        }
    }

    /// Whether whatever was sent before this era is settled.
    pub(super) fn is_none_before(&self, era: usize) -> bool {
        self.eras().first_key_value().is_none_or(|(first, _)| *first >= era)
    }

    fn eras(&self) -> MutexGuard<'_, BTreeMap<usize, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_waits_for_every_copy_sent_before_it_however_many_marks_ago() {
        let under_way = UnderWay::default();
        assert!(under_way.is_none_before(5));
        under_way.sent(0);
        under_way.sent(0);
        under_way.sent(2);
        let settled = || [0, 1, 2, 3, 9].map(|era| under_way.is_none_before(era));
        assert_eq!(settled(), [true, false, false, false, false]);
        under_way.settled(0);
        assert_eq!(settled(), [true, false, false, false, false]);
        under_way.settled(0);
        assert_eq!(settled(), [true, true, true, false, false]);
        under_way.settled(2);
        assert_eq!(settled(), [true; 5]);
    }
}
