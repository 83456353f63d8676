//! Sums by slot, for a bucket in which most departments have rooms.
//!
//! Owns how wide they are: as narrow as the largest of them allows, since a row of an
//! hour is read from far memory. Rooms and those waiting stand in turns of 16, so that a
//! question reads many at a time, and a room changes one line of memory. Invariant: a
//! slot behind the end has no rooms.

use prefetch_index::prefetch_index;

use crate::buckets::fetch::fetch_all;
use crate::buckets::sums::Sum;

/// Slots that stand together; there are always whole lanes.
pub(super) const LANE: usize = 16;

/// A sum for every slot, with rooms or without.
#[derive(Debug)]
pub(super) struct Dense {
    sums: Width,
    used: usize,
}

#[derive(Debug)]
enum Width {
    Bytes(Vec<Lane<u8>>),
    Words(Vec<Lane<u16>>),
    Longs(Vec<Lane<u32>>),
}

#[derive(Debug, Clone, Copy, Default)]
struct Lane<N> {
    rooms: [N; LANE],
    waiting: [N; LANE],
}

impl<N: Copy> Lane<N> {
    fn map<M>(&self, wider: impl Fn(N) -> M) -> Lane<M> {
        Lane { rooms: self.rooms.map(&wider), waiting: self.waiting.map(&wider) }
    }

    fn get(&self, at: usize) -> Sum
    where
        N: Into<u32>,
    {
        Sum { rooms: self.rooms[at].into(), waiting: self.waiting[at].into() }
    }

    /// How many rooms there were before; none, and nothing done, if one more is too many.
    #[inline]
    fn add_room(&mut self, at: usize, waiting: bool) -> Option<u32>
    where
        N: Into<u32> + TryFrom<u32>,
    {
        let Sum { rooms, waiting: those_waiting } = self.get(at);
        let more = N::try_from(rooms.checked_add(1)?).ok()?;
        // No more wait than there are.
        let those_waiting = N::try_from(those_waiting + u32::from(waiting)).ok()?;
        (self.rooms[at], self.waiting[at]) = (more, those_waiting);
        Some(rooms)
    }

    /// False, and nothing done, if it is too large.
    fn set(&mut self, at: usize, sum: Sum) -> bool
    where
        N: TryFrom<u32>,
    {
        match (N::try_from(sum.rooms), N::try_from(sum.waiting)) {
            (Ok(rooms), Ok(waiting)) => {
                (self.rooms[at], self.waiting[at]) = (rooms, waiting);
                true
            }
            _ => false,
        }
    }
}

fn place(slot: u32) -> (usize, usize) {
    (slot as usize / LANE, slot as usize % LANE)
}

impl Dense {
    /// No rooms, and room for these slots at least.
    pub(super) fn of(slots: usize) -> Self {
        Self { sums: Width::Bytes(vec![Lane::default(); slots.div_ceil(LANE)]), used: 0 }
    }

    pub(super) fn slots(&self) -> usize {
        let lanes = match &self.sums {
            Width::Bytes(lanes) => lanes.len(),
            Width::Words(lanes) => lanes.len(),
            Width::Longs(lanes) => lanes.len(),
        };
        lanes * LANE
    }

    /// How many departments have a room.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Bytes of one slot.
    pub(super) fn slot_bytes(&self) -> usize {
        match &self.sums {
            Width::Bytes(_) => 2,
            Width::Words(_) => 4,
            Width::Longs(_) => 8,
        }
    }

    /// Makes so many slots at least. Doubling would waste more than it saves.
    pub(super) fn extend(&mut self, slots: usize) {
        fn extend<N: Copy + Default>(lanes: &mut Vec<Lane<N>>, slots: usize) {
            let wanted = slots.div_ceil(LANE);
            lanes.reserve_exact(wanted - lanes.len() + wanted / 16);
            lanes.resize(wanted, Lane::default());
        }
        match &mut self.sums {
            Width::Bytes(lanes) => extend(lanes, slots),
            Width::Words(lanes) => extend(lanes, slots),
            Width::Longs(lanes) => extend(lanes, slots),
        }
    }

