//! Sums by slot, for a bucket in which most departments have rooms.
//!
//! Owns how wide they are: as narrow as the largest of them allows, since a row of an
//! hour is read from far memory. Invariant: a slot behind the end has no rooms.

use crate::buckets::sums::Sum;

/// A sum for every slot, with rooms or without; rooms first, then those waiting.
#[derive(Debug)]
pub(super) struct Dense {
    sums: Width,
    used: usize,
}

#[derive(Debug)]
enum Width {
    Bytes(Vec<[u8; 2]>),
    Words(Vec<[u16; 2]>),
    Longs(Vec<[u32; 2]>),
}

impl Dense {
    /// No rooms, and room for these slots.
    pub(super) fn of(slots: usize) -> Self {
        Self { sums: Width::Bytes(vec![[0; 2]; slots]), used: 0 }
    }

    pub(super) fn slots(&self) -> usize {
        match &self.sums {
            Width::Bytes(sums) => sums.len(),
            Width::Words(sums) => sums.len(),
            Width::Longs(sums) => sums.len(),
        }
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

    /// Makes so many slots. Doubling would waste more than it saves: they are taken one
    /// by one.
    pub(super) fn extend(&mut self, slots: usize) {
        fn extend<N: Copy + Default>(sums: &mut Vec<[N; 2]>, slots: usize) {
            sums.reserve_exact(slots - sums.len() + slots / 16);
            sums.resize(slots, [N::default(); 2]);
        }
        match &mut self.sums {
            Width::Bytes(sums) => extend(sums, slots),
            Width::Words(sums) => extend(sums, slots),
            Width::Longs(sums) => extend(sums, slots),
        }
    }

    pub(super) fn get(&self, slot: u32) -> Sum {
        let at = slot as usize;
        let sum = match &self.sums {
            Width::Bytes(sums) => sums.get(at).map(|sum| sum.map(u32::from)),
            Width::Words(sums) => sums.get(at).map(|sum| sum.map(u32::from)),
            Width::Longs(sums) => sums.get(at).copied(),
        };
        let [rooms, waiting] = sum.unwrap_or_default();
        Sum { rooms, waiting }
    }

    /// Adds one room to a slot that is there.
    #[inline]
    pub(super) fn add_room(&mut self, slot: u32, waiting: bool) {
        if let Width::Bytes(sums) = &mut self.sums
            && let Some([rooms, their_waiting]) = sums.get_mut(slot as usize)
            && *rooms < u8::MAX
        {
            self.used += usize::from(*rooms == 0);
            *rooms += 1;
            *their_waiting += u8::from(waiting);
        } else {
            let Sum { rooms, waiting: their_waiting } = self.get(slot);
            self.set(slot, Sum { rooms: rooms + 1, waiting: their_waiting + u32::from(waiting) });
        }
    }

    /// Makes the sum of a slot that is there this one.
    pub(super) fn set(&mut self, slot: u32, sum: Sum) {
        let before = self.get(slot).rooms;
        self.used = self.used + usize::from(sum.rooms > 0) - usize::from(before > 0);
        let at = slot as usize;
        loop {
            match &mut self.sums {
                Width::Bytes(sums) => {
                    if let (Ok(rooms), Ok(waiting)) = (u8::try_from(sum.rooms), u8::try_from(sum.waiting)) {
                        sums[at] = [rooms, waiting];
                        return;
                    }
                }
                Width::Words(sums) => {
                    if let (Ok(rooms), Ok(waiting)) = (u16::try_from(sum.rooms), u16::try_from(sum.waiting)) {
                        sums[at] = [rooms, waiting];
                        return;
                    }
                }
                Width::Longs(sums) => {
                    sums[at] = [sum.rooms, sum.waiting];
                    return;
                }
            }
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.sums = match &self.sums {
            Width::Bytes(sums) => Width::Words(sums.iter().map(|sum| sum.map(u16::from)).collect()),
            Width::Words(sums) => Width::Longs(sums.iter().map(|sum| sum.map(u32::from)).collect()),
            Width::Longs(sums) => Width::Longs(sums.clone()),
        };
    }

    /// Calls `add` with each total and what there is to be added to it. `totals` has all
    /// slots.
    #[inline]
    pub(super) fn add_to(&self, totals: &mut [u32], add: impl Fn(&mut u32, Sum)) {
        fn all<N: Copy + Into<u32>>(sums: &[[N; 2]], totals: &mut [u32], add: impl Fn(&mut u32, Sum)) {
            for (total, &[rooms, waiting]) in totals.iter_mut().zip(sums) {
                add(total, Sum { rooms: rooms.into(), waiting: waiting.into() });
            }
        }
        match &self.sums {
            Width::Bytes(sums) => all(sums, totals, add),
            Width::Words(sums) => all(sums, totals, add),
            Width::Longs(sums) => all(sums, totals, add),
        }
    }

    /// The departments that have rooms.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, Sum)> {
        let slots = u32::try_from(self.slots()).unwrap_or(u32::MAX);
        (0..slots).map(|slot| (slot, self.get(slot))).filter(|(_, sum)| sum.rooms > 0)
    }
}
