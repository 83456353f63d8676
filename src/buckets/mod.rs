//! Rooms by time: how many did each department get between two instants?
//!
//! Owns the rooms, each once, in its hour, and the time-bucketed counters. Sums
//! per department stand ready for hours, days and spans of 32 days; a range is
//! made of as few of them as possible, some added and some taken away, and only what sticks out at its
//! two ends, less than an hour each, is looked at room by room. Invariant: every
//! sum equals the rooms below it, so the answer is exact to the millisecond
//! whatever the range; a bucket without a room does not exist.
//!
//! Adding, changing and removing cost the same however many rooms share an hour.
//! The look at an hour's rooms is linear in them: an end that cuts an hour of a
//! million rooms takes about a millisecond, until full hours are split.

mod hour;
mod records;
mod shares;
mod span;
mod sparse;
mod sums;
mod walk;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::room::{DepartmentSlot, Room, RoomKey, Timestamp};

use hour::Hour;
use records::{HOUR_MS, HourNumber, Record, Records};
use shares::Shares;
use span::{SPAN_HOURS, Sign, Span};
use sums::Sums;

pub use records::Place;
pub use walk::WalkCursor;

/// How many rooms, and how many of them wait for an answer; a part of a sum may
/// be less than nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Rooms, waiting or not.
    pub rooms: i64,
    /// Those of them whose visitor waits.
    pub waiting: i64,
}

/// A record that took the place of one removed.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Whose record.
    pub key: RoomKey,
    /// Where it stood.
    pub from: Place,
    /// Where it stands now.
    pub to: Place,
}

/// The rooms that count, arranged by time.
///
/// ```text
/// span of 32 days ── sums
///   └ day ────────── sums
///       └ hour ───── sums, and the list of its blocks of records
/// ```
#[derive(Debug)]
pub struct Buckets {
    records: Records,
    /// By the span's number, see [`HourNumber::span`].
    spans: BTreeMap<i64, Box<Span>>,
    /// Whether the sums are kept with every change.
    is_summed: bool,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { is_summed: true, ..Self::unsummed() }
    }
}

impl Buckets {
    /// Buckets that keep no sums until [`Self::sum_up`]: for filling them with very
    /// many rooms before anything is asked.
    pub fn unsummed() -> Self {
        Self { records: Records::default(), spans: BTreeMap::new(), is_summed: false }
    }

    /// Adds all rooms up, if they are not; sums are kept from now on.
    pub fn sum_up(&mut self) {
        if std::mem::replace(&mut self.is_summed, true) {
            return;
        }
        let mut shares = Shares::default();
        for (&number, span) in &mut self.spans {
            span.sum_up(&self.records, number * SPAN_HOURS, &mut shares);
        }
    }

    /// Counts a room in.
    pub fn add(&mut self, key: RoomKey, room: Room) -> Place {
        let number = HourNumber::of(room.ts);
        let span = self.spans.entry(number.span()).or_default();
        let place = span.hour_mut(number).push(&mut self.records, number, Record::new(key, room));
        if self.is_summed {
            span.each_sums(number, |sums| sums.add(room));
        }
        place
    }

    /// The same for many, as long as no sums are kept; quickest where many of one hour
    /// follow each other. `each` is told where they stand, in their order.
    pub fn add_unsummed(&mut self, rooms: &[(RoomKey, Room)], mut each: impl FnMut(RoomKey, Place)) {
        debug_assert!(!self.is_summed, "these rooms would be missing from the sums");
        for rooms in rooms.chunk_by(|(_, one), (_, other)| HourNumber::of(one.ts) == HourNumber::of(other.ts))
        {
            let number = HourNumber::of(rooms[0].1.ts);
            let span = self.spans.entry(number.span()).or_default();
            span.hour_mut(number).extend(&mut self.records, number, rooms, &mut each);
        }
    }

    /// Takes a room back. The last record of its hour takes the place.
    pub fn take_back(&mut self, place: Place) -> Option<Moved> {
        let number = self.records.hour_of(place);
        let room = self.records.at(place).room(number);
        let span = self.spans.get_mut(&number.span())?;
        if self.is_summed {
            span.each_sums(number, |sums| sums.take_back(room));
        }
        let from = span.remove(&mut self.records, number, place);
        if span.is_empty() {
            self.spans.remove(&number.span());
        }
        from.map(|from| Moved { key: self.records.at(place).key(), from, to: place })
    }