    pub(super) fn get(&self, slot: u32) -> Sum {
        let (lane, at) = place(slot);
        let sum = match &self.sums {
            Width::Bytes(lanes) => lanes.get(lane).map(|lane| lane.get(at)),
            Width::Words(lanes) => lanes.get(lane).map(|lane| lane.get(at)),
            Width::Longs(lanes) => lanes.get(lane).map(|lane| lane.get(at)),
        };
        sum.unwrap_or_default()
    }

    /// Has this slot's sum fetched.
    pub(super) fn fetch(&self, slot: u32) {
        let (lane, _) = place(slot);
        match &self.sums {
            Width::Bytes(lanes) => prefetch_index(lanes, lane),
            Width::Words(lanes) => prefetch_index(lanes, lane),
            Width::Longs(lanes) => prefetch_index(lanes, lane),
        }
    }

    /// Has all sums fetched.
    pub(super) fn fetch_all(&self) {
        match &self.sums {
            Width::Bytes(lanes) => fetch_all(lanes),
            Width::Words(lanes) => fetch_all(lanes),
            // Those that wait lie on a line of their own, and are seldom asked for.
            Width::Longs(lanes) => fetch_all(lanes),
        }
    }

    /// Adds one room to a slot; false, and nothing done, if it is not there.
    #[inline]
    pub(super) fn add_room(&mut self, slot: u32, waiting: bool) -> bool {
        let (lane, at) = place(slot);
        let add = |lanes: &mut Self| match &mut lanes.sums {
            Width::Bytes(lanes) => lanes.get_mut(lane).map(|lane| lane.add_room(at, waiting)),
            Width::Words(lanes) => lanes.get_mut(lane).map(|lane| lane.add_room(at, waiting)),
            Width::Longs(lanes) => lanes.get_mut(lane).map(|lane| lane.add_room(at, waiting)),
        };
        loop {
            match add(self) {
                Some(Some(before)) => {
                    self.used += usize::from(before == 0);
                    return true;
                }
                Some(None) => self.widen(),
                None => return false,
            }
        }
    }

    /// Makes the sum of a slot that is there this one.
    pub(super) fn set(&mut self, slot: u32, sum: Sum) {
        let before = self.get(slot).rooms;
        self.used = self.used + usize::from(sum.rooms > 0) - usize::from(before > 0);
        let (lane, at) = place(slot);
        loop {
            let is_set = match &mut self.sums {
                Width::Bytes(lanes) => lanes[lane].set(at, sum),
                Width::Words(lanes) => lanes[lane].set(at, sum),
                Width::Longs(lanes) => lanes[lane].set(at, sum),
            };
            if is_set {
                return;
            }
            self.widen();
        }
    }

    fn widen(&mut self) {
        match &self.sums {
            Width::Bytes(lanes) => {
                self.sums = Width::Words(lanes.iter().map(|lane| lane.map(u16::from)).collect());
            }
            Width::Words(lanes) => {
                self.sums = Width::Longs(lanes.iter().map(|lane| lane.map(u32::from)).collect());
            }
            Width::Longs(_) => {}
        }
    }

    /// Calls `add` with each total and what there is to be added to it. `totals` has all
    /// slots.
    #[inline]
    pub(super) fn add_to(&self, totals: &mut [u32], add: impl Fn(&mut u32, Sum)) {
        fn all<N: Copy + Into<u32>>(lanes: &[Lane<N>], totals: &mut [u32], add: impl Fn(&mut u32, Sum)) {
            for (totals, lane) in totals.as_chunks_mut::<LANE>().0.iter_mut().zip(lanes) {
                for (at, total) in totals.iter_mut().enumerate() {
                    add(total, lane.get(at));
                }
            }
        }
        match &self.sums {
            Width::Bytes(lanes) => all(lanes, totals, add),
            Width::Words(lanes) => all(lanes, totals, add),
            Width::Longs(lanes) => all(lanes, totals, add),
        }
    }

    /// The departments that have rooms.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, Sum)> {
        let slots = u32::try_from(self.slots()).unwrap_or(u32::MAX);
        (0..slots).map(|slot| (slot, self.get(slot))).filter(|(_, sum)| sum.rooms > 0)
    }
}
