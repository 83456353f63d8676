//! Rooms on their way into the ledger, many at a time.
//!
//! Owns the order in which ids reach the shards. One room after the other would
//! touch another far part of the index each; here they wait, grouped by shards, and
//! are entered shard by shard, so that a shard is near while its rooms come, and group beside
//! group, on as many threads as it is given.
//! Invariants: of several records with one id the last one holds, since all of them
//! wait in the same group, in their order; and the outcome is the same however many threads
//! there are.

use std::collections::BTreeSet;
use std::thread;

use parking_lot::Mutex;

use crate::buckets::{AT_ONCE, Buckets, Place};
use crate::ledger::shard::Shard;
use crate::ledger::{Ledger, SHARDS, SHARES, hash_at, id_of, shard, shard_of};
use crate::room::{RoomKey, StoredIdRef};

const GROUPS: usize = 64;
const GROUP_SHARDS: usize = SHARDS / GROUPS;

/// So many wait in a group before they are entered: up to 32 MB in all of them.
const GROUP_WAITING_MAX: usize = 32 * 1024;

/// Starting a thread takes as long as entering some hundred rooms.
const HELPED_FROM: usize = 16 * 1024;

/// A file may be longer than what it holds: no more rooms are believed to come than so many
/// times those that have come.
const EXPECTED_TIMES_MAX: u64 = 256;

/// Rooms that wait to be entered. While any does, no record may be moved among the
/// buckets, and the ledger is not to be asked.
#[derive(Debug)]
pub struct Intake {
    groups: Box<[Vec<Waiting>]>,
    /// How many of them wait for each shard.
    waiting_for: Box<[usize]>,
    waiting_max: usize,
    /// Records of rooms that have another one, which holds.
    outdated: Vec<Place>,
    /// How many rooms there may be in the end.
    expected: u64,
    /// How many of all shares belong to each shard.
    shares_of: Box<[u64]>,
    threads: usize,
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
        let mut shares_of = vec![0; SHARDS];
        (0..SHARES).for_each(|share| shares_of[shard_of(share)] += 1);
        Self {
            groups: vec![Vec::new(); GROUPS].into(),
            waiting_for: vec![0; SHARDS].into(),
            waiting_max,
            outdated: Vec::new(),
            expected: 0,
            shares_of: shares_of.into(),
            threads: 1,
        }
    }

    /// Enters on so many threads, the calling one among them.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// Says how many rooms there may be in the end, so that shards need not double on
    /// their way there. The memory is taken when the first of them are entered.
    pub fn expect(&mut self, rooms: usize) {
        self.expected = rooms as u64;
    }

    /// The room whose record stands here is known from now on.
    #[inline]
    pub fn enter(&mut self, ledger: &Ledger, key: RoomKey, place: Place) {
        let hash = ledger.hash(ledger.id(key));
        let shard = shard(hash);
        self.waiting_for[shard] += 1;
        self.groups[shard / GROUP_SHARDS].push(Waiting { hash, place });
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

    /// Enters all groups.
    fn enter_all(&mut self, ledger: &mut Ledger, buckets: &Buckets) {
        let waiting: usize = self.groups.iter().map(Vec::len).sum();
        let Ledger { shards, long, hash_builder, rooms } = ledger;
        let hash_at = |place| hash_at(place, hash_builder, long, buckets);
        let id_at = |place| id_of(buckets.key(place), long);
        self.make_room(shards, (*rooms + waiting) as u64, buckets, hash_at);
        let Self { groups, waiting_for, outdated, threads, .. } = self;
        let shards = waiting_for.chunks_mut(GROUP_SHARDS).zip(shards.chunks_mut(GROUP_SHARDS));
        let task = |(waiting, (waiting_for, shards))| Task { waiting, waiting_for, shards };
        let tasks = Mutex::new(groups.iter_mut().zip(shards).map(task));
        let entry = Entry { buckets, hash_at, id_at };
        let helpers = if waiting < HELPED_FROM { 0 } else { threads.saturating_sub(1) };
        for Entered { rooms: more, outdated: places } in with_helpers(helpers, || entry.enter_groups(&tasks))
        {
            *rooms += more;
            outdated.extend(places);
        }
    }

    /// Makes shards that have to grow as large as they are expected to become, where `known`
    /// rooms have come by now. Here and not by the helpers: what they take lies apart, where
    /// nothing else finds place once a shard has grown out of it.
    fn make_room(&self, shards: &mut [Shard], known: u64, buckets: &Buckets, hash_at: impl Fn(Place) -> u64) {
        let expected = self.expected.min(known.saturating_mul(EXPECTED_TIMES_MAX));
        for ((shard, &waiting), &shares) in shards.iter_mut().zip(&self.waiting_for).zip(&self.shares_of) {
            if waiting > shard.free() {
                let rooms = with_deviation(expected.saturating_mul(shares) / SHARES);
                let more = usize::try_from(rooms).unwrap_or(0).saturating_sub(shard.len());
                if more > shard.free() {
                    shard.iter().for_each(|place| buckets.fetch_id(place));
                    // A number that creeps up is not followed room by room.
                    shard.reserve(more.max(shard.len() / 8), &hash_at);
                }
            }
        }
    }
}

