//! Sums of the few departments of a quiet bucket.
//!
//! Owns a table that is kept tight, since there is one for every bucket: 12
//! bytes a department, open addressing with linear probing, grown by a quarter.
//! Invariant: a department stands here exactly as long as it has a room.

use prefetch_index::prefetch_index;

use crate::buckets::sums::{Sum, looked_at};

/// No rooms mean that the cell is free.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    department: u32,
    sum: Sum,
}

/// Departments without a room take no place.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    cells: Vec<Cell>,
    used: usize,
}

impl Sparse {
    pub(super) fn with_place_for(departments: usize) -> Self {
        Self { cells: vec![Cell::default(); departments + departments / 4 + 2], used: 0 }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Whether one more department has to wait for [`Self::grow`].
    pub(super) fn is_full(&self) -> bool {
        // A probe ends at a free cell, so there always is one.
        (self.used + 1) * 5 > self.cells.len() * 4
    }

    pub(super) fn grow(&mut self) {
        self.resize(self.cells.len() + self.cells.len() / 4 + 4);
    }

    /// The departments that are here, in no order.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, Sum)> {
        let used = self.cells.iter().filter(|cell| cell.sum.rooms > 0);
        used.map(|cell| (cell.department, cell.sum))
    }

    /// Has fetched where this department's sum stands, or would.
    pub(super) fn fetch(&self, department: u32) {
        prefetch_index(&self.cells, home(department, self.cells.len()));
    }

    /// The department's sum, which the caller does not leave without rooms.
    pub(super) fn get_or_add(&mut self, department: u32) -> &mut Sum {
        if self.is_full() {
            self.grow();
        }
        let at = self.place(department);
        let cell = &mut self.cells[at];
        if cell.sum.rooms == 0 {
            cell.department = department;
            self.used += 1;
        }
        &mut cell.sum
    }

    /// The department's sum; none has no rooms.
    pub(super) fn get(&self, department: u32) -> Sum {
        if self.cells.is_empty() { Sum::default() } else { self.cells[self.place(department)].sum }
    }

    /// Makes the sum of a department that has rooms this one; without rooms it goes.
    pub(super) fn set(&mut self, department: u32, sum: Sum) {
        let at = self.place(department);
        self.cells[at].sum = sum;
        if sum.rooms == 0 {
            self.free(at);
        }
    }

    /// The department's cell, or the free one where it would stand.
    fn place(&self, department: u32) -> usize {
        let mut at = home(department, self.cells.len());
        looked_at(1);
        while self.cells[at].sum.rooms > 0 && self.cells[at].department != department {
            at = self.behind(at);
            looked_at(1);
        }
        at
    }

    fn behind(&self, at: usize) -> usize {
        if at + 1 == self.cells.len() { 0 } else { at + 1 }
    }

    /// Frees a cell and closes the gap: what stands behind it and would be
    /// probed for through it moves up.
    fn free(&mut self, mut gap: usize) {
        let (mut at, cells) = (self.behind(gap), self.cells.len());
        while self.cells[at].sum.rooms > 0 {
            let from_home = (at + cells - home(self.cells[at].department, cells)) % cells;
            let from_gap = (at + cells - gap) % cells;
            if from_home >= from_gap {
                self.cells[gap] = self.cells[at];
                gap = at;
            }
            at = self.behind(at);
        }
        self.cells[gap] = Cell::default();
        self.used -= 1;
        if self.used * 4 < cells {
            self.resize(self.used + self.used / 2 + 1);
        }
    }

    fn resize(&mut self, cells: usize) {
        // No room, no table.
        let cells = if self.used == 0 && !self.cells.is_empty() { 0 } else { cells };
        let before = std::mem::replace(&mut self.cells, vec![Cell::default(); cells]);
        for cell in before.into_iter().filter(|cell| cell.sum.rooms > 0) {
            let at = self.place(cell.department);
            self.cells[at] = cell;
        }
    }
}

/// Slots are handed out one after the other: the multiplication (Knuth's, by the
/// golden ratio) scatters neighbours, and its high bits choose among any number
/// of cells.
fn home(department: u32, cells: usize) -> usize {
    let scattered = u64::from(department.wrapping_mul(0x9E37_79B9));
    usize::try_from((scattered * cells as u64) >> 32).unwrap_or(0)
}
