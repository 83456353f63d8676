//! What is looked at soon, fetched from far memory ahead.
//!
//! Owns what the processor is told to fetch before changes of many rooms, and how a list is
//! fetched for a question: it comes for all of them at the same time, while for one after the
//! other it would be waited for. Invariant: nothing here decides anything; what was not fetched
//! is merely waited for.

use prefetch_index::prefetch_index;
use smallvec::SmallVec;

use crate::buckets::hour::EIGHTH_MS;
use crate::buckets::record::{HourNumber, ms_of_hour};
use crate::buckets::{Buckets, Place};
use crate::room::{DepartmentSlot, Timestamp};

/// So many rooms are fetched ahead for: what is fetched for one of them is on its way while the
/// others ask, and all of it fits the processor's nearest memory.
pub const AT_ONCE: usize = 32;

/// A line of the processor's memory, which is fetched as a whole.
const LINE_BYTES: usize = 64;

/// Has all lines fetched on which one of these begins.
#[inline]
pub(super) fn fetch_all<T>(items: &[T]) {
    each_line(items, |at| prefetch_index(items, at));
}

/// Tells one of those on each line; the last may be told twice, and two on a line where lines
/// do not begin with one.
#[inline]
fn each_line<T>(items: &[T], mut each: impl FnMut(usize)) {
    let on_a_line = const {
        assert!(size_of::<T>() > 0, "nothing of no size is to be fetched");
        if size_of::<T>() < LINE_BYTES { LINE_BYTES / size_of::<T>() } else { 1 }
    };
    // One loop, and what may be left besides: chained, it costs more than what is fetched saves.
    (0..items.len()).step_by(on_a_line).for_each(&mut each);
    items.len().checked_sub(1).into_iter().for_each(each);
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check<T: Copy + Default>() {
        let items = [T::default(); 40];
        for (begin, end) in (0..20).flat_map(|begin| (begin..40).map(move |end| (begin, end))) {
            let items = &items[begin..end];
            let line_of = |item: &T| std::ptr::from_ref(item).addr() / LINE_BYTES;
            let all: BTreeSet<_> = items.iter().map(line_of).collect();
            let mut fetched = Vec::new();
            each_line(items, |at| fetched.push(line_of(&items[at])));
            assert!(fetched.len() <= all.len() + 1, "{begin}..{end}: {fetched:?}");
            assert_eq!(fetched.into_iter().collect::<BTreeSet<_>>(), all, "{begin}..{end}");
        }
    }

    #[test]
    fn every_line_that_something_begins_on_is_fetched() {
        check::<u32>();
        check::<[u64; 2]>();
        check::<[u64; 8]>();
        check::<[u64; 16]>();
    }
}
