//! Rooms on their way into the ledger, many at a time.
//!
//! Owns the order in which ids reach the shards. One room after the other would
//! touch another far part of the index each; here they wait, grouped by shards, and
//! are entered shard by shard, so that a shard is near while its rooms come, and group beside
//! group, on all cores.
//! Invariant: of several records with one id the last one holds, since all of them
//! wait in the same group, in their order.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::buckets::{AT_ONCE, Buckets, Place};
use crate::ledger::shard::Shard;
use crate::ledger::{Ledger, SHARDS, SHARES, hash_at, id_of, shard, shard_of};
use crate::room::{RoomKey, StoredIdRef};

const GROUPS: usize = 64;
const GROUP_SHARDS: usize = SHARDS / GROUPS;

/// So many wait in a group before they are entered: 32 MB in all of them.
const GROUP_WAITING_MAX: usize = 32 * 1024;

/// Rooms that wait to be entered. While any does, no record may be moved among the
/// buckets, and the ledger is not to be asked.
#[derive(Debug)]
pub struct Intake {
    groups: Box<[Vec<Waiting>]>,
    waiting_max: usize,
    /// Records of rooms that have another one, which holds.
    outdated: Vec<Place>,
    /// How many rooms there may be in the end.
    expected: u64,
    /// How many of all hashes belong to each shard.
    hashes_of: Box<[u64]>,
}

/// A room whose id has this hash, and where its record stands.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    hash: u64,
    place: Place,
}

impl Default for Intake {
    fn default() -> Self {
        Self::new(GROUP_WAITING_MAX)
    }
}

impl Intake {
    /// Lets so many ids wait in each group before they are passed on.
    pub fn new(waiting_max: usize) -> Self {
        let mut hashes_of = vec![0; SHARDS];
        (0..SHARES).for_each(|share| hashes_of[shard_of(share)] += 1);
        Self {
            groups: vec![Vec::new(); GROUPS].into(),
            waiting_max,
            outdated: Vec::new(),
            expected: 0,
            hashes_of: hashes_of.into(),
        }
    }

    /// Says how many rooms there may be in the end, so that shards that have to grow
    /// grow once. The memory is taken as they are reached.
    pub fn expect(&mut self, rooms: usize) {
        self.expected = rooms as u64;
    }

    /// The room whose record stands here is known from now on.
    #[inline]
    pub fn enter(&mut self, ledger: &Ledger, key: RoomKey, place: Place) {
        let hash = ledger.hash(ledger.id(key));
        self.groups[shard(hash) / GROUP_SHARDS].push(Waiting { hash, place });
    }

    /// Enters all that wait, if enough do.
    pub fn pass_on(&mut self, ledger: &mut Ledger, buckets: &Buckets) {
        if self.groups.iter().any(|group| group.len() >= self.waiting_max) {
            self.enter_all(ledger, buckets);
        }
    }

    /// How many records are known to count no more.
    pub fn outdated(&self) -> usize {
        self.outdated.len()
    }

    /// Enters all that wait. Returns the places of records that the ledger does not
    /// know, since there are others of their rooms.
    #[must_use]
    pub fn settle(&mut self, ledger: &mut Ledger, buckets: &Buckets) -> BTreeSet<Place> {
        self.enter_all(ledger, buckets);
        self.outdated.drain(..).collect()
    }

    /// Enters all groups, on all cores.
    fn enter_all(&mut self, ledger: &mut Ledger, buckets: &Buckets) {
        let Self { groups, outdated, expected, hashes_of, .. } = self;
        let Ledger { shards, long, hashes, rooms } = ledger;
        let hash_at = |place| hash_at(place, hashes, long, buckets);
        let id_at = |place| id_of(buckets.key(place), long);
        let entry = Entry { buckets, hash_at, id_at, expected: *expected };
        let groups = groups.par_iter_mut().zip(shards.par_chunks_mut(GROUP_SHARDS));
        let entered =
            groups.zip(hashes_of.par_chunks(GROUP_SHARDS)).map_init(Vec::new, |sorted, of_group| {
                let ((waiting, places), hashes_of) = of_group;
                entry.enter_group(waiting, sorted, places, hashes_of)
            });
        for Entered { rooms: more, outdated: places } in entered.collect::<Vec<_>>() {
            *rooms += more;
            outdated.extend(places);
        }
    }
}

/// What is needed to enter a group, beside itself.
struct Entry<'a, HashAt, IdAt> {
    buckets: &'a Buckets,
    hash_at: HashAt,
    id_at: IdAt,
    expected: u64,
}

/// What a group came to.
#[derive(Debug, Default)]
struct Entered {
    /// How many rooms are known now that were not.
    rooms: usize,
    outdated: Vec<Place>,
}

