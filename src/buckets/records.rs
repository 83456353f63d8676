//! The records of all rooms, one each, and where each stands.
//!
//! Owns the memory: 24 bytes a room, in blocks that one part of an hour has to
//! itself, in pages that are never moved, so that growing copies nothing. What
//! counting looks at stands apart from the ids, so that an hour is read through at a
//! third of the memory. Invariant: a block that was handed out says who has it, and
//! a place points at one record until its owner moves it.

use prefetch_index::prefetch_index;

use crate::buckets::sums::Sum;
use crate::room::{DepartmentSlot, PackedId, Room, RoomKey, Timestamp};

/// Records in a block. Half a block is free in each part of an hour on average:
/// smaller ones waste less in quiet hours, larger ones take fewer numbers.
pub(super) const BLOCK_RECORDS: u32 = 16;
/// 25 KB: the index leaves pieces of memory of this size and larger behind when it grows, and
/// pages find place in them; larger ones leave holes, smaller ones take a longer list.
const PAGE_RECORDS: u32 = 1 << 10;
const PAGE_BLOCKS: u32 = PAGE_RECORDS / BLOCK_RECORDS;

/// More are not numbered; that many records are 103 GB.
const BLOCKS_MAX: u32 = u32::MAX / BLOCK_RECORDS;

pub(super) const HOUR_MS: i64 = 3_600_000;
/// The same for what lies inside one hour.
pub(super) const HOUR: u32 = 3_600_000;

/// Where a room's record stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

impl Place {
    /// What stands where there is none; it means nothing.
    pub(crate) const NOWHERE: Self = Self(u32::MAX);

    #[cfg(test)]
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    #[cfg(test)]
    pub(crate) fn numbered(number: u32) -> Self {
        Self(number)
    }
}

/// The hours since 1970 that had gone by; any instant has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HourNumber(pub(super) i64);

impl HourNumber {
    pub(super) fn of(ts: Timestamp) -> Self {
        Self(ts.as_millis().div_euclid(HOUR_MS))
    }
}

/// Where in its hour an instant lies, in ms.
pub(super) fn ms_of_hour(ts: Timestamp) -> u32 {
    u32::try_from(ts.as_millis().rem_euclid(HOUR_MS)).unwrap_or(0)
}

/// Who has a block: an hour, and which of its parts, in one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner(i64);

/// An hour has fewer parts.
const PARTS_MAX: i64 = 16;

impl Owner {
    pub(super) fn new(hour: HourNumber, part: u8) -> Self {
        // Any instant's hour is far from the ends of the number.
        Self(hour.0 * PARTS_MAX + i64::from(part))
    }

    pub(super) fn hour(self) -> HourNumber {
        HourNumber(self.0.div_euclid(PARTS_MAX))
    }

    pub(super) fn part(self) -> u8 {
        self.0.rem_euclid(PARTS_MAX).try_into().unwrap_or(0)
    }
}

/// One room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Those of a packed id, or the number of a long one.
    bits: [u64; 2],
    mark: Mark,
}

/// What is counted of a room. Laid out by hand: 22 bits of milliseconds, 6 of the id's
/// letters (0 where its bits are the number of a long one), 1 whether it waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    state: u32,
    department: DepartmentSlot,
}

/// Stands beside the number of a long id, and in few that are packed.
const LONG: u64 = u64::MAX;

const LETTERS_AT: u32 = 22;
const WAITING_AT: u32 = 28;
const MS_MASK: u32 = (1 << LETTERS_AT) - 1;

impl Record {
    pub(super) fn new(key: RoomKey, room: Room) -> Self {
        let (bits, letters) = match key {
            RoomKey::Packed(packed) => (packed.bits(), packed.letters()),
            RoomKey::Long(number) => ([number.into(), LONG], 0),
        };
        let state =
            ms_of_hour(room.ts) | u32::from(letters) << LETTERS_AT | u32::from(room.waiting) << WAITING_AT;
        Self { bits, mark: Mark { state, department: room.department } }
    }

    pub(super) fn key(&self) -> RoomKey {
        match PackedId::trusted(self.bits, (self.mark.state >> LETTERS_AT & 0x3f) as u8) {
            Some(packed) => RoomKey::Packed(packed),
            None => RoomKey::Long(u32::try_from(self.bits[0]).unwrap_or(u32::MAX)),
        }
    }

    pub(super) fn room(&self, hour: HourNumber) -> Room {
        self.mark.room(hour)
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }
}

impl Mark {
    const FREE: Self = Self { state: 0, department: DepartmentSlot::NONE };

    pub(super) fn room(self, hour: HourNumber) -> Room {
        // The product alone may lie before the first instant; the sum never does.
        let ts = hour.0.wrapping_mul(HOUR_MS).wrapping_add(self.ms_of_hour().into());
        Room { ts: Timestamp::from_millis(ts), department: self.department, waiting: self.waiting() }
    }

    /// What it adds to a sum.
    pub(super) fn sum(self) -> Sum {
        Sum { rooms: 1, waiting: self.waiting().into() }
    }

    pub(super) fn ms_of_hour(self) -> u32 {
        self.state & MS_MASK
    }

    pub(super) fn department(self) -> DepartmentSlot {
        self.department
    }

    pub(super) fn waiting(self) -> bool {
        self.state >> WAITING_AT & 1 == 1
    }
}

