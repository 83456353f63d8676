//! By when a service that was told to stop has ended, and what it is at.
//!
//! Owns the one deadline. What comes between the signal and the end may wait for a
//! disk, for a broker or for a search; each part is given what is left of one time,
//! and whoever told the service to stop waits no longer than that. Nothing is lost
//! by it: a generation that is not finished has no name, and the next start reads
//! again what is in none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From the signal until the end of counting. Users are promised 10 s for all.
const WITHIN: Duration = Duration::from_secs(8);

/// What is kept of it for the last snapshot when records go on coming, or when
/// whoever brings them does not end.
const FOR_THE_LAST_SNAPSHOT: Duration = Duration::from_secs(5);

/// What is kept of it for the ends of the threads.
const FOR_THE_THREADS: Duration = Duration::from_secs(1);

/// Knows when the service was told to stop.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    doing: Option<&'static str>,
}

impl Ending {
    /// The service is told to stop; says by when counting has ended, well or not.
    pub fn begin(&self) -> Instant {
        *self.state().told.get_or_insert_with(Instant::now) + WITHIN
    }

    /// Does what may take long; meanwhile this is what the service is at.
    pub fn doing<T>(&self, what: &'static str, work: impl FnOnce() -> T) -> T {
        let before = self.state().doing.replace(what);
        let done = work();
        self.state().doing = before;
        done
    }

    /// What the service is at.
    pub fn at(&self) -> &'static str {
        self.state().doing.unwrap_or("counting what was read")
    }

    /// Whether it is time to count no further.
    pub(super) fn ends_reading(&self, now: Instant) -> bool {
        let latest = WITHIN.saturating_sub(FOR_THE_LAST_SNAPSHOT + FOR_THE_THREADS);
        self.state().told.is_some_and(|told| now >= told + latest)
    }

    /// By when the last snapshot is given up.
    pub(super) fn last_snapshot_by(&self, now: Instant) -> Instant {
        self.state().told.unwrap_or(now) + WITHIN.saturating_sub(FOR_THE_THREADS)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_end_is_over_before_the_next_one_has_to_be() {
        let (ending, now) = (Ending::default(), Instant::now());
        assert!(!ending.ends_reading(now + Duration::from_hours(1)), "nobody told it to stop");
        let by = ending.begin();
        assert_eq!(ending.begin(), by, "told twice is told");
        let told = by.checked_sub(WITHIN).unwrap_or(by);
        assert!(!ending.ends_reading(told));
        let last = ending.last_snapshot_by(by);
        assert!(last < by && ending.ends_reading(last.checked_sub(FOR_THE_LAST_SNAPSHOT).unwrap_or(told)));
    }

    #[test]
    fn it_is_known_what_goes_on_within_what() {
        let ending = Ending::default();
        let outside = ending.at();
        ending.doing("one", || {
            assert_eq!(ending.doing("two", || ending.at()), "two");
            assert_eq!(ending.at(), "one");
        });
        assert_eq!(ending.at(), outside);
    }
}
