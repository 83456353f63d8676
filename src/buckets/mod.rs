//! Rooms by time: how many did each department get between two instants?
//!
//! Owns the rooms, each once, in its hour, and the time-bucketed counters. Sums
//! per department stand ready for hours and for five coarser levels; a range is
//! made of few of them, some added and some taken away, and only what
//! sticks out at its two ends, less than an hour each, is looked at room by room.
//! Invariant: every sum equals the rooms below it, so the answer is exact to the
//! millisecond whatever the range; a bucket without a room does not exist.
//!
//! Adding, changing and removing cost the same however many rooms share an hour.

mod cut;
mod dense;
mod fetch;
mod hour;
mod range;
mod record;
mod records;
mod shares;
mod span;
mod sparse;
mod sums;
mod totals;
mod walk;
mod whole;

use std::collections::BTreeMap;

use crate::room::{DepartmentSlot, PackedId, Room, RoomKey, Timestamp};

use cut::{SCANS_MAX, Scan};
use fetch::fetch_all;
use hour::Hour;
use range::{End, Parts};
use record::{HourNumber, Mark, Record};
use records::Records;
use shares::Shares;
use span::{ERA_HOURS, Era};
use totals::Sign;
use whole::Cover;

pub use fetch::AT_ONCE;
pub use records::Place;
pub use sums::Sum;
use sums::Sums;
pub use totals::{Rank, Totals};
pub use walk::WalkCursor;

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
/// era of 512 days ──────── sums
///   └ span of 64 days ──── sums, and those of every 8 days
///       └ day ──────────── sums, and those of every 6 hours
///           └ hour ─────── sums, those of its quarters, and the lists of its blocks of records
/// ```
#[derive(Debug)]
pub struct Buckets {
    records: Records,
    /// By the era's number, see [`HourNumber::era`].
    eras: BTreeMap<i64, Box<Era>>,
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
        Self { records: Records::default(), eras: BTreeMap::new(), is_summed: false }
    }

    /// Adds all rooms up, if they are not; sums are kept from now on.
    pub fn sum_up(&mut self) {
        if std::mem::replace(&mut self.is_summed, true) {
            return;
        }
        let mut shares = Shares::default();
        self.eras.values_mut().for_each(|era| era.sum_up(&self.records, &mut shares));
    }

    /// Counts a room in.
    pub fn add(&mut self, key: RoomKey, room: Room) -> Place {
        let number = HourNumber::of(room.ts);
        let era = self.eras.entry(number.era()).or_default();
        let record = Record::new(key, room);
        if !self.is_summed {
            return era.hour_mut(number).push(&mut self.records, number, record).1;
        }
        let hour = era.add(number, room);
        if hour.wants_quarters() {
            hour.sum_up_quarters(&self.records, &mut Shares::default());
        }
        let (part, place) = hour.push(&mut self.records, number, record);
        hour.each_sums(part, |sums| sums.add(room));
        place
    }

    /// The same for many, as long as no sums are kept; quickest where many of one hour
    /// follow each other. `each` is told where they stand, in their order.
    pub fn add_unsummed(&mut self, rooms: &[(RoomKey, Room)], mut each: impl FnMut(RoomKey, Place)) {
        debug_assert!(!self.is_summed, "these rooms would be missing from the sums");
        for rooms in rooms.chunk_by(|(_, one), (_, other)| HourNumber::of(one.ts) == HourNumber::of(other.ts))
        {
            let number = HourNumber::of(rooms[0].1.ts);
            let era = self.eras.entry(number.era()).or_default();
            era.hour_mut(number).extend(&mut self.records, number, rooms, &mut each);
        }
    }

    /// Takes a room back. The last record beside it takes the place.
    pub fn take_back(&mut self, place: Place) -> Option<Moved> {
        let owner = self.records.owner_of(place);
        let number = owner.hour();
        let room = self.records.mark(place).room(number);
        let era = self.eras.get_mut(&number.era())?;
        if self.is_summed {
            era.each_sums(number, owner.part(), |sums| sums.take_back(room));
        }
        let from = era.remove(&mut self.records, number, place);
        if era.is_empty() {
            self.eras.remove(&number.era());
        }
        from.map(|from| Moved { key: self.records.at(place).key(), from, to: place })
    }

    /// Changes a room where it stands; false, and nothing done, if it belongs
    /// elsewhere now.
    #[must_use]
    pub fn restate(&mut self, place: Place, room: Room) -> bool {
        let owner = self.records.owner_of(place);
        let number = owner.hour();
        let record = self.records.at(place);
        let restated = Record::new(record.key(), room);
        if number != HourNumber::of(room.ts) || !Hour::may_hold(owner.part(), restated.mark) {
            return false;
        }
        let before = record.room(number);
        self.records.set(place, restated);
        if !self.is_summed {
            return true;
        }
        let Some(era) = self.eras.get_mut(&number.era()) else { return true };
        if before.department != room.department {
            era.each_sums(number, owner.part(), |sums| {
                sums.add(room);
                sums.take_back(before);
            });
        } else if before.waiting != room.waiting {
            era.each_sums(number, owner.part(), |sums| sums.set_waiting(room.department, room.waiting));
        }
        true
    }

    /// The bits of the id at this place, if it is a packed one and they tell so themselves.
    #[inline]
    pub fn packed_bits(&self, place: Place) -> Option<[u64; 2]> {
        self.records.packed_bits(place)
    }

    /// The room at this place.
    pub fn room(&self, place: Place) -> Room {
        self.records.mark(place).room(self.records.owner_of(place).hour())
    }

    /// Whose record stands at this place.
    pub fn key(&self, place: Place) -> RoomKey {
        self.records.at(place).key()
    }

    /// Whether this packed id's record stands at this place.
    pub fn is_at(&self, place: Place, packed: PackedId) -> bool {
        self.records.has_bits(place, packed.bits()) && self.key(place) == RoomKey::Packed(packed)
    }

    /// Adds up the rooms of every department between two instants, both included;
    /// `wanted` says what of each sum counts. No slot is `slots` or more.
    pub fn count(
        &self,
        from: Timestamp,
        to: Timestamp,
        slots: usize,
        wanted: impl Fn(Sum) -> u32 + Copy,
        totals: &mut Totals,
    ) {
        totals.begin(slots);
        let (cover, scans) = self.cover(from, to);
        // All of it is far away, and comes at the same time; what each of these needs to know is
        // fetched by one before.
        cover.iter().for_each(|(sums, _)| fetch_all(std::slice::from_ref(*sums)));
        scans.iter().for_each(Scan::fetch_parts);
        scans.iter().for_each(Scan::fetch_blocks);
        for (sums, _) in &cover {
            if let Sums::Dense(dense) = sums {
                dense.fetch_all();
            }
        }
        scans.iter().for_each(|scan| scan.fetch_marks(&self.records));
        for (sums, sign) in cover {
            totals.add(sums, sign, wanted);
        }
        for scan in scans {
            for marks in scan.marks(&self.records) {
                totals.add_rooms(marks, &scan.ms, scan.sign, wanted);
            }
        }
    }

    /// The same for one department; other ones' sums are not looked at.
    pub fn count_of(
        &self,
        department: DepartmentSlot,
        from: Timestamp,
        to: Timestamp,
        wanted: impl Fn(Sum) -> u32 + Copy,
    ) -> u32 {
        let mut total = 0;
        let (cover, scans) = self.cover(from, to);
        for (sums, sign) in cover {
            sign.add(&mut total, sums.of(department).map_or(0, wanted));
        }
        for scan in scans {
            let marks = scan.marks(&self.records).flatten();
            let is_it =
                |mark: &&Mark| mark.department() == department && scan.ms.contains(&mark.ms_of_hour());
            marks.filter(is_it).for_each(|mark| scan.sign.add(&mut total, wanted(mark.sum())));
        }
        total
    }

    /// The creation of the newest room that counts.
    pub fn newest(&self) -> Option<Timestamp> {
        let (number, hour) = self.last_hour()?;
        hour.marks(&self.records).map(|mark| mark.room(number).ts).max()
    }

    /// The sums that a range is made of, and the records that are to be looked at.
    fn cover(&self, from: Timestamp, to: Timestamp) -> (Cover<'_>, Vec<Scan<'_>>) {
        let (mut cover, mut scans) = (Cover::with_capacity(64), Vec::with_capacity(SCANS_MAX));
        let Some(Parts { whole, ends }) = Parts::of(from, to) else { return (cover, scans) };
        if !whole.is_empty() {
            let eras = HourNumber(whole.start).era()..=HourNumber(whole.end - 1).era();
            for (&number, era) in self.eras.range(eras) {
                era.cover(number * ERA_HOURS, &whole, Sign::Plus, &mut cover);
            }
        }
        for End { hour: number, ms } in ends.into_iter().flatten() {
            if let Some(hour) = self.eras.get(&number.era()).and_then(|era| era.hour(number)) {
                hour.cover(ms, &mut cover, &mut scans);
            }
        }
        debug_assert!(scans.len() <= SCANS_MAX, "a question takes more memory than it is said to");
        (cover, scans)
    }

    fn first_hour_from(&self, number: HourNumber) -> Option<(HourNumber, &Hour)> {
        let eras = self.eras.range(number.era()..);
        eras.flat_map(|(&era, below)| below.hours_from(era * ERA_HOURS, number)).next()
    }

    fn last_hour(&self) -> Option<(HourNumber, &Hour)> {
        let (&number, era) = self.eras.last_key_value()?;
        era.last_hour(number * ERA_HOURS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::buckets::record::HOUR_MS;
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

    fn counted(buckets: &Buckets, from: i64, to: i64, only: Option<u32>) -> BTreeMap<u32, (u32, u32)> {
        let mut found = BTreeMap::<u32, (u32, u32)>::new();
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        if let Some(only) = only {
            let of = |wanted: fn(Sum) -> u32| buckets.count_of(DepartmentSlot(only), from, to, wanted);
            found.insert(only, (of(|sum| sum.rooms), of(|sum| sum.waiting)));
        } else {
            let (all, mut totals) = ([0, 1, 2, 3].map(DepartmentSlot), Totals::default());
            buckets.count(from, to, all.len(), |sum| sum.rooms, &mut totals);
            for (Rank(slot), rooms) in totals.take(&all, |slot| Rank(slot.0)) {
                found.entry(slot).or_default().0 = rooms;
            }
            buckets.count(from, to, all.len(), |sum| sum.waiting, &mut totals);
            for (Rank(slot), waiting) in totals.take(&all, |slot| Rank(slot.0)) {
                found.entry(slot).or_default().1 = waiting;
            }
        }
        found.retain(|_, sum| *sum != (0, 0));
        found
    }

    fn recounted(rooms: &[Room], from: i64, to: i64, only: Option<u32>) -> BTreeMap<u32, (u32, u32)> {
        let mut found = BTreeMap::<u32, (u32, u32)>::new();
        for room in rooms {
            let inside = (from..=to).contains(&room.ts.as_millis());
            if inside && only.is_none_or(|wanted| wanted == room.department.0) {
                let sum = found.entry(room.department.0).or_default();
                *sum = (sum.0 + 1, sum.1 + u32::from(room.waiting));
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
    fn looked_at(buckets: &Buckets, from: i64, to: i64, only: u32) -> usize {
        let before = LOOKED_AT.get();
        counted(buckets, from, to, Some(only));
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
            let (from_ts, to_ts) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
            let sums = buckets.cover(from_ts, to_ts).0.len();
            assert!((1..=40).contains(&sums), "{from}..={to}: {sums} sums");
            // What a department may stand behind in a table four fifths of which are taken.
            let most = 40 * sums;
            for only in [0, 1, DEPARTMENTS / 2, DEPARTMENTS - 1, DEPARTMENTS] {
                let looked = looked_at(&buckets, from, to, only);
                assert!(looked <= most, "{only}, {from}..={to}: {looked} cells of {sums} sums");
            }
        }
        let before = LOOKED_AT.get();
        buckets.count(
            Timestamp::MIN,
            Timestamp::MAX,
            DEPARTMENTS as usize,
            |sum| sum.rooms,
            &mut Totals::default(),
        );
        assert!(LOOKED_AT.get() - before >= DEPARTMENTS as usize);
    }

    #[test]
    fn an_end_of_a_range_looks_at_the_rooms_without_order_and_at_one_eighth() {
        const EIGHTH_ROOMS: u32 = 10;
        let mut loaded = Buckets::unsummed();
        let mut counted = Buckets::default();
        for number in 0..8 * EIGHTH_ROOMS {
            let ts = i64::from(number * 37 % (8 * EIGHTH_ROOMS)) * HOUR_MS / i64::from(8 * EIGHTH_ROOMS);
            loaded.add(key(0), room(ts, 1, false));
            counted.add(key(0), room(ts, 1, false));
        }
        loaded.sum_up();
        for (buckets, ms) in
            [loaded, counted].iter().flat_map(|buckets| (0..60).map(move |ms| (buckets, ms * 60_000)))
        {
            let (_, scans) = buckets.cover(Timestamp::from_millis(ms + 1), Timestamp::MAX);
            let looked_at: usize =
                scans.iter().flat_map(|scan| scan.marks(&buckets.records)).map(<[_]>::len).sum();
            assert!(looked_at <= hour::MIXED_MAX as usize + EIGHTH_ROOMS as usize, "{looked_at} from {ms}");
        }
    }

    #[test]
    fn what_a_question_leaves_that_ends_in_a_panic_is_no_part_of_the_next() {
        let mut buckets = Buckets::default();
        (0..100).for_each(|number| _ = buckets.add(key(0), room(5, number, true)));
        let all: Vec<_> = (0..100).map(DepartmentSlot).collect();
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let mut totals = Totals::default();
        let (asked, question) = (std::cell::Cell::new(0), &mut totals);
        let breaks = |sum: Sum| {
            asked.set(asked.get() + 1);
            assert!(asked.get() < 50, "as wanted by the test");
            sum.rooms
        };
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            buckets.count(from, to, all.len(), breaks, question);
        }));
        assert!(ended.is_err());
        buckets.count(from, to, all.len(), |sum| sum.rooms, &mut totals);
        let taken = totals.take(&all, |slot| Rank(slot.0));
        assert_eq!(taken.into_iter().map(|(_, total)| total).sum::<u32>(), 100);
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
        assert!(beside.buckets.eras.is_empty());
        assert_eq!(beside.buckets.newest(), None);
        (0..100).for_each(|ms| beside.add(room(HOUR_MS + ms % 7, 1, true)));
        beside.check();
        // Blocks are used again.
        assert!(format!("{:?}", beside.buckets.records).len() < pages * 2);
    }

    fn rooms() -> impl Strategy<Value = Room> {
        let instant = prop_oneof![2 => -3 * DAY_MS..80 * DAY_MS, 2 => 0..2 * HOUR_MS, 3 => 0..HOUR_MS];
        (instant, 0..4_u32, any::<bool>()).prop_map(|(ts, department, waiting)| room(ts, department, waiting))
    }

    /// Ends anywhere, and ends in one hour that has many rooms, by its eighths or beside them.
    fn range() -> impl Strategy<Value = (i64, i64)> {
        let anywhere = || -4 * DAY_MS..90 * DAY_MS;
        let in_hour = || {
            prop_oneof![
                0..HOUR_MS,
                (0..=8_i64, -1..=1_i64).prop_map(|(eighth, ms)| eighth * HOUR_MS / 8 + ms)
            ]
        };
        prop_oneof![(anywhere(), anywhere()), (in_hour(), in_hour()), (in_hour(), anywhere())]
    }

    proptest! {
        #[test]
        fn every_range_agrees_with_a_recount(
            rooms in prop::collection::vec(rooms(), 0..120),
            removed in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(rooms())), 0..60),
            ranges in prop::collection::vec(range(), 16),
            is_loaded in any::<bool>(),
        ) {
            let mut beside = Beside::default();
            if is_loaded {
                beside.buckets = Buckets::unsummed();
            }
            rooms.iter().for_each(|&room| beside.add(room));
            beside.buckets.sum_up();
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
