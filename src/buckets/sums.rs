//! How many rooms each department has in one bucket.
//!
//! Owns the choice between two tables: one with a row for every slot, where most
//! departments have a room, and one with rows for those alone that do. Invariant:
//! neither takes more than about four times the memory that the other would, so many
//! departments over many years take no table of departments times hours.

use crate::buckets::dense::Dense;
use crate::buckets::shares::Shares;
use crate::buckets::sparse::Sparse;
use crate::room::{DepartmentSlot, Room};

/// One department's share: how many rooms, and how many of them wait for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rooms, waiting or not.
    pub rooms: u32,
    /// Those of them whose visitor waits.
    pub waiting: u32,
}

#[derive(Debug)]
pub(super) enum Sums {
    Sparse(Sparse),
    Dense(Dense),
}

/// What a department takes in a table of those alone that have rooms.
const SPARSE_BYTES: usize = 16;

/// Whether a table by slot is worth it for so many departments.
fn is_dense(slots: usize, slot_bytes: usize, used: usize) -> bool {
    slots * slot_bytes <= used * SPARSE_BYTES
}

const NARROWEST: usize = 2;

/// Cells of any table are looked at; where it is tested what a question costs, they are
/// counted.
#[inline]
#[cfg_attr(not(test), allow(unused_variables, reason = "nobody counts"))]
pub(super) fn looked_at(cells: usize) {
    #[cfg(test)]
    tests::LOOKED_AT.set(tests::LOOKED_AT.get() + cells);
}

impl Default for Sums {
    fn default() -> Self {
        Self::Sparse(Sparse::default())
    }
}

impl Sums {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Sparse(sparse) => sparse.used() == 0,
            Self::Dense(dense) => dense.used() == 0,
        }
    }

    /// Has fetched where this department's share stands.
    pub(super) fn fetch(&self, department: DepartmentSlot) {
        match self {
            Self::Sparse(sparse) => sparse.fetch(department.0),
            Self::Dense(dense) => dense.fetch(department.0),
        }
    }

    #[inline]
    pub(super) fn add(&mut self, room: Room) {
        if let Self::Dense(dense) = self
            && dense.add_room(room.department.0, room.waiting)
        {
            return;
        }
        self.add_share(room.department, Sum::of(room));
    }

    /// Adds the shares of many rooms.
    pub(super) fn add_shares(&mut self, shares: &Shares) {
        let shares = shares.each();
        if self.is_empty() {
            *self = Self::made_for(shares);
        }
        shares.iter().for_each(|&(department, share)| self.add_share(department, share));
    }

    /// Adds those of another bucket.
    pub(super) fn add_all(&mut self, other: &Self) {
        let mut add = |slot, sum| self.add_share(DepartmentSlot(slot), sum);
        match other {
            Self::Sparse(sparse) => sparse.each().for_each(|(slot, sum)| add(slot, sum)),
            Self::Dense(dense) => dense.each().for_each(|(slot, sum)| add(slot, sum)),
        }
    }

    /// A table without rooms, with place for these departments.
    fn made_for(shares: &[(DepartmentSlot, Sum)]) -> Self {
        let slots = shares.iter().map(|(department, _)| department.0 as usize + 1).max().unwrap_or(0);
        if is_dense(slots, NARROWEST, shares.len()) {
            Self::Dense(Dense::of(slots))
        } else {
            Self::Sparse(Sparse::with_place_for(shares.len()))
        }
    }

    fn add_share(&mut self, department: DepartmentSlot, share: Sum) {
        let department = department.0;
        match self {
            Self::Sparse(sparse) if sparse.is_full() => self.choose(department),
            Self::Dense(dense) if department as usize >= dense.slots() => self.choose(department),
            _ => {}
        }
        match self {
            Self::Sparse(sparse) => sparse.get_or_add(department).add(share),
            Self::Dense(dense) => {
                let mut sum = dense.get(department);
                sum.add(share);
                dense.set(department, sum);
            }
        }
    }

    /// Takes back a room that was added exactly so.
    pub(super) fn take_back(&mut self, room: Room) {
        let department = room.department.0;
        let Some(mut sum) = self.of(room.department) else {
            debug_assert!(false, "a room is taken back that was never counted in");
            return;
        };
        sum.rooms -= 1;
        sum.waiting -= u32::from(room.waiting);
        match self {
            Self::Sparse(sparse) => sparse.set(department, sum),
            Self::Dense(dense) => {
                dense.set(department, sum);
                // Far from the bound at which it became dense, lest it go to and fro.
                if sum.rooms == 0 && !is_dense(dense.slots(), dense.slot_bytes(), 4 * dense.used()) {
                    self.thin_out();
                }
            }
        }
    }

    /// A room of this department waits now, or waits no more.
    pub(super) fn set_waiting(&mut self, department: DepartmentSlot, waiting: bool) {
        let Some(mut sum) = self.of(department) else { return };
        sum.waiting = if waiting { sum.waiting + 1 } else { sum.waiting - 1 };
        match self {
            Self::Sparse(sparse) => sparse.set(department.0, sum),
            Self::Dense(dense) => dense.set(department.0, sum),
        }
    }

    /// The department's, if it has rooms.
    pub(super) fn of(&self, department: DepartmentSlot) -> Option<Sum> {
        let sum = match self {
            Self::Sparse(sparse) => sparse.get(department.0),
            Self::Dense(dense) => {
                looked_at(1);
                dense.get(department.0)
            }
        };
        (sum.rooms > 0).then_some(sum)
    }

    /// Makes place for one more department, in the table that is smaller then.
    fn choose(&mut self, department: u32) {
        match self {
            Self::Sparse(sparse) => {
                let top = sparse.each().map(|(slot, _)| slot).max().unwrap_or(0).max(department);
                let slots = top as usize + 1;
                if !is_dense(slots, NARROWEST, sparse.used()) {
                    return sparse.grow();
                }
                let mut dense = Dense::of(slots);
                sparse.each().for_each(|(slot, sum)| dense.set(slot, sum));
                *self = Self::Dense(dense);
            }
            Self::Dense(dense) => {
                let slots = department as usize + 1;
                if !is_dense(slots, dense.slot_bytes(), 4 * dense.used()) {
                    return self.thin_out();
                }
                dense.extend(slots);
            }
        }
    }

    fn thin_out(&mut self) {
        let Self::Dense(dense) = self else { return };
        let mut sparse = Sparse::default();
        dense.each().for_each(|(slot, sum)| *sparse.get_or_add(slot) = sum);
        *self = Self::Sparse(sparse);
    }
}

