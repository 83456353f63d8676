//! How long an answer is waited for that a slow link may need longer for.
//!
//! Owns one time that doubles when it ran out and is the first one again when it
//! sufficed. Invariant: however often it ran out, it is bounded.

use std::time::Duration;

/// The first time is as long as a client of the usual kind waits for an answer.
const FIRST: Duration = Duration::from_secs(4);

/// How often it doubles: up to half a minute.
const DOUBLINGS_MAX: u32 = 3;

/// A time that grows while it is too short.
#[derive(Debug, Default)]
pub(super) struct Patience {
    doublings: u32,
}

impl Patience {
    /// How long to wait now: 4 to 32 s.
    pub(super) fn time(&self) -> Duration {
        FIRST * (1 << self.doublings)
    }

    /// How often it was doubled, for a client that is to wait as long for an answer.
    pub(super) fn doublings(&self) -> u32 {
        self.doublings
    }

    /// Whether it grows no more.
    pub(super) fn is_longest(&self) -> bool {
        self.doublings == DOUBLINGS_MAX
    }

    /// Nothing came in this time.
    pub(super) fn ran_out(&mut self) {
        self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
    }

    /// Everything came in this time.
    pub(super) fn sufficed(&mut self) {
        self.doublings = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_half_a_minute_and_begins_anew_once_it_sufficed() {
        let mut patience = Patience::default();
        let waited = [(); 6].map(|()| {
            let waited = (patience.time().as_secs(), patience.is_longest());
            patience.ran_out();
            waited
        });
        let longest = (32, true);
        assert_eq!(waited, [(4, false), (8, false), (16, false), longest, longest, longest]);
        patience.sufficed();
        assert_eq!((patience.time(), patience.doublings()), (FIRST, 0));
    }
}
