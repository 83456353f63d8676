//! The rooms of one hour.
//!
//! Owns which blocks of records an hour has. Invariant: the records fill the
//! blocks without a gap, in the order of the list, and an hour has no block more
//! than they need; so a removal moves the last record into the hole.

use std::ops::Range;

use crate::buckets::records::{BLOCK_RECORDS, Block, HourNumber, Place, Record, Records};
use crate::buckets::sums::Sums;
use crate::room::{Room, RoomKey};

#[derive(Debug, Default)]
pub(super) struct Hour {
    pub(super) sums: Sums,
    blocks: Vec<Block>,
    rooms: u32,
}

impl Hour {
    pub(super) fn rooms(&self) -> u32 {
        self.rooms
    }

    pub(super) fn push(&mut self, records: &mut Records, number: HourNumber, record: Record) -> Place {
        if self.rooms.is_multiple_of(BLOCK_RECORDS) {
            self.blocks.push(records.take_block(number));
        }
        let place = self.place(self.rooms);
        self.rooms += 1;
        records.set(place, record);
        place
    }

    /// The same for many; `each` is told where they stand, in their order.
    pub(super) fn extend(
        &mut self,
        records: &mut Records,
        number: HourNumber,
        mut rooms: &[(RoomKey, Room)],
        mut each: impl FnMut(RoomKey, Place),
    ) {
        while !rooms.is_empty() {
            let first = self.rooms % BLOCK_RECORDS;
            if first == 0 {
                self.blocks.push(records.take_block(number));
            }
            let block = self.blocks[(self.rooms / BLOCK_RECORDS) as usize];
            let free = &mut records.block_mut(block)[first as usize..];
            let (now, later) = rooms.split_at(free.len().min(rooms.len()));
            for ((slot, free), &(key, room)) in (first..).zip(free).zip(now) {
                *free = Record::new(key, room);
                each(key, block.place(slot));
                self.rooms += 1;
            }
            rooms = later;
        }
    }

    /// Removes one of its records; returns from where another was moved into
    /// the hole.
    pub(super) fn remove(&mut self, records: &mut Records, hole: Place) -> Option<Place> {
        self.rooms -= 1;
        let last = self.place(self.rooms);
        let moved = *records.at(last);
        records.set(hole, moved);
        if self.rooms.is_multiple_of(BLOCK_RECORDS)
            && let Some(block) = self.blocks.pop()
        {
            records.give_back(block);
        }
        (last != hole).then_some(last)
    }

    /// Where the record with this number stands.
    pub(super) fn place(&self, number: u32) -> Place {
        self.blocks[(number / BLOCK_RECORDS) as usize].place(number % BLOCK_RECORDS)
    }

    /// The records with these numbers, last one first.
    pub(super) fn downwards<'a>(
        &'a self,
        records: &'a Records,
        numbers: Range<u32>,
    ) -> impl Iterator<Item = &'a Record> {
        let blocks = numbers.start / BLOCK_RECORDS..numbers.end.div_ceil(BLOCK_RECORDS);
        blocks.rev().flat_map(move |block| {
            let first = block * BLOCK_RECORDS;
            let begin = numbers.start.saturating_sub(first) as usize;
            let end = (numbers.end - first).min(BLOCK_RECORDS) as usize;
            records.block(self.blocks[block as usize])[begin..end].iter().rev()
        })
    }

    /// The records in their order.
    pub(super) fn each<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = &'a Record> {
        let blocks = self.blocks.iter().flat_map(|&block| records.block(block));
        blocks.take(self.rooms as usize)
    }
}