impl<'i, HashAt, IdAt> Entry<'_, HashAt, IdAt>
where
    HashAt: Fn(Place) -> u64,
    IdAt: Fn(Place) -> StoredIdRef<'i>,
{
    /// Enters all that wait in a group.
    fn enter_group(
        &self,
        waiting: &mut Vec<Waiting>,
        sorted: &mut Vec<Waiting>,
        shards: &mut [Shard],
        hashes_of: &[u64],
    ) -> Entered {
        let (mut begin, mut entered) = (0, Entered::default());
        let ends = sort_by_shard(waiting, sorted);
        waiting.clear();
        for ((places, &hashes), end) in shards.iter_mut().zip(hashes_of).zip(ends) {
            self.make_place(places, hashes, end - begin);
            self.enter_shard(places, &sorted[begin..end], &mut entered);
            begin = end;
        }
        entered
    }

    fn enter_shard(&self, places: &mut Shard, waiting: &[Waiting], entered: &mut Entered) {
        let Self { buckets, hash_at, id_at, .. } = self;
        for waiting in waiting.chunks(AT_ONCE) {
            waiting.iter().for_each(|room| places.fetch(room.hash));
            for room in waiting {
                if let Some(known) = places.guess(room.hash) {
                    // Both are compared.
                    buckets.fetch(known);
                    buckets.fetch(room.place);
                }
            }
            for &Waiting { hash, place } in waiting {
                // What has the same hash is nearly always the same; what has not is far away.
                let is_it = |known| hash_at(known) == hash && id_at(known) == id_at(place);
                if let Some(known) = places.find_mut(hash, is_it) {
                    // The later of two that say the same can go without another moving into its
                    // place: it is the last one, or those behind it go as well.
                    let says_the_same = buckets.room(*known) == buckets.room(place);
                    entered.outdated.push(if says_the_same {
                        place
                    } else {
                        std::mem::replace(known, place)
                    });
                } else {
                    places.insert(hash, place, hash_at);
                    entered.rooms += 1;
                }
            }
        }
    }

    /// Makes a shard, to which so many of all hashes belong and which has to grow for more
    /// rooms, as large as it is expected to become.
    fn make_place(&self, places: &mut Shard, hashes: u64, more: usize) {
        if more > places.free() {
            let expected = with_deviation(self.expected.saturating_mul(hashes) / SHARES);
            let expected = usize::try_from(expected).unwrap_or(0).saturating_sub(places.len());
            places.reserve(expected, &self.hash_at);
        }
    }
}

/// So many rooms of a shard that gets this many in the middle that none of the shards is likely
/// to get more: half of them would grow for the last few of their rooms otherwise.
fn with_deviation(rooms: u64) -> u64 {
    rooms + 4 * rooms.isqrt()
}

/// Sorts the rooms of one group by shard, in the order in which they came; returns
/// where each one's part ends.
fn sort_by_shard(group: &[Waiting], sorted: &mut Vec<Waiting>) -> [usize; GROUP_SHARDS] {
    let in_group = |room: &Waiting| shard(room.hash) % GROUP_SHARDS;
    let mut ends = [0; GROUP_SHARDS];
    group.iter().for_each(|room| ends[in_group(room)] += 1);
    let mut before = 0;
    for end in &mut ends {
        before += std::mem::replace(end, before);
    }
    sorted.clear();
    sorted.resize(group.len(), Waiting { hash: 0, place: Place::default() });
    for room in group {
        // Each end begins at its part's beginning, and moves on to its end.
        let end = &mut ends[in_group(room)];
        sorted[*end] = *room;
        *end += 1;
    }
    ends
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::{DepartmentSlot, PackedId, Room, Timestamp};

    #[test]
    fn shards_that_are_told_how_many_rooms_come_grow_once() {
        const ROOMS: usize = 400_000;
        let room = Room { ts: Timestamp::from_millis(0), department: DepartmentSlot::NONE, waiting: false };
        let (mut ledger, mut buckets, mut intake) =
            (Ledger::default(), Buckets::unsummed(), Intake::new(ROOMS / GROUPS / 4));
        intake.expect(ROOMS);
        for number in 0..ROOMS {
            let key = RoomKey::Packed(PackedId::of(&number.to_string()).unwrap());
            intake.enter(&ledger, key, buckets.add(key, room));
            intake.pass_on(&mut ledger, &buckets);
        }
        assert!(intake.settle(&mut ledger, &buckets).is_empty());
        assert_eq!(ledger.len(), ROOMS);
        let grown = ledger.shards.iter().zip(&intake.hashes_of).filter(|&(shard, hashes)| {
            let expected = with_deviation(ROOMS as u64 * hashes / SHARES);
            // A line has twelve places, and one that is begun is there.
            (shard.len() + shard.free()) as u64 > expected + 12
        });
        // Less than one of ten thousand gets more than four deviations more.
        assert!(grown.count() <= 4);
    }
}
