//! Where each room's record stands, by id.
//!
//! Owns finding a room. The room itself is kept once, among the buckets; here is
//! only its place, and what an id without a packing needs. Invariant: a place
//! stands here exactly as long as its room counts, so a repeated record is
//! recognised for ever and a deleted room leaves nothing behind.

mod intake;
mod long;
mod shard;

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use crate::buckets::{Buckets, Moved, Place};
use crate::room::{RoomKey, StoredIdRef};

use long::LongIds;
use shard::Shard;

pub use intake::Intake;

/// Each shard grows by itself, so that no change waits for all of them: with
/// 40 million rooms one shard moves about 14,000 places.
const SHARDS: usize = 4_096;

/// The places of all rooms that count now. Whoever moves a record among the
/// buckets says so here, before anything is looked up again.
#[derive(Debug)]
pub struct Ledger {
    shards: Box<[Shard]>,
    long: LongIds,
    /// Seeded anew in each process, against ids made to collide.
    hash_builder: DefaultHashBuilder,
    rooms: usize,
}

/// An id, and what this ledger makes of it.
#[derive(Debug, Clone, Copy)]
pub struct HashedId<'a> {
    id: StoredIdRef<'a>,
    hash: u64,
}

impl<'a> HashedId<'a> {
    /// The id itself.
    pub fn id(self) -> StoredIdRef<'a> {
        self.id
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            long: LongIds::default(),
            hash_builder: DefaultHashBuilder::default(),
            rooms: 0,
        }
    }
}

impl Ledger {
    /// The id with its hash, for asking several times.
    #[inline]
    pub fn hashed<'a>(&self, id: StoredIdRef<'a>) -> HashedId<'a> {
        HashedId { id, hash: self.hash(id) }
    }

    /// Where the room with this id stands, if it counts.
    pub fn find(&self, HashedId { id, hash }: HashedId<'_>, buckets: &Buckets) -> Option<Place> {
        let is_it = |place| match id {
            StoredIdRef::Packed(packed) => buckets.is_at(place, packed),
            StoredIdRef::Long(_) => self.id(buckets.key(place)) == id,
        };
        self.shards[shard(hash)].find(hash, is_it)
    }

    /// Has the part of the index fetched in which the place of this id would stand.
    #[inline]
    pub fn fetch(&self, HashedId { hash, .. }: HashedId<'_>) {
        self.shards[shard(hash)].fetch(hash);
    }

    /// Where the room with this id stands, or another one: a guess that looks at no
    /// record.
    #[inline]
    pub fn guess(&self, HashedId { hash, .. }: HashedId<'_>) -> Option<Place> {
        self.shards[shard(hash)].guess(hash)
    }

    /// What stands for this id in the record of a room that is not known yet.
    #[inline]
    pub fn key(&mut self, id: StoredIdRef<'_>) -> RoomKey {
        match id {
            StoredIdRef::Packed(packed) => RoomKey::Packed(packed),
            StoredIdRef::Long(text) => RoomKey::Long(self.long.take(text)),
        }
    }

    /// The id that a record's key stands for.
    #[inline]
    pub fn id(&self, key: RoomKey) -> StoredIdRef<'_> {
        id_of(key, &self.long)
    }

    /// Remembers where a room not known before stands now.
    pub fn enter(&mut self, HashedId { hash, .. }: HashedId<'_>, place: Place, buckets: &Buckets) {
        let Self { shards, long, hash_builder, rooms } = self;
        let hash_at = |place| hash_at(place, hash_builder, long, buckets);
        let places = &mut shards[shard(hash)];
        if places.is_full() {
            // It grows now, and asks for the hash of every room in it.
            places.iter().for_each(|place| buckets.fetch_id(place));
        }
        places.insert(hash, place, hash_at);
        *rooms += 1;
    }

    /// Forgets a room; its key stands for it no more.
    pub fn forget(&mut self, key: RoomKey, place: Place) {
        let hash = self.hash(self.id(key));
        if self.shards[shard(hash)].remove(hash, place) {
            self.rooms -= 1;
        }
        self.release(key);
    }

    /// Lets go of a key that stands for no room any more.
    pub fn release(&mut self, key: RoomKey) {
        if let RoomKey::Long(number) = key {
            self.long.free(number);
        }
    }

    /// Follows a record that was moved.
    pub fn follow(&mut self, moved: Moved) {
        let hash = self.hash(self.id(moved.key));
        if let Some(place) = self.shards[shard(hash)].find_mut(hash, |place| place == moved.from) {
            *place = moved.to;
        }
    }

    /// How many rooms count now.
    pub fn len(&self) -> usize {
        self.rooms
    }

    /// Whether no room counts.
    pub fn is_empty(&self) -> bool {
        self.rooms == 0
    }

    #[inline]
    fn hash(&self, id: StoredIdRef<'_>) -> u64 {
        hash_of(&self.hash_builder, id)
    }
}

