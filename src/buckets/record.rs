//! The record of one room, in 24 bytes.
//!
//! Owns how it is packed, and how an instant is split into its hour and what lies inside.
//! Invariant: with its hour, a record gives back the room and the id that it was made of.

use crate::buckets::sums::Sum;
use crate::room::{DepartmentSlot, PackedId, Room, RoomKey, Timestamp};

pub(super) const HOUR_MS: i64 = 3_600_000;
/// The same for what lies inside one hour.
pub(super) const HOUR: u32 = 3_600_000;

/// The hours since 1970 that had gone by; any instant has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HourNumber(pub(super) i64);

impl HourNumber {
    pub(super) fn of(ts: Timestamp) -> Self {
        Self(ts.as_millis().div_euclid(HOUR_MS))
    }
}

/// Where in its hour an instant lies, in ms.
pub(super) fn ms_of_hour(ts: Timestamp) -> u32 {
    u32::try_from(ts.as_millis().rem_euclid(HOUR_MS)).unwrap_or(0)
}

/// One room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Those of a packed id, or the number of a long one.
    pub(super) bits: [u64; 2],
    pub(super) mark: Mark,
}

/// What is counted of a room. Laid out by hand: 22 bits of milliseconds, 6 of the id's
/// letters (0 where its bits are the number of a long one), 1 whether it waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    state: u32,
    department: DepartmentSlot,
}

/// Stands beside the number of a long id, and in few that are packed.
pub(super) const LONG: u64 = u64::MAX;

const LETTERS_AT: u32 = 22;
const WAITING_AT: u32 = 28;
const MS_MASK: u32 = (1 << LETTERS_AT) - 1;

impl Record {
    pub(super) fn new(key: RoomKey, room: Room) -> Self {
        let (bits, letters) = match key {
            RoomKey::Packed(packed) => (packed.bits(), packed.letters()),
            RoomKey::Long(number) => ([number.into(), LONG], 0),
        };
        let state =
            ms_of_hour(room.ts) | u32::from(letters) << LETTERS_AT | u32::from(room.waiting) << WAITING_AT;
        Self { bits, mark: Mark { state, department: room.department } }
    }

    pub(super) fn key(&self) -> RoomKey {
        match PackedId::trusted(self.bits, (self.mark.state >> LETTERS_AT & 0x3f) as u8) {
            Some(packed) => RoomKey::Packed(packed),
            None => RoomKey::Long(u32::try_from(self.bits[0]).unwrap_or(u32::MAX)),
        }
    }

    pub(super) fn room(&self, hour: HourNumber) -> Room {
        self.mark.room(hour)
    }
}

impl Mark {
    pub(super) const FREE: Self = Self { state: 0, department: DepartmentSlot::NONE };

    pub(super) fn room(self, hour: HourNumber) -> Room {
        // The product alone may lie before the first instant; the sum never does.
        let ts = hour.0.wrapping_mul(HOUR_MS).wrapping_add(self.ms_of_hour().into());
        Room { ts: Timestamp::from_millis(ts), department: self.department, waiting: self.waiting() }
    }

    /// What it adds to a sum.
    pub(super) fn sum(self) -> Sum {
        Sum { rooms: 1, waiting: self.waiting().into() }
    }

    pub(super) fn ms_of_hour(self) -> u32 {
        self.state & MS_MASK
    }

    pub(super) fn department(self) -> DepartmentSlot {
        self.department
    }

    pub(super) fn waiting(self) -> bool {
        self.state >> WAITING_AT & 1 == 1
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_24_bytes_and_gives_back_what_it_was_made_of() {
        assert_eq!((size_of::<Record>(), size_of::<Mark>()), (24, 8));
        let packed = |text| RoomKey::Packed(PackedId::of(text).unwrap());
        let keys = [packed("a"), packed("BtS3XkqN8mY2cQwZr"), packed("123e4567-e89b-12d3-a456-426614174000")];
        for key in keys.into_iter().chain([RoomKey::Long(0), RoomKey::Long(u32::MAX)]) {
            for ms in [0, 1, -1, HOUR_MS - 1, HOUR_MS, i64::MIN, i64::MAX] {
                for (department, waiting) in [(0, false), (u32::MAX, true)] {
                    let ts = Timestamp::from_millis(ms);
                    let room = Room { ts, department: DepartmentSlot(department), waiting };
                    let record = Record::new(key, room);
                    assert_eq!((record.key(), record.room(HourNumber::of(ts))), (key, room));
                }
            }
        }
    }
}
