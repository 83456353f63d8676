//! The records of all rooms, one each, and where each stands.
//!
//! Owns the memory: 24 bytes a room, in blocks that one part of an hour has to
//! itself, in pages and pieces that are never moved, so that growing copies nothing.
//! What counting looks at stands apart from the ids, so that an hour is read through at
//! a third of the memory. Invariant: a block that was handed out says who has it, and
//! a place points at one record until its owner moves it.

use prefetch_index::prefetch_index;

use crate::buckets::sums::Sum;
use crate::room::{DepartmentSlot, PackedId, Room, RoomKey, Timestamp};

/// Records in a block. Half a block is free in each part of an hour on average:
/// smaller ones waste less in quiet hours, larger ones take fewer numbers.
pub(super) const BLOCK_RECORDS: u32 = 16;
/// Marks lie in few large pages, so that an end of a range finds them by a short list.
const PAGE_RECORDS: u32 = 1 << 16;
const PAGE_BLOCKS: u32 = PAGE_RECORDS / BLOCK_RECORDS;

/// Ids lie in pieces of 16 KB: the index leaves pieces of memory of this size and larger behind
/// when it grows, which they find place in.
const PIECE_IDS: u32 = 1 << 10;

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

    /// In which block it is, and where in that.
    fn in_block(self) -> (Block, usize) {
        (Block(self.0 / BLOCK_RECORDS), (self.0 % BLOCK_RECORDS) as usize)
    }

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

/// The marks of a block, on two lines of memory.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Marks([Mark; BLOCK_RECORDS as usize]);

#[derive(Debug)]
struct Page {
    marks: Vec<Marks>,
    /// Who has each block.
    owners: Vec<Owner>,
}

#[derive(Debug, Default)]
pub(super) struct Records {
    ids: Vec<Box<[[u64; 2]; PIECE_IDS as usize]>>,
    pages: Vec<Page>,
    /// How many blocks were ever handed out.
    blocks: u32,
    free: Vec<Block>,
}

impl Records {
    /// Hands a block to this owner.
    ///
    /// # Panics
    /// When places are numbered no further: going on would count rooms twice.
    pub(super) fn take_block(&mut self, owner: Owner) -> Block {
        let Some(block) = self.free.pop() else { return self.new_block(owner) };
        let (page, at) = block_at(block);
        self.pages[page].owners[at] = owner;
        block
    }

    fn new_block(&mut self, owner: Owner) -> Block {
        assert!(self.blocks < BLOCKS_MAX, "more rooms than one process can number");
        let block = Block(self.blocks);
        self.blocks += 1;
        if block.place(0).0.is_multiple_of(PIECE_IDS) {
            self.ids.push(Box::new([[0; 2]; PIECE_IDS as usize]));
        }
        let (page, _) = block_at(block);
        if page == self.pages.len() {
            self.pages.push(Page {
                marks: Vec::with_capacity(PAGE_BLOCKS as usize),
                owners: Vec::with_capacity(PAGE_BLOCKS as usize),
            });
        }
        let Page { marks, owners } = &mut self.pages[page];
        marks.push(Marks([Mark::FREE; BLOCK_RECORDS as usize]));
        owners.push(owner);
        block
    }

    pub(super) fn give_back(&mut self, block: Block) {
        self.free.push(block);
    }

    pub(super) fn at(&self, place: Place) -> Record {
        Record { bits: self.bits(place), mark: self.mark(place) }
    }

    /// The bits of the packed id that stands here; none where only the mark tells whether one
    /// does.
    #[inline]
    pub(super) fn packed_bits(&self, place: Place) -> Option<[u64; 2]> {
        Some(self.bits(place)).filter(|&[_, high]| high != LONG)
    }

    /// Has the id fetched that stands there.
    #[inline]
    pub(super) fn fetch_id(&self, place: Place) {
        let (piece, at) = piece_of(place);
        prefetch_index(&self.ids[piece][..], at);
    }

    /// Has all that stands there fetched.
    #[inline]
    pub(super) fn fetch(&self, place: Place) {
        self.fetch_id(place);
        let (block, at) = place.in_block();
        prefetch_index(self.marks(block), at);
        let (page, at) = block_at(block);
        prefetch_index(&self.pages[page].owners, at);
    }

    pub(super) fn mark(&self, place: Place) -> Mark {
        let (block, at) = place.in_block();
        self.marks(block)[at]
    }

    /// Whether this packed id's record may stand here: its bits do.
    pub(super) fn has_bits(&self, place: Place, bits: [u64; 2]) -> bool {
        self.bits(place) == bits
    }

    pub(super) fn set(&mut self, place: Place, Record { bits, mark }: Record) {
        let (piece, at) = piece_of(place);
        self.ids[piece][at] = bits;
        let (block, at) = place.in_block();
        let (page, block) = block_at(block);
        self.pages[page].marks[block].0[at] = mark;
    }

    pub(super) fn owner_of(&self, place: Place) -> Owner {
        let (page, at) = block_at(place.in_block().0);
        self.pages[page].owners[at]
    }

    /// The marks of all of the block, whatever part of it is in use.
    pub(super) fn marks(&self, block: Block) -> &[Mark] {
        let (page, at) = block_at(block);
        &self.pages[page].marks[at].0
    }

    #[inline]
    fn bits(&self, place: Place) -> [u64; 2] {
        let (piece, at) = piece_of(place);
        self.ids[piece][at]
    }
}

fn piece_of(Place(place): Place) -> (usize, usize) {
    ((place / PIECE_IDS) as usize, (place % PIECE_IDS) as usize)
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