    /// Changes a room where it stands; false, and nothing done, if it belongs
    /// into another hour.
    #[must_use]
    pub fn restate(&mut self, place: Place, room: Room) -> bool {
        let number = self.records.hour_of(place);
        if number != HourNumber::of(room.ts) {
            return false;
        }
        let record = *self.records.at(place);
        let before = record.room(number);
        self.records.set(place, Record::new(record.key(), room));
        if !self.is_summed {
            return true;
        }
        let Some(span) = self.spans.get_mut(&number.span()) else { return true };
        if before.department != room.department {
            span.each_sums(number, |sums| {
                sums.add(room);
                sums.take_back(before);
            });
        } else if before.waiting != room.waiting {
            span.each_sums(number, |sums| sums.set_waiting(room.department, room.waiting));
        }
        true
    }

    /// Brings what stands at these places near. Those of many rooms are fetched at the
    /// same time, while those of one after the other are waited for each.
    pub fn read_ahead(&self, places: impl Iterator<Item = Place>) {
        for place in places {
            // Without this, what has no effect would be left out.
            std::hint::black_box((self.room(place), self.key(place)));
        }
    }

    /// The room at this place.
    pub fn room(&self, place: Place) -> Room {
        self.records.at(place).room(self.records.hour_of(place))
    }

    /// Whose record stands at this place.
    pub fn key(&self, place: Place) -> RoomKey {
        self.records.at(place).key()
    }

    /// Calls `each` with the rooms of every department that has some between the
    /// two instants, both included; a department comes in any number of parts,
    /// negative ones among them, that add up to its rooms, or to none. With
    /// `only`, other departments are passed over.
    pub fn count(
        &self,
        from: Timestamp,
        to: Timestamp,
        only: Option<DepartmentSlot>,
        mut each: impl FnMut(DepartmentSlot, Count),
    ) {
        let from_ms = from.max(Timestamp::MIN).as_millis();
        let end_ms = to.min(Timestamp::MAX).as_millis() + 1;
        if from_ms >= end_ms {
            return;
        }
        let first_whole = (from_ms + HOUR_MS - 1).div_euclid(HOUR_MS);
        let first_behind = end_ms.div_euclid(HOUR_MS);
        if first_whole > first_behind {
            // Both ends are in the one hour between them.
            return self.room_by_room(from_ms..end_ms, only, &mut each);
        }
        self.room_by_room(from_ms..first_whole * HOUR_MS, only, &mut each);
        self.whole_hours(first_whole..first_behind, only, &mut each);
        self.room_by_room(first_behind * HOUR_MS..end_ms, only, &mut each);
    }

    /// The creation of the newest room that counts.
    pub fn newest(&self) -> Option<Timestamp> {
        let (number, hour) = self.last_hour()?;
        hour.each(&self.records).map(|record| record.room(number).ts).max()
    }

    /// A range of less than an hour, inside one hour.
    fn room_by_room(
        &self,
        range_ms: Range<i64>,
        only: Option<DepartmentSlot>,
        each: &mut impl FnMut(DepartmentSlot, Count),
    ) {
        if range_ms.is_empty() {
            return;
        }
        let number = HourNumber(range_ms.start.div_euclid(HOUR_MS));
        let Some(hour) = self.spans.get(&number.span()).and_then(|span| span.hour(number)) else { return };
        let midnight_ms = number.0 * HOUR_MS;
        let wanted_ms = range_ms.start - midnight_ms..range_ms.end - midnight_ms;
        for record in hour.each(&self.records) {
            let is_wanted = only.is_none_or(|only| only == record.department());
            if wanted_ms.contains(&record.ms_of_hour()) && is_wanted {
                each(record.department(), Count { rooms: 1, waiting: record.waiting().into() });
            }
        }
    }

    fn whole_hours(
        &self,
        hours: Range<i64>,
        only: Option<DepartmentSlot>,
        each: &mut impl FnMut(DepartmentSlot, Count),
    ) {
        if hours.is_empty() {
            return;
        }
        let mut sum = |sums: &Sums, sign: Sign| match only {
            None => sums.each(&mut |slot, count| each(slot, sign.of(count))),
            Some(only) => sums.of(only).into_iter().for_each(|count| each(only, sign.of(count))),
        };
        let spans = HourNumber(hours.start).span()..=HourNumber(hours.end - 1).span();
        for (&number, span) in self.spans.range(spans) {
            span.cover(number * SPAN_HOURS, &hours, &mut sum);
        }
    }

