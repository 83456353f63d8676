//! Rooms on their way into the ledger, many at a time.
//!
//! Owns the order in which ids reach the shards. One room after the other would
//! touch another far part of the index each; here they wait, grouped by shards, and
//! are entered shard by shard, so that a shard is near while its rooms come.
//! Invariant: of several records with one id the last one holds, since all of them
//! wait in the same group, in their order.

use std::collections::BTreeSet;

use crate::buckets::{AT_ONCE, Buckets, Place};
use crate::ledger::shard::Shard;
use crate::ledger::{Ledger, SHARDS, SHARES, hash_at, id_of, shard, shard_of};
use crate::room::RoomKey;

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
    /// Where a group is sorted.
    sorted: Vec<Waiting>,
    /// Records of rooms that have another one, which holds.
    outdated: Vec<Place>,
    /// How many rooms there may be in the end.
    expected: u64,
    /// How many of all hashes belong to each shard.
    shares: Box<[u64]>,
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
        let mut shares = vec![0; SHARDS];
        (0..SHARES).for_each(|share| shares[shard_of(share)] += 1);
        Self {
            groups: vec![Vec::new(); GROUPS].into(),
            waiting_max,
            sorted: Vec::new(),
            outdated: Vec::new(),
            expected: 0,
            shares: shares.into(),
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

    /// Enters those groups in which enough wait.
    pub fn pass_on(&mut self, ledger: &mut Ledger, buckets: &Buckets) {
        for group in 0..GROUPS {
            if self.groups[group].len() >= self.waiting_max {
                self.enter_group(ledger, group, buckets);
            }
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
        (0..GROUPS).for_each(|group| self.enter_group(ledger, group, buckets));
        self.outdated.drain(..).collect()
    }

    fn enter_group(&mut self, ledger: &mut Ledger, group: usize, buckets: &Buckets) {
        let mut sorted = std::mem::take(&mut self.sorted);
        let ends = sort_by_shard(&self.groups[group], &mut sorted);
        self.groups[group].clear();
        let mut begin = 0;
        for (at, end) in ends.into_iter().enumerate() {
            if end > begin {
                self.enter_shard(ledger, group * GROUP_SHARDS + at, &sorted[begin..end], buckets);
                begin = end;
            }
        }
        self.sorted = sorted;
    }

    fn enter_shard(&mut self, ledger: &mut Ledger, shard: usize, waiting: &[Waiting], buckets: &Buckets) {
        let Ledger { shards, long, hashes, rooms } = ledger;
        let id_at = |place| id_of(buckets.key(place), long);
        let hash_at = |place| hash_at(place, hashes, long, buckets);
        let places = &mut shards[shard];
        self.make_place(places, shard, waiting.len(), hash_at);
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
                    self.outdated.push(if says_the_same { place } else { std::mem::replace(known, place) });
                } else {
                    places.insert(hash, place, hash_at);
                    *rooms += 1;
                }
            }
        }
    }

    /// Makes a shard that has to grow as large as it is expected to become.
    fn make_place(&self, places: &mut Shard, shard: usize, more: usize, hash_at: impl Fn(Place) -> u64) {
        if more > places.free() {
            let expected = self.expected.saturating_mul(self.shares[shard]) / SHARES;
            let expected = usize::try_from(with_deviation(expected)).unwrap_or(0);
            places.reserve(expected.saturating_sub(places.len()), hash_at);
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
        let grown = ledger.shards.iter().zip(&intake.shares).filter(|&(shard, share)| {
            let expected = with_deviation(ROOMS as u64 * share / SHARES);
            // A line has twelve places, and one that is begun is there.
            (shard.len() + shard.free()) as u64 > expected + 12
        });
        // Less than one of ten thousand gets more than four deviations more.
        assert!(grown.count() <= 4);
    }
}