/// Runs this here and on so many threads beside, or on fewer where no more can be had; what
/// each of them returned.
fn with_helpers<T: Send>(helpers: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let helper = |number| {
            let builder = thread::Builder::new().name(format!("enter-{number}"));
            builder.spawn_scoped(scope, &work).ok()
        };
        let helpers: Vec<_> = (1..=helpers).map_while(helper).collect();
        let own = work();
        let of_helper = |helper: thread::ScopedJoinHandle<'_, T>| {
            helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        std::iter::once(own).chain(helpers.into_iter().map(of_helper)).collect()
    })
}

/// A group to be entered: what waits for its shards, how many for each, and the shards.
struct Task<'a> {
    waiting: &'a mut Vec<Waiting>,
    waiting_for: &'a mut [usize],
    shards: &'a mut [Shard],
}

/// What is needed to enter a group, beside itself.
struct Entry<'a, HashAt, IdAt> {
    buckets: &'a Buckets,
    hash_at: HashAt,
    id_at: IdAt,
}

/// What groups came to.
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
    /// Enters one group after the other, as long as there are any; each is taken once.
    fn enter_groups<'t>(&self, tasks: &Mutex<impl Iterator<Item = Task<'t>>>) -> Entered {
        let (mut sorted, mut entered) = (Vec::new(), Entered::default());
        let next = || tasks.lock().next();
        while let Some(task) = next() {
            self.enter_group(task, &mut sorted, &mut entered);
        }
        entered
    }

    /// Enters all that wait in a group.
    fn enter_group(
        &self,
        Task { waiting, waiting_for, shards }: Task<'_>,
        sorted: &mut Vec<Waiting>,
        entered: &mut Entered,
    ) {
        sort_by_shard(waiting, waiting_for, sorted);
        waiting.clear();
        let mut sorted = &sorted[..];
        for (shard, waiting_for) in shards.iter_mut().zip(waiting_for) {
            let (of_shard, rest) = sorted.split_at(std::mem::take(waiting_for));
            self.enter_shard(shard, of_shard, entered);
            sorted = rest;
        }
    }

    fn enter_shard(&self, shard: &mut Shard, waiting: &[Waiting], entered: &mut Entered) {
        let Self { buckets, hash_at, id_at } = self;
        for waiting in waiting.chunks(AT_ONCE) {
            waiting.iter().for_each(|room| shard.fetch(room.hash));
            for room in waiting {
                if let Some(known) = shard.guess(room.hash) {
                    // Both are compared.
                    buckets.fetch(known);
                    buckets.fetch(room.place);
                }
            }
            for &Waiting { hash, place } in waiting {
                // What has the same hash is nearly always the same; what has not is far away.
                let is_it = |known| hash_at(known) == hash && id_at(known) == id_at(place);
                if let Some(known) = shard.find_mut(hash, is_it) {
                    // The later of two that say the same can go without another moving into its
                    // place: it is the last one, or those behind it go as well.
                    let says_the_same = buckets.room(*known) == buckets.room(place);
                    entered.outdated.push(if says_the_same {
                        place
                    } else {
                        std::mem::replace(known, place)
                    });
                } else {
                    shard.insert(hash, place, hash_at);
                    entered.rooms += 1;
                }
            }
        }
    }
}

/// So many rooms of a shard that gets this many in the middle that hardly any of the shards gets
/// more: half of them would double for the last few of their rooms otherwise.
fn with_deviation(rooms: u64) -> u64 {
    rooms.saturating_add(4 * rooms.isqrt())
}

