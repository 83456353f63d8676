//! Rooms by time: how many did each department get between two instants?
//!
//! Owns the time-bucketed counters. Sums per department stand ready for hours,
//! days and spans of 32 days; a range is covered by as few whole buckets as
//! possible, and only what sticks out at its two ends, less than an hour each,
//! is looked at room by room. Invariant: every sum equals the rooms below it,
//! so the answer is exact to the millisecond whatever the range.

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashMap;

use crate::room::{DepartmentSlot, Room, Timestamp};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Finest first; each width is a multiple of the one before it.
const WIDTHS_MS: [i64; 3] = [HOUR_MS, DAY_MS, 32 * DAY_MS];

/// How many rooms, and how many of them wait for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Rooms, waiting or not.
    pub rooms: u64,
    /// Those of them whose visitor waits.
    pub waiting: u64,
}

impl Count {
    fn of(rooms: u64, waiting: bool) -> Self {
        Self { rooms, waiting: if waiting { rooms } else { 0 } }
    }
}

type Sums = HashMap<DepartmentSlot, Count>;

/// The rooms that count, arranged by time.
#[derive(Debug)]
pub struct Buckets {
    /// How many rooms share instant, department and state. However many rooms
    /// fall on one instant, each is added and taken back in logarithmic time.
    rooms: BTreeMap<(Timestamp, DepartmentSlot, bool), u64>,
    levels: [Level; WIDTHS_MS.len()],
}

/// Sums over buckets of one width.
#[derive(Debug)]
struct Level {
    width_ms: i64,
    /// By the bucket's number: its first millisecond divided by the width.
    buckets: BTreeMap<i64, Sums>,
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            rooms: BTreeMap::new(),
            levels: WIDTHS_MS.map(|width_ms| Level { width_ms, buckets: BTreeMap::new() }),
        }
    }
}

impl Buckets {
    /// Counts a room in.
    pub fn add(&mut self, room: Room) {
        *self.rooms.entry((room.ts, room.department, room.waiting)).or_insert(0) += 1;
        for level in &mut self.levels {
            level.add(room);
        }
    }

    /// Takes back a room that was counted in exactly so.
    pub fn take_back(&mut self, room: Room) {
        let key = (room.ts, room.department, room.waiting);
        match self.rooms.get_mut(&key) {
            Some(rooms) if *rooms > 1 => *rooms -= 1,
            Some(_) => {
                self.rooms.remove(&key);
            }
            None => {
                debug_assert!(false, "a room is taken back that was never counted in");
                return;
            }
        }
        for level in &mut self.levels {
            level.take_back(room);
        }
    }

    /// Calls `each` with the rooms of every department that has some between the
    /// two instants, both included; a department may come in several parts.
    /// With `only`, other departments are passed over.
    pub fn count(
        &self,
        from: Timestamp,
        to: Timestamp,
        only: Option<DepartmentSlot>,
        mut each: impl FnMut(DepartmentSlot, Count),
    ) {
        let range = from.max(Timestamp::MIN).as_millis()..to.min(Timestamp::MAX).as_millis() + 1;
        self.cover(WIDTHS_MS.len(), range, only, &mut each);
    }

    /// The creation of the newest room that counts.
    pub fn newest(&self) -> Option<Timestamp> {
        self.rooms.last_key_value().map(|(&(ts, ..), _)| ts)
    }

    /// Covers a range by whole buckets of the coarsest of the first `levels`
    /// levels, and what sticks out at both ends by the finer ones.
    fn cover(
        &self,
        levels: usize,
        range_ms: Range<i64>,
        only: Option<DepartmentSlot>,
        each: &mut dyn FnMut(DepartmentSlot, Count),
    ) {
        if range_ms.is_empty() {
            return;
        }
        let Some((level, _)) = self.levels[..levels].split_last() else {
            return self.room_by_room(range_ms, only, each);
        };
        let whole = level.whole_buckets(&range_ms);
        if whole.is_empty() {
            return self.cover(levels - 1, range_ms, only, each);
        }
        self.cover(levels - 1, range_ms.start..whole.start * level.width_ms, only, each);
        level.sum(whole.clone(), only, each);
        self.cover(levels - 1, whole.end * level.width_ms..range_ms.end, only, each);
    }

    fn room_by_room(
        &self,
        range_ms: Range<i64>,
        only: Option<DepartmentSlot>,
        each: &mut dyn FnMut(DepartmentSlot, Count),
    ) {
        let first = |ms| (Timestamp::from_millis(ms), DepartmentSlot::NONE, false);
        for (&(_, slot, waiting), &rooms) in self.rooms.range(first(range_ms.start)..first(range_ms.end)) {
            if only.is_none_or(|wanted| wanted == slot) {
                each(slot, Count::of(rooms, waiting));
            }
        }
    }
}