impl Sum {
    pub(super) fn of(room: Room) -> Self {
        Self { rooms: 1, waiting: room.waiting.into() }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.rooms += other.rooms;
        self.waiting += other.waiting;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::room::Timestamp;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeMap;

    thread_local! {
        /// How many cells this thread has looked at.
        pub(in crate::buckets) static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    fn room(department: u32, waiting: bool) -> Room {
        Room { ts: Timestamp::from_millis(0), department: DepartmentSlot(department), waiting }
    }

    proptest! {
        #[test]
        fn sums_equal_the_rooms_that_are_left(
            rooms in prop::collection::vec((prop_oneof![9 => 0..40_u32, 1 => 0..300_u32, 1 => any::<u32>()], any::<bool>()), 0..200),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..250),
        ) {
            let mut sums = Sums::default();
            rooms.iter().for_each(|&(department, waiting)| sums.add(room(department, waiting)));
            let mut left = rooms.clone();
            for (number, index) in removed.into_iter().enumerate() {
                if left.is_empty() {
                    break;
                }
                let at = index.index(left.len());
                if number % 3 == 0 {
                    left[at].1 = !left[at].1;
                    sums.set_waiting(DepartmentSlot(left[at].0), left[at].1);
                } else {
                    let (department, waiting) = left.swap_remove(at);
                    sums.take_back(room(department, waiting));
                }
            }
            let mut expected = BTreeMap::<u32, (u32, u32)>::new();
            for (department, waiting) in &left {
                let sum = expected.entry(*department).or_default();
                *sum = (sum.0 + 1, sum.1 + u32::from(*waiting));
            }
            let mut found = BTreeMap::new();
            let mut note = |slot, sum: Sum| assert_eq!(found.insert(slot, (sum.rooms, sum.waiting)), None);
            match &sums {
                Sums::Sparse(sparse) => sparse.each().for_each(|(slot, sum)| note(slot, sum)),
                Sums::Dense(dense) => dense.each().for_each(|(slot, sum)| note(slot, sum)),
            }
            for &(department, _) in &rooms {
                let sum = sums.of(DepartmentSlot(department)).map(|sum| (sum.rooms, sum.waiting));
                prop_assert_eq!(sum, expected.get(&department).copied());
            }
            prop_assert_eq!(sums.is_empty(), left.is_empty());
            prop_assert_eq!(found, expected);
        }
    }
}
