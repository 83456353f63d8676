//! Log lines that could come a million times a second.
//!
//! Owns when a kind of line was last written. The first of a kind is written at
//! once, later ones at most every [`INTERVAL`], with how many went unsaid.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two lines of one kind.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets one line of each kind through at a time.
#[derive(Debug, Default)]
pub struct Sampler(HashMap<&'static str, (Instant, u64)>);

impl Sampler {
    /// How many lines of the kind went unsaid since the last one, if another is
    /// due now.
    pub fn sample(&mut self, kind: &'static str) -> Option<u64> {
        self.sample_at(kind, Instant::now())
    }

    fn sample_at(&mut self, kind: &'static str, now: Instant) -> Option<u64> {
        let Some((last, unsaid)) = self.0.get_mut(kind) else {
            self.0.insert(kind, (now, 0));
            return Some(0);
        };
        if now.duration_since(*last) < INTERVAL {
            *unsaid += 1;
            return None;
        }
        *last = now;
        Some(std::mem::take(unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_kind_is_written_and_the_rest_counted() {
        let (mut sampler, now) = (Sampler::default(), Instant::now());
        assert_eq!(sampler.sample_at("a", now), Some(0));
        assert_eq!(sampler.sample_at("a", now), None);
        assert_eq!(sampler.sample_at("b", now), Some(0));
        assert_eq!(sampler.sample_at("a", now + INTERVAL / 2), None);
        assert_eq!(sampler.sample_at("a", now + INTERVAL), Some(2));
        assert_eq!(sampler.sample_at("a", now + INTERVAL * 2), Some(0));
    }
}
