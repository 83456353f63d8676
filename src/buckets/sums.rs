//! How many rooms each department has in one bucket.
//!
//! Owns the choice between two tables: one with a row for every slot, where most
//! departments have a room, and one with rows for those alone that do. Invariant:
//! neither takes more than about twice the memory that the other would, so many
//! departments over many years take no table of departments times hours.

use crate::buckets::Count;
use crate::buckets::shares::Shares;
use crate::buckets::sparse::Sparse;
use crate::room::{DepartmentSlot, Room};

/// One department's share.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) rooms: u32,
    pub(super) waiting: u32,
}

#[derive(Debug)]
pub(super) enum Sums {
    Sparse(Sparse),
    Dense(Dense),
}

/// A row for every slot, with rooms or without.
#[derive(Debug)]
pub(super) struct Dense {
    sums: Vec<Sum>,
    used: usize,
}

/// Cells of any table are looked at; where it is tested what a question costs, they are
/// counted.
#[inline]
#[cfg_attr(not(test), allow(unused_variables, reason = "nobody counts"))]
pub(super) fn looked_at(cells: usize) {
    #[cfg(test)]
    tests::LOOKED_AT.set(tests::LOOKED_AT.get() + cells);
}

/// Whether a table by slot is worth it for so many departments: it has 8 bytes a
/// slot, the other about 17 a department.
fn is_dense(slots: usize, used: usize) -> bool {
    slots <= 2 * used
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
            Self::Dense(dense) => dense.used == 0,
        }
    }

    pub(super) fn add(&mut self, room: Room) {
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

    /// A table without rooms, with place for these departments.
    fn made_for(shares: &[(DepartmentSlot, Sum)]) -> Self {
        let slots = shares.iter().map(|(department, _)| department.0 as usize + 1).max().unwrap_or(0);
        if is_dense(slots, shares.len()) {
            Self::Dense(Dense { sums: vec![Sum::default(); slots], used: 0 })
        } else {
            Self::Sparse(Sparse::with_place_for(shares.len()))
        }
    }

    fn add_share(&mut self, department: DepartmentSlot, share: Sum) {
        let department = department.0;
        match self {
            Self::Sparse(sparse) if sparse.is_full() => self.choose(department),
            Self::Dense(dense) if department as usize >= dense.sums.len() => self.choose(department),
            _ => {}
        }
        let sum = match self {
            Self::Sparse(sparse) => sparse.get_or_add(department),
            Self::Dense(dense) => {
                let sum = &mut dense.sums[department as usize];
                dense.used += usize::from(sum.rooms == 0);
                sum
            }
        };
        sum.add(share);
    }

    /// Takes back a room that was added exactly so.
    pub(super) fn take_back(&mut self, room: Room) {
        let department = room.department.0;
        let Some(sum) = self.get_mut(department) else {
            debug_assert!(false, "a room is taken back that was never counted in");
            return;
        };
        sum.rooms -= 1;
        sum.waiting -= u32::from(room.waiting);
        if sum.rooms > 0 {
            return;
        }
        match self {
            Self::Sparse(sparse) => sparse.remove(department),
            Self::Dense(dense) => {
                dense.used -= 1;
                // Far from the bound at which it became dense, lest it go to and fro.
                if !is_dense(dense.sums.len(), 2 * dense.used) {
                    self.thin_out();
                }
            }
        }
    }

    /// A room of this department waits now, or waits no more.
    pub(super) fn set_waiting(&mut self, department: DepartmentSlot, waiting: bool) {
        if let Some(sum) = self.get_mut(department.0) {
            if waiting { sum.waiting += 1 } else { sum.waiting -= 1 }
        }
    }

    /// Calls `each` for every department that has a room, and with no rooms for
    /// some that have none: a sum takes no harm, and asking would cost more.
    pub(super) fn each(&self, each: &mut impl FnMut(DepartmentSlot, Count)) {
        looked_at(self.rows());
        match self {
            Self::Sparse(sparse) => {
                sparse.each().for_each(|(slot, sum)| each(DepartmentSlot(slot), sum.count()));
            }
            Self::Dense(dense) => {
                (0..).zip(&dense.sums).for_each(|(slot, sum)| each(DepartmentSlot(slot), sum.count()));
            }
        }
    }

    pub(super) fn of(&self, department: DepartmentSlot) -> Option<Count> {
        let sum = match self {
            Self::Sparse(sparse) => sparse.get(department.0),
            Self::Dense(dense) => {
                looked_at(1);
                dense.sums.get(department.0 as usize)
            }
        };
        sum.filter(|sum| sum.rooms > 0).map(|sum| sum.count())
    }

    fn rows(&self) -> usize {
        match self {
            Self::Sparse(sparse) => sparse.used(),
            Self::Dense(dense) => dense.sums.len(),
        }
    }

    fn get_mut(&mut self, department: u32) -> Option<&mut Sum> {
        let sum = match self {
            Self::Sparse(sparse) => sparse.get_mut(department),
            Self::Dense(dense) => dense.sums.get_mut(department as usize),
        };
        sum.filter(|sum| sum.rooms > 0)
    }

    /// Makes place for one more department, in the table that is smaller then.
    fn choose(&mut self, department: u32) {
        match self {
            Self::Sparse(sparse) => {
                let top = sparse.each().map(|(slot, _)| slot).max().unwrap_or(0).max(department);
                if !is_dense(top as usize + 1, sparse.used()) {
                    return sparse.grow();
                }
                let mut sums = vec![Sum::default(); top as usize + 1];
                sparse.each().for_each(|(slot, sum)| sums[slot as usize] = sum);
                *self = Self::Dense(Dense { sums, used: sparse.used() });
            }
            Self::Dense(dense) => {
                let slots = department as usize + 1;
                if !is_dense(slots, 2 * dense.used) {
                    return self.thin_out();
                }
                // Doubling would waste more than it saves; slots are taken one by one.
                dense.sums.reserve_exact(slots - dense.sums.len() + slots / 16);
                dense.sums.resize(slots, Sum::default());
            }
        }
    }

    fn thin_out(&mut self) {
        let Self::Dense(dense) = self else { return };
        let mut sparse = Sparse::default();
        for (slot, sum) in (0..).zip(&dense.sums).filter(|(_, sum)| sum.rooms > 0) {
            *sparse.get_or_add(slot) = *sum;
        }
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

    fn count(self) -> Count {
        Count { rooms: self.rooms.into(), waiting: self.waiting.into() }
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
            let mut expected = BTreeMap::<u32, (i64, i64)>::new();
            for (department, waiting) in &left {
                let sum = expected.entry(*department).or_default();
                *sum = (sum.0 + 1, sum.1 + i64::from(*waiting));
            }
            let mut found = BTreeMap::new();
            sums.each(&mut |slot, count| {
                if count.rooms > 0 {
                    assert_eq!(found.insert(slot.0, (count.rooms, count.waiting)), None);
                }
            });
            for &(department, _) in &rooms {
                let count = sums.of(DepartmentSlot(department)).map(|count| (count.rooms, count.waiting));
                prop_assert_eq!(count, expected.get(&department).copied());
            }
            prop_assert_eq!(sums.is_empty(), left.is_empty());
            prop_assert_eq!(found, expected);
        }
    }
}