/// A run of [`BLOCK_RECORDS`] records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block(u32);

impl Block {
    pub(super) fn place(self, slot: u32) -> Place {
        Place(self.0 * BLOCK_RECORDS + slot)
    }
}

#[derive(Debug)]
struct Page {
    ids: [[u64; 2]; PAGE_RECORDS as usize],
    marks: [Mark; PAGE_RECORDS as usize],
    /// Who has each block.
    owners: [Owner; PAGE_BLOCKS as usize],
}

#[derive(Debug, Default)]
pub(super) struct Records {
    pages: Vec<Box<Page>>,
    /// How many blocks were ever handed out.
    blocks: u32,
    free: Vec<Block>,
}

impl Page {
    const EMPTY: Self = Self {
        ids: [[0; 2]; PAGE_RECORDS as usize],
        marks: [Mark::FREE; PAGE_RECORDS as usize],
        owners: [Owner(0); PAGE_BLOCKS as usize],
    };
}

impl Records {
    /// Hands a block to this owner.
    ///
    /// # Panics
    /// When places are numbered no further: going on would count rooms twice.
    pub(super) fn take_block(&mut self, owner: Owner) -> Block {
        let block = self.free.pop().unwrap_or_else(|| self.new_block());
        let (page, at) = block_at(block);
        self.pages[page].owners[at] = owner;
        block
    }

    fn new_block(&mut self) -> Block {
        assert!(self.blocks < BLOCKS_MAX, "more rooms than one process can number");
        if self.blocks.is_multiple_of(PAGE_BLOCKS) {
            self.pages.push(Box::new(Page::EMPTY));
        }
        self.blocks += 1;
        Block(self.blocks - 1)
    }

    pub(super) fn give_back(&mut self, block: Block) {
        self.free.push(block);
    }

    pub(super) fn at(&self, place: Place) -> Record {
        let (page, at) = self.page_of(place);
        Record { bits: page.ids[at], mark: page.marks[at] }
    }

    /// The bits of the packed id that stands here; none where only the mark tells whether one
    /// does.
    #[inline]
    pub(super) fn packed_bits(&self, place: Place) -> Option<[u64; 2]> {
        let (page, at) = self.page_of(place);
        Some(page.ids[at]).filter(|&[_, high]| high != LONG)
    }

    /// Has the id fetched that stands there.
    #[inline]
    pub(super) fn fetch_id(&self, place: Place) {
        let (page, at) = self.page_of(place);
        prefetch_index(&page.ids[..], at);
    }

    /// Has all that stands there fetched.
    #[inline]
    pub(super) fn fetch(&self, place: Place) {
        let (page, at) = self.page_of(place);
        prefetch_index(&page.ids[..], at);
        prefetch_index(&page.marks[..], at);
        prefetch_index(&page.owners[..], at / BLOCK_RECORDS as usize);
    }

    pub(super) fn mark(&self, place: Place) -> Mark {
        let (page, at) = self.page_of(place);
        page.marks[at]
    }

    /// Whether this packed id's record may stand here: its bits do.
    pub(super) fn has_bits(&self, place: Place, bits: [u64; 2]) -> bool {
        let (page, at) = self.page_of(place);
        page.ids[at] == bits
    }

    pub(super) fn set(&mut self, place: Place, Record { bits, mark }: Record) {
        let page = &mut self.pages[(place.0 / PAGE_RECORDS) as usize];
        let at = (place.0 % PAGE_RECORDS) as usize;
        page.ids[at] = bits;
        page.marks[at] = mark;
    }

    pub(super) fn owner_of(&self, place: Place) -> Owner {
        let (page, at) = block_at(Block(place.0 / BLOCK_RECORDS));
        self.pages[page].owners[at]
    }

    /// The marks of all of the block, whatever part of it is in use.
    pub(super) fn marks(&self, block: Block) -> &[Mark] {
        let (page, at) = block_at(block);
        let first = at * BLOCK_RECORDS as usize;
        &self.pages[page].marks[first..first + BLOCK_RECORDS as usize]
    }

    fn page_of(&self, place: Place) -> (&Page, usize) {
        (&self.pages[(place.0 / PAGE_RECORDS) as usize], (place.0 % PAGE_RECORDS) as usize)
    }
}

fn block_at(block: Block) -> (usize, usize) {
    ((block.0 / PAGE_BLOCKS) as usize, (block.0 % PAGE_BLOCKS) as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_24_bytes_and_gives_back_what_it_was_made_of() {
        assert_eq!((size_of::<Record>(), size_of::<Mark>()), (24, 8));
        let packed = |text| RoomKey::Packed(PackedId::of(text).unwrap());
        let keys = [packed("a"), packed("BtS3XkqN8mY2cQwZr"), packed("123e4567-e89b-12d3-a456-426614174000")];
        for key in keys.into_iter().chain([RoomKey::Long(0), RoomKey::Long(u32::MAX)]) {
            for ms in [0, 1, -1, HOUR_MS - 1, HOUR_MS, i64::MIN, i64::MAX] {
                for (department, waiting) in [(0, false), (u32::MAX, true)] {
                    let ts = Timestamp::from_millis(ms);
                    let room = Room { ts, department: DepartmentSlot(department), waiting };
                    let record = Record::new(key, room);
                    assert_eq!((record.key(), record.room(HourNumber::of(ts))), (key, room));
                }
            }
        }
    }
}
