//! The rooms of one hour.
//!
//! Owns which blocks of records an hour has. The first rooms stand together, in no
//! order; those of a fuller hour stand by eighths of it, so that an end of a range
//! that cuts the hour looks at few of them. Invariant: the records of a part fill its
//! blocks without a gap, and a part has no block more than they need; so a removal
//! moves the part's last record into the hole, and no record into another part.

use std::ops::Range;

use prefetch_index::prefetch_index;

use crate::buckets::records::{BLOCK_RECORDS, Block, HOUR, HourNumber, Mark, Owner, Place, Record, Records};
use crate::buckets::sums::Sums;
use crate::room::{Room, RoomKey};

/// So many rooms stand in no order: fewer would waste more on blocks that are not full,
/// more would have to be looked at.
const MIXED_MAX: u32 = if cfg!(test) { 5 } else { 256 };
const EIGHTHS: usize = 8;
pub(super) const EIGHTH_MS: u32 = HOUR / 8;

#[derive(Debug, Default)]
pub(super) struct Hour {
    pub(super) sums: Sums,
    rooms: u32,
    mixed: Part,
    eighths: Option<Box<[Part; EIGHTHS]>>,
}

/// Records that stand together.
#[derive(Debug, Default)]
pub(super) struct Part {
    blocks: Vec<Block>,
    rooms: u32,
}

/// Which part of its hour a record belongs into, once the mixed part is full; that one
/// itself is the first of them.
fn part_of(mark: Mark) -> u8 {
    u8::try_from(1 + mark.ms_of_hour() / EIGHTH_MS).unwrap_or(0)
}

impl Hour {
    pub(super) fn rooms(&self) -> u32 {
        self.rooms
    }

    pub(super) fn push(&mut self, records: &mut Records, hour: HourNumber, record: Record) -> Place {
        self.rooms += 1;
        if self.mixed.rooms < MIXED_MAX {
            return self.mixed.push(records, Owner::new(hour, 0), record);
        }
        let part = part_of(record.mark());
        let eighths = self.eighths.get_or_insert_default();
        eighths[usize::from(part) - 1].push(records, Owner::new(hour, part), record)
    }

    /// Where the next room of this instant would stand, if the part is there.
    fn part(&self, ms: u32) -> Option<&Part> {
        if self.mixed.rooms < MIXED_MAX {
            return Some(&self.mixed);
        }
        self.eighths.as_ref()?.get((ms / EIGHTH_MS) as usize)
    }

    /// Has the part fetched that the next room of this instant would belong to.
    pub(super) fn fetch_part(&self, ms: u32) {
        if let Some(part) = self.part(ms) {
            prefetch_index(std::slice::from_ref(part), 0);
        }
    }

    /// Has fetched which block of that part is the last one.
    pub(super) fn fetch_block(&self, ms: u32) {
        if let Some(Part { blocks, .. }) = self.part(ms) {
            prefetch_index(blocks, blocks.len().saturating_sub(1));
        }
    }

    /// Has fetched where in it the room would stand.
    pub(super) fn fetch_free(&self, records: &Records, ms: u32) {
        if let Some(Part { blocks, rooms }) = self.part(ms)
            && let Some(block) = blocks.last()
        {
            records.fetch(block.place(rooms % BLOCK_RECORDS));
        }
    }

    /// The same for many; `each` is told where they stand, in their order.
    pub(super) fn extend(
        &mut self,
        records: &mut Records,
        hour: HourNumber,
        rooms: &[(RoomKey, Room)],
        mut each: impl FnMut(RoomKey, Place),
    ) {
        for &(key, room) in rooms {
            each(key, self.push(records, hour, Record::new(key, room)));
        }
    }

    /// Whether a record of this part may have this mark.
    pub(super) fn may_hold(part: u8, mark: Mark) -> bool {
        part == 0 || part == part_of(mark)
    }

    /// Removes one of its records; returns from where another was moved into
    /// the hole.
    pub(super) fn remove(&mut self, records: &mut Records, hole: Place) -> Option<Place> {
        self.rooms -= 1;
        let part = match (records.owner_of(hole).part(), &mut self.eighths) {
            (part @ 1.., Some(eighths)) => &mut eighths[usize::from(part) - 1],
            _ => &mut self.mixed,
        };
        part.remove(records, hole)
    }

    /// Its parts by number, those that are there.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.mixed).chain(self.eighths.iter().flat_map(|eighths| eighths.iter()))
    }

    /// The marks of all its records.
    pub(super) fn marks<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = Mark> {
        self.parts().flat_map(|part| part.marks(records)).flatten().copied()
    }

    /// Brings near what [`Self::marks_near`] tells of this range.
    pub(super) fn read_ahead(&self, records: &Records, ms: &Range<u32>) {
        self.marks_near(records, ms).for_each(read_ahead);
    }

    /// Whether its rooms have an order, so that a short range costs less than a long one.
    pub(super) fn has_order(&self) -> bool {
        self.eighths.is_some()
    }

    /// The marks of all records that may be of this range, and others, block by block.
    pub(super) fn marks_near<'a>(
        &'a self,
        records: &'a Records,
        ms: &Range<u32>,
    ) -> impl Iterator<Item = &'a [Mark]> {
        let eighths = (ms.start / EIGHTH_MS) as usize..ms.end.div_ceil(EIGHTH_MS) as usize;
        let near = self.eighths.iter().flat_map(move |parts| &parts[eighths.clone()]);
        std::iter::once(&self.mixed).chain(near).flat_map(|part| part.marks(records))
    }
}

/// Brings the marks of a block near, wherever lines of memory begin among them.
fn read_ahead(marks: &[Mark]) {
    let lines = [0, 7, 14].map(|at| marks.get(at).copied());
    // Without this, what has no effect would be left out.
    std::hint::black_box((lines, marks.last().copied()));
}

impl Part {
    pub(super) fn rooms(&self) -> u32 {
        self.rooms
    }

    fn push(&mut self, records: &mut Records, owner: Owner, record: Record) -> Place {
        if self.rooms.is_multiple_of(BLOCK_RECORDS) {
            self.blocks.push(records.take_block(owner));
        }
        let place = self.place(self.rooms);
        self.rooms += 1;
        records.set(place, record);
        place
    }

    fn remove(&mut self, records: &mut Records, hole: Place) -> Option<Place> {
        self.rooms -= 1;
        let last = self.place(self.rooms);
        let moved = records.at(last);
        records.set(hole, moved);
        if self.rooms.is_multiple_of(BLOCK_RECORDS)
            && let Some(block) = self.blocks.pop()
        {
            records.give_back(block);
        }
        (last != hole).then_some(last)
    }

    /// Where the record with this number stands.
    fn place(&self, number: u32) -> Place {
        self.blocks[(number / BLOCK_RECORDS) as usize].place(number % BLOCK_RECORDS)
    }

    /// The records with these numbers, last one first.
    pub(super) fn downwards<'a>(
        &'a self,
        records: &'a Records,
        numbers: Range<u32>,
    ) -> impl Iterator<Item = Record> {
        numbers.rev().map(|number| records.at(self.place(number)))
    }

    fn marks<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = &'a [Mark]> {
        let mut left = self.rooms as usize;
        self.blocks.iter().map(move |&block| {
            let marks = records.marks(block);
            let used = &marks[..left.min(marks.len())];
            left -= used.len();
            used
        })
    }
}
