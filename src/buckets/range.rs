//! A range of time as the buckets see it.
//!
//! Owns its division into whole hours and the parts of hours at its ends. Invariant:
//! together they are the range, to the millisecond, and nothing twice.

use std::ops::Range;

use crate::buckets::record::{HOUR, HOUR_MS, HourNumber};
use crate::room::Timestamp;

/// The parts of a range.
pub(super) struct Parts {
    /// Numbers of hours of which all is wanted.
    pub(super) whole: Range<i64>,
    /// Parts of an hour that are wanted besides.
    pub(super) ends: [Option<End>; 2],
}

/// A part of an hour.
pub(super) struct End {
    pub(super) hour: HourNumber,
    /// Milliseconds of the hour.
    pub(super) ms: Range<u32>,
}

impl Parts {
    /// The range between two instants, both included; none if it is empty.
    pub(super) fn of(from: Timestamp, to: Timestamp) -> Option<Self> {
        let from_ms = from.max(Timestamp::MIN).as_millis();
        let end_ms = to.min(Timestamp::MAX).as_millis() + 1;
        if from_ms >= end_ms {
            return None;
        }
        let first_whole = (from_ms + HOUR_MS - 1).div_euclid(HOUR_MS);
        let first_behind = end_ms.div_euclid(HOUR_MS);
        if first_whole > first_behind {
            // Both ends are in the one hour between them.
            return Some(Self { whole: 0..0, ends: [End::of(from_ms..end_ms), None] });
        }
        let before = End::of(from_ms..first_whole * HOUR_MS);
        let behind = End::of(first_behind * HOUR_MS..end_ms);
        Some(Self { whole: first_whole..first_behind, ends: [before, behind] })
    }
}

impl End {
    /// A range of less than an hour, inside one hour; none if it is empty.
    fn of(ms: Range<i64>) -> Option<Self> {
        let hour = HourNumber(ms.start.div_euclid(HOUR_MS));
        let of_hour = |ms: i64| u32::try_from(ms - hour.0 * HOUR_MS).unwrap_or(HOUR);
        (!ms.is_empty()).then(|| Self { hour, ms: of_hour(ms.start)..of_hour(ms.end) })
    }
}
