//! What many rooms add to the sums above them, added up once.
//!
//! Owns a table by slot that is used again and again. Invariant: between two uses
//! every row of it is 0.

use crate::buckets::record::Mark;
use crate::buckets::sums::Sum;
use crate::room::DepartmentSlot;

/// Each department's share of some rooms.
#[derive(Debug, Default)]
pub(super) struct Shares {
    sums: Vec<Sum>,
    shares: Vec<(DepartmentSlot, Sum)>,
}

impl Shares {
    /// Adds these rooms up, and forgets those before. Their slots are to be handed
    /// out one after the other: the table has a row for each.
    pub(super) fn fill(&mut self, marks: impl Iterator<Item = Mark>) {
        self.shares.clear();
        for mark in marks {
            let slot = mark.department().0 as usize;
            if slot >= self.sums.len() {
                self.sums.resize(slot + 1, Sum::default());
            }
            let sum = &mut self.sums[slot];
            if sum.rooms == 0 {
                self.shares.push((mark.department(), Sum::default()));
            }
            sum.add(mark.sum());
        }
        for (department, sum) in &mut self.shares {
            *sum = std::mem::take(&mut self.sums[department.0 as usize]);
        }
    }

    /// The departments that have a share, each once.
    pub(super) fn each(&self) -> &[(DepartmentSlot, Sum)] {
        &self.shares
    }
}
