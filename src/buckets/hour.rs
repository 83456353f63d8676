//! The rooms of one hour.
//!
//! Owns which blocks of records an hour has. The first rooms stand together, in no
//! order; those of a fuller hour stand by eighths of it, so that an end of a range
//! that cuts the hour looks at few of them, and those of a very full one are summed by
//! quarters of the hour. Invariants: the records of a part fill its blocks without a
//! gap, and a part has no block more than they need, so a removal moves the part's last
//! record into the hole, and no record into another part; a quarter's sums, where there
//! are any, equal the rooms of its two eighths.

use std::ops::Range;

use prefetch_index::prefetch_index;

use crate::buckets::fetch::fetch_all;
use crate::buckets::record::{HOUR, HourNumber, Mark, Record};
use crate::buckets::records::{BLOCK_RECORDS, Block, Owner, Place, Records};
use crate::buckets::shares::Shares;
use crate::buckets::sums::Sums;
use crate::room::{Room, RoomKey};

/// So many rooms stand in no order: fewer would waste more on blocks that are not full,
/// more would have to be looked at.
pub(super) const MIXED_MAX: u32 = if cfg!(test) { 5 } else { 256 };
/// From so many rooms on an hour sums up its quarters: with fewer, their sums would take
/// more than the records that are not looked at for them are worth.
const SUMMED_FROM: u32 = if cfg!(test) { 12 } else { 2_048 };
const EIGHTHS: usize = 8;
pub(super) const EIGHTH_MS: u32 = HOUR / 8;
const QUARTERS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Hour {
    pub(super) sums: Sums,
    rooms: u32,
    mixed: Part,
    ordered: Option<Box<Ordered>>,
}

/// The rooms of an hour that have an order.
#[derive(Debug, Default)]
struct Ordered {
    eighths: [Part; EIGHTHS],
    /// What stands in two eighths each. Once there they stay, as the eighths do.
    quarters: Option<Box<[Sums; QUARTERS]>>,
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

    /// Adds a record; returns its part and where it stands. Sums are the caller's to keep.
    pub(super) fn push(&mut self, records: &mut Records, hour: HourNumber, record: Record) -> (u8, Place) {
        self.rooms += 1;
        if self.mixed.rooms < MIXED_MAX {
            return (0, self.mixed.push(records, Owner::new(hour, 0), record));
        }
        let part = part_of(record.mark);
        let eighth = &mut self.ordered.get_or_insert_default().eighths[usize::from(part) - 1];
        (part, eighth.push(records, Owner::new(hour, part), record))
    }

    /// The sums in which a room of this part stands.
    #[inline]
    pub(super) fn each_sums(&mut self, part: u8, mut each: impl FnMut(&mut Sums)) {
        each(&mut self.sums);
        if part > 0
            && let Some(ordered) = &mut self.ordered
            && let Some(quarters) = &mut ordered.quarters
        {
            each(&mut quarters[usize::from(part - 1) / 2]);
        }
    }

    /// Whether its quarters are to be summed up now.
    pub(super) fn wants_quarters(&self) -> bool {
        self.rooms >= SUMMED_FROM && self.ordered.as_ref().is_some_and(|ordered| ordered.quarters.is_none())
    }

    /// Sums up its quarters, which have no sums yet.
    pub(super) fn sum_up_quarters(&mut self, records: &Records, shares: &mut Shares) {
        let Some(Ordered { eighths, quarters }) = self.ordered.as_deref_mut() else { return };
        let quarters = quarters.get_or_insert_default();
        for (sums, eighths) in quarters.iter_mut().zip(eighths.chunks(EIGHTHS / QUARTERS)) {
            shares.fill(eighths.iter().flat_map(|part| part.marks(records)).flatten().copied());
            sums.add_shares(shares);
        }
    }

    /// Its rooms that have no order; those by eighths, if there are any; the sums of every
    /// two of these, if they are kept.
    pub(super) fn arranged(&self) -> (&Part, &[Part], Option<&[Sums; QUARTERS]>) {
        let ordered = self.ordered.as_deref();
        let eighths = ordered.map_or(&[][..], |ordered| &ordered.eighths);
        (&self.mixed, eighths, ordered.and_then(|ordered| ordered.quarters.as_deref()))
    }

    /// Where the next room of this instant would stand, if the part is there.
    fn part(&self, ms: u32) -> Option<&Part> {
        if self.mixed.rooms < MIXED_MAX {
            return Some(&self.mixed);
        }
        self.ordered.as_ref()?.eighths.get((ms / EIGHTH_MS) as usize)
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
            each(key, self.push(records, hour, Record::new(key, room)).1);
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
        let part = match (records.owner_of(hole).part(), &mut self.ordered) {
            (part @ 1.., Some(ordered)) => &mut ordered.eighths[usize::from(part) - 1],
            _ => &mut self.mixed,
        };
        part.remove(records, hole)
    }

    /// Its parts by number, those that are there.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        let (mixed, eighths, _) = self.arranged();
        std::iter::once(mixed).chain(eighths)
    }

    /// The marks of all its records.
    pub(super) fn marks<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = Mark> {
        self.parts().flat_map(|part| part.marks(records)).flatten().copied()
    }
}

impl Part {
    /// Has fetched which blocks it has.
    pub(super) fn fetch_blocks(&self) {
        fetch_all(&self.blocks);
    }

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

    /// The marks of its records, block by block.
    pub(super) fn marks<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = &'a [Mark]> {
        let mut left = self.rooms as usize;
        self.blocks.iter().map(move |&block| {
            let marks = records.marks(block);
            let used = &marks[..left.min(marks.len())];
            left -= used.len();
            used
        })
    }
}
