//! What the buckets of a range come to, department by department.
//!
//! Owns the table in which a question is added up. It is used again and again, so a
//! question takes no memory but for its answer. Invariant: between two questions every
//! total is 0, so that nothing has to be cleared; a total may pass through less than
//! nothing on its way, since sums are also taken away.

use std::ops::Range;

use crate::buckets::dense::{Dense, LANE};
use crate::buckets::record::Mark;
use crate::buckets::sums::{Sum, Sums, looked_at};
use crate::room::DepartmentSlot;

/// Totals by slot.
#[derive(Debug, Default)]
pub struct Totals {
    /// Modulo 2^32, which no department's rooms reach.
    by_slot: Vec<u32>,
    /// Slots that may have a total, beside those below `dense`.
    touched: Vec<DepartmentSlot>,
    /// All slots below may have one.
    dense: usize,
}

/// Where a department comes in every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub u32);

/// Sorting one slot costs as much as looking at so many.
const FEW: usize = 16;

/// Whether a sum is added or taken away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Plus => Self::Minus,
            Self::Minus => Self::Plus,
        }
    }

    #[inline]
    pub(super) fn add(self, total: &mut u32, rooms: u32) {
        *total = match self {
            Self::Plus => total.wrapping_add(rooms),
            Self::Minus => total.wrapping_sub(rooms),
        }
    }
}

impl Totals {
    /// Begins a question: no slot is `slots` or more.
    pub(super) fn begin(&mut self, slots: usize) {
        if self.dense > 0 || !self.touched.is_empty() {
            // A question before this one ended in a panic: what it left is no part of any other.
            *self = Self::default();
        }
        let slots = slots.next_multiple_of(LANE);
        if self.by_slot.len() < slots {
            self.by_slot.resize(slots, 0);
        }
    }

    /// Adds the sums of a bucket; `wanted` says what of each counts.
    pub(super) fn add(&mut self, sums: &Sums, sign: Sign, wanted: impl Fn(Sum) -> u32) {
        match sums {
            Sums::Dense(dense) => self.add_dense(dense, sign, wanted),
            Sums::Sparse(sparse) => {
                looked_at(sparse.used());
                for (slot, sum) in sparse.each() {
                    let rooms = wanted(sum);
                    if rooms > 0 {
                        self.touch(slot);
                        sign.add(&mut self.by_slot[slot as usize], rooms);
                    }
                }
            }
        }
    }

    fn add_dense(&mut self, dense: &Dense, sign: Sign, wanted: impl Fn(Sum) -> u32) {
        looked_at(dense.slots());
        self.dense = self.dense.max(dense.slots());
        match sign {
            Sign::Plus => dense.add_to(&mut self.by_slot, |total, sum| Sign::Plus.add(total, wanted(sum))),
            Sign::Minus => dense.add_to(&mut self.by_slot, |total, sum| Sign::Minus.add(total, wanted(sum))),
        }
    }

    /// Adds those of these rooms that lie in a range, without asking each one twice.
    pub(super) fn add_rooms(
        &mut self,
        marks: &[Mark],
        ms: &Range<u32>,
        sign: Sign,
        wanted: impl Fn(Sum) -> u32,
    ) {
        let length = ms.end - ms.start;
        for mark in marks {
            let DepartmentSlot(slot) = mark.department();
            // A room before the range wraps around to far behind it.
            let is_inside = mark.ms_of_hour().wrapping_sub(ms.start) < length;
            let rooms = wanted(mark.sum()) * u32::from(is_inside);
            if slot as usize >= self.dense && rooms > 0 {
                self.touch(slot);
            }
            sign.add(&mut self.by_slot[slot as usize], rooms);
        }
    }

    fn touch(&mut self, slot: u32) {
        if slot as usize >= self.dense && self.by_slot[slot as usize] == 0 {
            self.touched.push(DepartmentSlot(slot));
        }
    }

    /// The totals that are not 0, by rank, each behind its slot's rank, in one piece of memory;
    /// then it begins anew. `all` is every slot in the order of ranks; where few may have a
    /// total, only those are asked for their rank.
    pub fn take(
        &mut self,
        all: &[DepartmentSlot],
        rank_of: impl Fn(DepartmentSlot) -> Rank,
    ) -> Vec<(Rank, u32)> {
        let Self { by_slot, touched, dense } = self;
        let is_few = *dense == 0 && touched.len() < all.len() / FEW;
        // A slot that was touched twice is counted twice; few are.
        let rows = if is_few {
            touched.iter().filter(|slot| by_slot[slot.0 as usize] > 0).count()
        } else {
            by_slot.iter().filter(|&&total| total > 0).count()
        };
        let mut taken = Vec::with_capacity(rows);
        let mut take = |rank, DepartmentSlot(slot)| {
            let total = std::mem::take(&mut by_slot[slot as usize]);
            if total > 0 {
                taken.push((rank, total));
            }
        };
        if is_few {
            touched.sort_unstable_by_key(|&slot| rank_of(slot));
            touched.iter().for_each(|&slot| take(rank_of(slot), slot));
        } else {
            (0..).zip(all).for_each(|(rank, &slot)| take(Rank(rank), slot));
        }
        touched.clear();
        *dense = 0;
        taken
    }
}
