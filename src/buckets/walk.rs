//! All rooms, a few at a time, while they change in between.
//!
//! Owns the order of the walk: hours ascending, the parts of an hour ascending, and
//! inside a part from its last record down to its first. Invariant: a room that does
//! not change between the first step and the last is never missed. It stays in its
//! part, and there a removal moves the last record, so only ever towards the records
//! that are still to come. It may be seen twice; a room that changed may be seen as it
//! was or as it is, twice, or not at all.

use crate::buckets::Buckets;
use crate::buckets::record::HourNumber;
use crate::room::{Room, RoomKey};

/// How far a walk is.
#[derive(Debug, Clone)]
pub struct WalkCursor {
    hour: HourNumber,
    /// The part of that hour.
    part: usize,
    /// The records of that part below this number are still to come.
    below: u32,
}

impl WalkCursor {
    fn before(hour: HourNumber) -> Self {
        Self { hour, part: 0, below: u32::MAX }
    }
}

impl Default for WalkCursor {
    fn default() -> Self {
        Self::before(HourNumber(i64::MIN))
    }
}

impl Buckets {
    /// Calls `each` with the next `max` rooms at most; whether none is left.
    pub fn walk(&self, cursor: &mut WalkCursor, max: usize, mut each: impl FnMut(RoomKey, Room)) -> bool {
        let mut left = u32::try_from(max).unwrap_or(u32::MAX);
        while let Some((number, hour)) = self.first_hour_from(cursor.hour) {
            if number != cursor.hour {
                *cursor = WalkCursor::before(number);
            }
            for part in hour.parts().skip(cursor.part) {
                let end = cursor.below.min(part.rooms());
                let begin = end.saturating_sub(left);
                for record in part.downwards(&self.records, begin..end) {
                    each(record.key(), record.room(number));
                }
                left -= end - begin;
                cursor.below = begin;
                if begin > 0 {
                    return false;
                }
                (cursor.part, cursor.below) = (cursor.part + 1, u32::MAX);
            }
            *cursor = WalkCursor::before(HourNumber(number.0 + 1));
        }
        true
    }
}