/// Sorts the rooms of one group by shard, in the order in which they came, where so many
/// wait for each.
fn sort_by_shard(group: &[Waiting], waiting_for: &[usize], sorted: &mut Vec<Waiting>) {
    let mut next = [0; GROUP_SHARDS];
    let mut before = 0;
    for (next, waiting) in next.iter_mut().zip(waiting_for) {
        (*next, before) = (before, before + waiting);
    }
    sorted.clear();
    sorted.resize(group.len(), Waiting { hash: 0, place: Place::default() });
    for room in group {
        let at = &mut next[shard(room.hash) % GROUP_SHARDS];
        sorted[*at] = *room;
        *at += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    use crate::room::{DepartmentSlot, PackedId, Room, Timestamp};

    fn room(ms: i64) -> Room {
        Room { ts: Timestamp::from_millis(ms), department: DepartmentSlot::NONE, waiting: false }
    }

    fn id(number: usize) -> PackedId {
        PackedId::of(&number.to_string()).unwrap()
    }

    /// Enters rooms with these numbers and instants, told before each how many there will be.
    fn enter(
        rooms: impl Iterator<Item = (usize, i64)>,
        expected: impl Fn(usize) -> usize,
        mut intake: Intake,
    ) -> (Ledger, Buckets, BTreeSet<Place>) {
        let (mut ledger, mut buckets) = (Ledger::default(), Buckets::unsummed());
        for (before, (number, ms)) in rooms.enumerate() {
            intake.expect(expected(before));
            let key = RoomKey::Packed(id(number));
            intake.enter(&ledger, key, buckets.add(key, room(ms)));
            intake.pass_on(&mut ledger, &buckets);
        }
        let outdated = intake.settle(&mut ledger, &buckets);
        (ledger, buckets, outdated)
    }

    fn once(rooms: usize) -> impl Iterator<Item = (usize, i64)> {
        (0..rooms).map(|number| (number, 0))
    }

    /// How many shards have more places than they need for what was expected.
    fn doubled(ledger: &Ledger, expected: usize) -> usize {
        let shares_of = Intake::default().shares_of;
        let shards = ledger.shards.iter().zip(&shares_of).filter(|&(shard, shares)| {
            let rooms = with_deviation(expected as u64 * shares / SHARES);
            // A line has twelve places, and one that is begun is there.
            (shard.len() + shard.free()) as u64 > rooms + 12
        });
        shards.count()
    }

    /// One of some thousand shards gets more rooms than four deviations more, so that less than
    /// one of all of them doubles on average; half of them would without.
    const DOUBLED_MAX: usize = 10;

    const ROOMS: usize = 400_000;
    /// Several passes.
    const WAITING: usize = ROOMS / GROUPS / 4;

    #[test]
    fn shards_that_are_told_how_many_rooms_come_need_not_double() {
        for threads in [1, 3] {
            let intake = Intake::new(WAITING).on_threads(threads);
            let (ledger, _, outdated) = enter(once(ROOMS), |_| ROOMS, intake);
            assert_eq!((ledger.len(), outdated.len()), (ROOMS, 0));
            assert!(doubled(&ledger, ROOMS) <= DOUBLED_MAX);
        }
    }

    #[test]
    fn shards_follow_what_is_expected_anew() {
        let known_better = |before| if before < ROOMS / 2 { ROOMS / 2 } else { ROOMS };
        let (ledger, ..) = enter(once(ROOMS), known_better, Intake::new(WAITING));
        assert!(doubled(&ledger, ROOMS) <= DOUBLED_MAX);
    }

    #[test]
    fn a_number_that_nothing_bears_out_takes_little_memory() {
        // Some for each shard.
        const FEW: usize = 20_000;
        let (ledger, ..) = enter(once(FEW), |_| usize::MAX, Intake::default());
        let places: usize = ledger.shards.iter().map(|shard| shard.len() + shard.free()).sum();
        let believed = FEW * usize::try_from(EXPECTED_TIMES_MAX).unwrap();
        assert!((believed / 2..believed * 5 / 4).contains(&places), "{places} for {believed}");
    }

    #[test]
    fn deviations_come_on_top_of_what_comes_in_the_middle() {
        let of = with_deviation;
        assert_eq!([of(0), of(1), of(100), of(10_000)], [0, 5, 140, 10_400]);
        assert_eq!(of(u64::MAX), u64::MAX);
    }

    #[test]
    fn the_last_of_rooms_that_come_again_holds_on_however_many_threads() {
        const DISTINCT: usize = 60_000;
        let numbers = || (0..DISTINCT).chain((0..DISTINCT).step_by(7)).chain(0..40_000);
        // Some say the same as before, and some another instant.
        let rooms =
            || numbers().zip(0..).map(|(number, at)| (number, at / 50_000 * i64::from(number % 3 > 0)));
        let expected: HashMap<_, _> = rooms().collect();
        for threads in [1, 2, 5] {
            let intake = Intake::new(WAITING).on_threads(threads);
            let (ledger, buckets, outdated) = enter(rooms(), |_| DISTINCT, intake);
            for (&number, &ms) in &expected {
                let place = ledger.find(ledger.hashed(StoredIdRef::Packed(id(number))), &buckets).unwrap();
                assert_eq!(buckets.room(place), room(ms));
                assert!(!outdated.contains(&place));
            }
            assert_eq!((ledger.len(), outdated.len()), (DISTINCT, rooms().count() - DISTINCT));
        }
    }

    #[test]
    fn helpers_work_beside_the_thread_that_asks_for_them() {
        for helpers in [0, 1, 4] {
            let threads = with_helpers(helpers, || thread::current().id());
            assert_eq!(threads[0], thread::current().id());
            assert_eq!(threads.iter().collect::<HashSet<_>>().len(), 1 + helpers);
        }
    }
}
