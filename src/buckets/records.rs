//! The records of all rooms, one each, and where each stands.
//!
//! Owns the memory: 24 bytes a room, in blocks that one part of an hour has to
//! itself, in pages and pieces that are never moved, so that growing copies nothing.
//! What counting looks at stands apart from the ids, so that an hour is read through at
//! a third of the memory. Invariant: a block that was handed out says who has it, and
//! a place points at one record until its owner moves it.

use prefetch_index::prefetch_index;

use crate::buckets::record::{HourNumber, LONG, Mark, Record};

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