#[inline]
fn hash_of(hash_builder: &DefaultHashBuilder, id: StoredIdRef<'_>) -> u64 {
    match id {
        StoredIdRef::Packed(packed) => hash_builder.hash_one(packed.bits()),
        StoredIdRef::Long(text) => hash_builder.hash_one(text),
    }
}

/// The hash of the id whose record stands here.
#[inline]
fn hash_at(place: Place, hash_builder: &DefaultHashBuilder, long: &LongIds, buckets: &Buckets) -> u64 {
    // For nearly all of them one look is enough.
    match buckets.packed_bits(place) {
        Some(bits) => hash_builder.hash_one(bits),
        None => hash_of(hash_builder, id_of(buckets.key(place), long)),
    }
}

fn id_of(key: RoomKey, long: &LongIds) -> StoredIdRef<'_> {
    match key {
        RoomKey::Packed(packed) => StoredIdRef::Packed(packed),
        RoomKey::Long(number) => StoredIdRef::Long(long.text(number)),
    }
}

/// The shard of a hash, by bits that it does not look at itself. The
/// first shards get up to half as many rooms as the last ones, on a curve, so
/// that they double one after the other as rooms become more, and never all of
/// them within a short time.
fn shard(hash: u64) -> usize {
    shard_of(hash >> 32 & (SHARES - 1))
}

const SHARES: u64 = 1 << 16;

#[allow(clippy::cast_possible_truncation, reason = "less than the number of shards")]
fn shard_of(share: u64) -> usize {
    // Nearly log2(1 + x) for x from 0 to 1: x * (4 - x) / 3.
    (share * (4 * SHARES - share) / 3 / SHARES * SHARDS as u64 / SHARES) as usize
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::{DepartmentSlot, Room, Timestamp};

    fn check(text: &str) {
        let room = Room { ts: Timestamp::from_millis(1), department: DepartmentSlot::NONE, waiting: true };
        let (mut buckets, mut ledger) = (Buckets::default(), Ledger::default());
        let id = ledger.hashed(StoredIdRef::of(text));
        assert_eq!(ledger.find(id, &buckets), None);
        let key = ledger.key(id.id());
        let place = buckets.add(key, room);
        ledger.enter(id, place, &buckets);
        assert_eq!(ledger.find(id, &buckets), Some(place));
        assert_eq!((ledger.len(), ledger.id(key)), (1, id.id()));
        let other = format!("{text}.");
        assert_eq!(ledger.find(ledger.hashed(StoredIdRef::of(&other)), &buckets), None);
        ledger.forget(key, place);
        assert_eq!(ledger.find(id, &buckets), None);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_room_is_known_from_its_first_statement_to_its_removal() {
        check("BtS3Xk");
        check(&"long".repeat(32));
    }

    #[test]
    fn a_number_is_given_out_again() {
        let mut long = LongIds::default();
        assert_eq!((long.take("a"), long.take("b")), (0, 1));
        long.free(0);
        assert_eq!((long.take("c"), long.take("d")), (0, 2));
        assert_eq!([0, 1, 2].map(|number| long.text(number)), ["c", "b", "d"]);
    }

    #[test]
    fn shards_differ_by_half_and_none_is_left_out() {
        let mut rooms = vec![0_u32; SHARDS];
        (0..SHARES).for_each(|share| rooms[shard(share << 32)] += 1);
        let (least, most) = (rooms.iter().min().unwrap(), rooms.iter().max().unwrap());
        assert!((11..=13).contains(least) && (22..=25).contains(most), "{least} to {most}");
    }
}