    fn first_hour_from(&self, number: HourNumber) -> Option<(HourNumber, &Hour)> {
        let spans = self.spans.range(number.span()..);
        spans.flat_map(|(&span, below)| below.hours(span * SPAN_HOURS)).find(|&(found, _)| found >= number)
    }

    fn last_hour(&self) -> Option<(HourNumber, &Hour)> {
        let (&number, span) = self.spans.last_key_value()?;
        span.hours(number * SPAN_HOURS).last()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::buckets::sums::tests::LOOKED_AT;
    use crate::room::PackedId;
    use proptest::prelude::*;

    const DAY_MS: i64 = 24 * HOUR_MS;

    fn key(number: usize) -> RoomKey {
        PackedId::of(&number.to_string()).map_or(RoomKey::Long(0), RoomKey::Packed)
    }

    fn room(ts: i64, department: u32, waiting: bool) -> Room {
        Room { ts: Timestamp::from_millis(ts), department: DepartmentSlot(department), waiting }
    }

    fn counted(buckets: &Buckets, from: i64, to: i64, only: Option<u32>) -> BTreeMap<u32, (i64, i64)> {
        let mut found = BTreeMap::<u32, (i64, i64)>::new();
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        buckets.count(from, to, only.map(DepartmentSlot), |slot, count| {
            let sum = found.entry(slot.0).or_default();
            *sum = (sum.0 + count.rooms, sum.1 + count.waiting);
        });
        found.retain(|_, sum| *sum != (0, 0));
        found
    }

    fn recounted(rooms: &[Room], from: i64, to: i64, only: Option<u32>) -> BTreeMap<u32, (i64, i64)> {
        let mut found = BTreeMap::<u32, (i64, i64)>::new();
        for room in rooms {
            let inside = (from..=to).contains(&room.ts.as_millis());
            if inside && only.is_none_or(|wanted| wanted == room.department.0) {
                let sum = found.entry(room.department.0).or_default();
                *sum = (sum.0 + 1, sum.1 + i64::from(room.waiting));
            }
        }
        found
    }

    #[test]
    fn a_range_includes_both_of_its_ends_and_nothing_beside_them() {
        let mut buckets = Buckets::default();
        for ts in [-1, 0, 1, HOUR_MS - 1, HOUR_MS, DAY_MS, 32 * DAY_MS - 1, 32 * DAY_MS] {
            buckets.add(key(0), room(ts, 1, false));
        }
        for (from, to, rooms) in [
            (0, 0, 1),
            (1, HOUR_MS - 1, 2),
            (0, HOUR_MS, 4),
            (-1, 32 * DAY_MS, 8),
            (-1, 32 * DAY_MS - 1, 7),
            (i64::MIN, i64::MAX, 8),
        ] {
            assert_eq!(counted(&buckets, from, to, None)[&1].0, rooms, "{from}..={to}");
        }
        assert!(counted(&buckets, 2, 1, None).is_empty());
        assert!(counted(&buckets, i64::MAX, i64::MIN, None).is_empty());
    }

    /// How many cells of sums are looked at for a question.
    fn looked_at(buckets: &Buckets, from: i64, to: i64, only: Option<u32>) -> usize {
        let before = LOOKED_AT.get();
        counted(buckets, from, to, only);
        LOOKED_AT.get() - before
    }

    #[test]
    fn a_question_for_one_department_looks_at_no_other_in_the_sums() {
        const DEPARTMENTS: u32 = 100_000;
        const DAYS: i64 = 70;
        let mut buckets = Buckets::unsummed();
        for number in 0..2 * DEPARTMENTS {
            let ts = i64::from(number) * (DAYS * DAY_MS) / i64::from(2 * DEPARTMENTS);
            buckets.add(key(0), room(ts, number.wrapping_mul(7_919) % DEPARTMENTS, false));
        }
        buckets.sum_up();
        // All; with a part of an hour, some hours and days left at both ends; one day, one hour.
        let ends = [(0, DAYS * DAY_MS - 1), (DAY_MS + 5 * HOUR_MS + 1, 65 * DAY_MS + 9 * HOUR_MS + 7)];
        for (from, to) in ends.into_iter().chain([(DAY_MS, 2 * DAY_MS - 1), (0, HOUR_MS - 1)]) {
            let mut sums = 0;
            let hours = (from + HOUR_MS - 1).div_euclid(HOUR_MS)..(to + 1).div_euclid(HOUR_MS);
            for (&number, span) in &buckets.spans {
                span.cover(number * SPAN_HOURS, &hours, &mut |_, _| sums += 1);
            }
            assert!((1..=120).contains(&sums), "{from}..={to}: {sums} sums");
            // What a department may stand behind in a table four fifths of which are taken.
            let most = 40 * sums;
            for only in [0, 1, DEPARTMENTS / 2, DEPARTMENTS - 1, DEPARTMENTS] {
                let looked = looked_at(&buckets, from, to, Some(only));
                assert!(looked <= most, "{only}, {from}..={to}: {looked} cells of {sums} sums");
            }
        }
        assert!(looked_at(&buckets, 0, DAYS * DAY_MS, None) >= DEPARTMENTS as usize);
    }

    /// Buckets and, beside them, the same rooms in a list with their places.
    #[derive(Default)]
    struct Beside {
        buckets: Buckets,
        rooms: Vec<(Place, RoomKey, Room)>,
        added: usize,
    }

    impl Beside {
        fn add(&mut self, room: Room) {
            let key = key(self.added);
            self.added += 1;
            self.rooms.push((self.buckets.add(key, room), key, room));
        }

        fn take_back(&mut self, at: usize) {
            let (place, ..) = self.rooms.swap_remove(at);
            if let Some(Moved { key, from, to }) = self.buckets.take_back(place) {
                let moved = self.rooms.iter_mut().find(|(place, ..)| *place == from).unwrap();
                assert_eq!((moved.1, to), (key, place));
                moved.0 = to;
            }
        }

        fn restate(&mut self, at: usize, room: Room) {
            if self.buckets.restate(self.rooms[at].0, room) {
                self.rooms[at].2 = room;
            } else {
                self.take_back(at);
                self.add(room);
            }
        }

        fn check(&self) {
            for &(place, key, room) in &self.rooms {
                assert_eq!((self.buckets.key(place), self.buckets.room(place)), (key, room));
            }
            let newest = self.rooms.iter().map(|(.., room)| room.ts).max();
            assert_eq!(self.buckets.newest(), newest);
            let mut walked = 0;
            assert!(self.buckets.walk(&mut WalkCursor::default(), usize::MAX, |_, _| walked += 1));
            assert_eq!(walked, self.rooms.len());
        }
    }

    #[test]
    fn what_is_taken_back_leaves_nothing_behind() {
        let mut beside = Beside::default();
        (0..100).for_each(|ms| beside.add(room(ms % 7, 1, true)));
        let pages = format!("{:?}", beside.buckets.records).len();
        (0..100).for_each(|_| beside.take_back(0));
        assert!(beside.buckets.spans.is_empty());
        assert_eq!(beside.buckets.newest(), None);
        (0..100).for_each(|ms| beside.add(room(ms * HOUR_MS / 50, 1, true)));
        beside.check();
        // Blocks are used again.
        assert!(format!("{:?}", beside.buckets.records).len() < pages * 2);
    }

    fn rooms() -> impl Strategy<Value = Room> {
        (prop_oneof![-3 * DAY_MS..80 * DAY_MS, 0..3 * HOUR_MS], 0..4_u32, any::<bool>())
            .prop_map(|(ts, department, waiting)| room(ts, department, waiting))
    }

    proptest! {
        #[test]
        fn every_range_agrees_with_a_recount(
            rooms in prop::collection::vec(rooms(), 0..120),
            removed in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(rooms())), 0..60),
            ranges in prop::collection::vec((-4 * DAY_MS..90 * DAY_MS, -4 * DAY_MS..90 * DAY_MS), 8),
        ) {
            let mut beside = Beside::default();
            rooms.iter().for_each(|&room| beside.add(room));
            for (index, room) in removed {
                if !beside.rooms.is_empty() {
                    let at = index.index(beside.rooms.len());
                    match room {
                        Some(room) => beside.restate(at, room),
                        None => beside.take_back(at),
                    }
                }
            }
            beside.check();
            let buckets = beside.buckets;
            let left: Vec<_> = beside.rooms.iter().map(|&(.., room)| room).collect();
            let edges = left.iter().map(|room| room.ts.as_millis());
            let at_edges: Vec<_> = edges.clone().zip(edges.rev()).collect();
            for (from, to) in ranges.into_iter().chain(at_edges) {
                for only in [None, Some(0), Some(2)] {
                    prop_assert_eq!(counted(&buckets, from, to, only), recounted(&left, from, to, only));
                }
            }
        }
    }
}
