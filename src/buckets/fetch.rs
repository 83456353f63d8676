//! What is looked at soon, fetched from far memory ahead.
//!
//! Owns what the processor is told to fetch before changes of many rooms: it comes for all of
//! them at the same time, while for one after the other it would be waited for. Invariant:
//! nothing here decides anything; what was not fetched is merely waited for.

use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use crate::buckets::hour::EIGHTH_MS;
use crate::buckets::record::{HourNumber, ms_of_hour};
use crate::buckets::{Buckets, Place};
use crate::room::{DepartmentSlot, Timestamp};

/// So many rooms are fetched ahead for: what is fetched for one of them is on its way while the
/// others ask, and all of it fits the processor's nearest memory.
pub const AT_ONCE: usize = 32;

impl Buckets {
    /// Has what stands at this place fetched.
    #[inline]
    pub fn fetch(&self, place: Place) {
        self.records.fetch(place);
    }

    /// Has the id fetched that stands at this place, for [`Self::packed_bits`].
    #[inline]
    pub fn fetch_id(&self, place: Place) {
        self.records.fetch_id(place);
    }

    /// Has what rooms of these instants and departments would be added to fetched.
    pub fn fetch_for(&self, rooms: impl Iterator<Item = (Timestamp, DepartmentSlot)>) {
        // Rooms mostly come in the order of their creation: what one of the same part of an hour
        // is added to is near.
        let mut last = None;
        let mut is_next = |ts: Timestamp| {
            let part = ts.as_millis().div_euclid(EIGHTH_MS.into());
            last.replace(part) != Some(part)
        };
        let mut hours = SmallVec::<[_; AT_ONCE]>::new();
        for (ts, department) in rooms.filter(|&(ts, _)| is_next(ts)) {
            let number = HourNumber::of(ts);
            if let Some(era) = self.eras.get(&number.era())
                && let Some(hour) = era.hour(number)
            {
                prefetch_index(std::slice::from_ref(hour), 0);
                hours.push((era, number, department, hour, ms_of_hour(ts)));
            }
        }
        // What each of these needs to know is fetched by the one before.
        hours.iter().for_each(|&(.., hour, ms)| hour.fetch_part(ms));
        hours.iter().for_each(|&(.., hour, ms)| hour.fetch_block(ms));
        hours.iter().for_each(|&(era, number, department, ..)| era.fetch_sums(number, department));
        hours.iter().for_each(|&(.., hour, ms)| hour.fetch_free(&self.records, ms));
    }
}