impl Level {
    fn add(&mut self, room: Room) {
        let bucket = self.buckets.entry(room.ts.as_millis().div_euclid(self.width_ms)).or_default();
        let sum = bucket.entry(room.department).or_default();
        sum.rooms += 1;
        sum.waiting += u64::from(room.waiting);
    }

    fn take_back(&mut self, room: Room) {
        let number = room.ts.as_millis().div_euclid(self.width_ms);
        let Some(bucket) = self.buckets.get_mut(&number) else { return };
        if let Some(sum) = bucket.get_mut(&room.department) {
            sum.rooms -= 1;
            sum.waiting -= u64::from(room.waiting);
            if sum.rooms == 0 {
                bucket.remove(&room.department);
            }
        }
        if bucket.is_empty() {
            self.buckets.remove(&number);
        }
    }

    /// The numbers of the buckets that lie wholly inside the range.
    fn whole_buckets(&self, range_ms: &Range<i64>) -> Range<i64> {
        let first = (range_ms.start + self.width_ms - 1).div_euclid(self.width_ms);
        first..range_ms.end.div_euclid(self.width_ms)
    }

    fn sum(
        &self,
        numbers: Range<i64>,
        only: Option<DepartmentSlot>,
        each: &mut dyn FnMut(DepartmentSlot, Count),
    ) {
        for sums in self.buckets.range(numbers).map(|(_, sums)| sums) {
            match only {
                Some(slot) => sums.get(&slot).into_iter().for_each(|&count| each(slot, count)),
                None => sums.iter().for_each(|(&slot, &count)| each(slot, count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn room(ts: i64, department: u32, waiting: bool) -> Room {
        Room { ts: Timestamp::from_millis(ts), department: DepartmentSlot(department), waiting }
    }

    fn counted(buckets: &Buckets, from: i64, to: i64, only: Option<u32>) -> BTreeMap<u32, (u64, u64)> {
        let mut found = BTreeMap::<u32, (u64, u64)>::new();
        let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
        buckets.count(from, to, only.map(DepartmentSlot), |slot, count| {
            let sum = found.entry(slot.0).or_default();
            *sum = (sum.0 + count.rooms, sum.1 + count.waiting);
        });
        found
    }

    fn recounted(rooms: &[Room], from: i64, to: i64, only: Option<u32>) -> BTreeMap<u32, (u64, u64)> {
        let mut found = BTreeMap::<u32, (u64, u64)>::new();
        for room in rooms {
            let inside = (from..=to).contains(&room.ts.as_millis());
            if inside && only.is_none_or(|wanted| wanted == room.department.0) {
                let sum = found.entry(room.department.0).or_default();
                *sum = (sum.0 + 1, sum.1 + u64::from(room.waiting));
            }
        }
        found
    }

    #[test]
    fn a_range_includes_both_of_its_ends_and_nothing_beside_them() {
        let mut buckets = Buckets::default();
        for ts in [-1, 0, 1, HOUR_MS - 1, HOUR_MS, DAY_MS, 32 * DAY_MS - 1, 32 * DAY_MS] {
            buckets.add(room(ts, 1, false));
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

    #[test]
    fn what_is_taken_back_leaves_nothing_behind() {
        let mut buckets = Buckets::default();
        for _ in 0..2 {
            buckets.add(room(5, 1, true));
        }
        for _ in 0..2 {
            buckets.take_back(room(5, 1, true));
        }
        assert!(buckets.rooms.is_empty());
        assert!(buckets.levels.iter().all(|level| level.buckets.is_empty()));
    }

    proptest! {
        #[test]
        fn every_range_agrees_with_a_recount(
            rooms in prop::collection::vec(
                (prop_oneof![-3 * DAY_MS..80 * DAY_MS, 0..3 * HOUR_MS], 0..4_u32, any::<bool>())
                    .prop_map(|(ts, department, waiting)| room(ts, department, waiting)),
                0..120,
            ),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
            ranges in prop::collection::vec((-4 * DAY_MS..90 * DAY_MS, -4 * DAY_MS..90 * DAY_MS), 8),
        ) {
            let mut buckets = Buckets::default();
            rooms.iter().for_each(|&room| buckets.add(room));
            let mut left = rooms.clone();
            for index in removed {
                if !left.is_empty() {
                    buckets.take_back(left.swap_remove(index.index(left.len())));
                }
            }
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
