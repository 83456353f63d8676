//! What many waits come to.
//!
//! Owns the choice of the one that stands for a share of all.

#![allow(dead_code, reason = "no program of this folder tells all of it")]

use std::time::Duration;

/// The wait that half of all are no longer than, that 99 of 100 are no longer than, and
/// the longest.
pub(crate) struct Latencies {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
    pub(crate) count: usize,
}

impl Latencies {
    /// Of at least one.
    pub(crate) fn of(mut waits: Vec<Duration>) -> Self {
        assert!(!waits.is_empty(), "nothing was measured");
        waits.sort_unstable();
        let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100).max(1) - 1];
        Self { p50: at(50), p99: at(99), max: at(100), count: waits.len() }
    }
}
