//! How many changes a second one core applies, beside the same table from the standard
//! library's hash map:
//!
//! ```sh
//! cargo bench --bench applying
//! ROOMTALLY_ROOMS=100000 cargo bench --bench applying
//! ```
//!
//! Both sides hold 10 million rooms, or as many as told, and get batches of 1,000 changes that
//! were made before the time is taken. The other side is what one would write: a room by its id,
//! and the rooms and those waiting by hour and department, so it answers no range but of whole
//! hours. New rooms are removed again while no time is taken, so that the table stays as large
//! as it is; what its own growth costs is left out on both sides. In the end both are recounted.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails with the reason")]

mod plain;
mod rooms;

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use roomtally::room::{Change, DepartmentId, RoomChange, RoomId, Timestamp, Update};
use roomtally::room::{DepartmentSlot, Room, StoredIdRef};
use roomtally::tally::{Apply, Loading, Outcome, Question, TallyReader, TallyWriter, tally};

use plain::Plain;
use rooms::{Rooms, department, id, mixed};

const ROOMS: u64 = 10_000_000;
const DEPARTMENTS: u64 = 1_000;
/// Changes in a batch, as many as the reading thread takes at most.
const BATCH: u64 = 1_000;

/// Something that applies changes.
trait Table {
    /// Applies changes in their order; how many of them did this.
    fn apply(&mut self, changes: &[(&RoomChange<'_>, Apply)], did: Outcome) -> usize;

    /// How many rooms it counts, and how many of them wait.
    fn counts(&self) -> (u64, u64);
}

impl Table for (TallyWriter, TallyReader) {
    fn apply(&mut self, changes: &[(&RoomChange<'_>, Apply)], did: Outcome) -> usize {
        let mut right = 0;
        let by_id: Vec<_> = changes.iter().map(|(change, _)| change.by_id()).collect();
        self.0.batch().apply_all(&by_id, |at| changes[at].1, |outcome| right += usize::from(outcome == did));
        right
    }

    fn counts(&self) -> (u64, u64) {
        let sum = |answered| {
            let question = Question { from: Timestamp::MIN, to: Timestamp::MAX, answered, department: None };
            self.1.count(&question).rows().map(|row| row.rooms).sum()
        };
        (sum(None), sum(Some(false)))
    }
}

impl Table for Plain {
    fn apply(&mut self, changes: &[(&RoomChange<'_>, Apply)], did: Outcome) -> usize {
        changes.iter().filter(|(change, _)| self.change(change) == did).count()
    }

    fn counts(&self) -> (u64, u64) {
        self.counts()
    }
}

/// What a batch is made of.
#[derive(Debug, Clone, Copy)]
enum Changes {
    /// Known rooms, drawn by lot, as they are.
    Unchanged,
    /// Known rooms, drawn by lot, of which each waits now, or waits no more.
    Answered,
    /// New rooms, later and later.
    Later,
    /// New rooms, created at any instant of the year.
    AnyTime,
    /// The newest rooms go.
    Gone,
}

/// A table, and what has become of it.
struct Side<T> {
    table: T,
    names: Vec<String>,
    rooms: Rooms,
    /// Whether each of the known rooms waits.
    waiting: Vec<bool>,
    /// The number that no room had yet.
    next: u64,
    /// Rooms to be removed again, by number.
    added: Vec<u64>,
    rolled: u64,
}

impl<T: Table> Side<T> {
    fn new(table: T, rooms: Rooms) -> Self {
        let (names, waiting) = (names(), (0..rooms.count).map(is_waiting).collect());
        Self { table, names, rooms, waiting, next: rooms.count, added: Vec::new(), rolled: 0 }
    }

    /// The rooms that a batch is about, by number.
    fn numbers(&mut self, changes: Changes) -> Vec<u64> {
        match changes {
            Changes::Unchanged | Changes::Answered => {
                self.rolled += BATCH;
                (self.rolled..self.rolled + BATCH).map(|roll| mixed(roll) % self.rooms.count).collect()
            }
            Changes::Later | Changes::AnyTime => {
                let new = self.next..self.next + BATCH;
                self.next = new.end;
                self.added.extend(new.clone());
                new.collect()
            }
            Changes::Gone => {
                let left = self.added.len() - usize::try_from(BATCH).unwrap();
                self.added.drain(left..).rev().collect()
            }
        }
    }

    /// Makes a batch and applies it; how long applying took.
    fn batch(&mut self, changes: Changes) -> Duration {
        let numbers = self.numbers(changes);
        let ids: Vec<_> = numbers.iter().map(|&number| id(number)).collect();
        let Self { table, names, rooms, waiting, .. } = self;
        let told: Vec<_> = numbers
            .iter()
            .zip(&ids)
            .map(|(&number, id)| RoomChange {
                room: RoomId::new(std::str::from_utf8(id).unwrap()).unwrap(),
                change: changes.of(number, *rooms, names, waiting),
            })
            .collect();
        let told: Vec<_> = told.iter().map(|change| (change, Apply::Always)).collect();
        let begun = Instant::now();
        let right = table.apply(&told, changes.outcome());
        let took = begun.elapsed();
        assert_eq!(right, told.len(), "{changes:?}");
        took
    }

    /// How long so many batches take; the table has the same rooms afterwards.
    fn batches(&mut self, changes: Changes, count: u64) -> Duration {
        let took = (0..count).map(|_| self.batch(changes)).sum();
        while !self.added.is_empty() {
            self.batch(Changes::Gone);
        }
        took
    }

    fn check(&self) {
        let waiting = self.waiting.iter().filter(|waits| **waits).count() as u64;
        assert_eq!(self.table.counts(), (self.rooms.count, waiting), "rooms, and those that wait");
    }
}

impl Changes {
    /// What each of them does.
    fn outcome(self) -> Outcome {
        match self {
            Self::Unchanged => Outcome::Duplicate,
            Self::Answered => Outcome::Changed,
            Self::Later | Self::AnyTime => Outcome::Counted,
            Self::Gone => Outcome::Removed,
        }
    }

    fn of<'a>(self, room: u64, rooms: Rooms, names: &'a [String], waiting: &mut [bool]) -> Change<'a> {
        let stated = |rooms, waiting| stated(room, rooms, names, waiting);
        match self {
            Self::Unchanged => stated(rooms, waiting[index(room)]),
            Self::Answered => {
                let waits = &mut waiting[index(room)];
                *waits = !*waits;
                Change::Updated(Update { waiting: Some(*waits), ..Update::default() })
            }
            Self::Later => stated(rooms, is_waiting(room)),
            Self::AnyTime => stated(Rooms { is_scattered: true, ..rooms }, is_waiting(room)),
            Self::Gone => Change::Removed,
        }
    }
}

fn stated(room: u64, rooms: Rooms, names: &[String], waiting: bool) -> Change<'_> {
    let department = DepartmentId::new(names[index(rooms.department_of(room))].as_str()).unwrap();
    Change::Stated { ts: rooms.created(room), department: Some(department), waiting }
}

/// Whether a room waits at first.
fn is_waiting(room: u64) -> bool {
    room.is_multiple_of(2)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn names() -> Vec<String> {
    (0..DEPARTMENTS).map(|number| String::from_utf8(department(number).to_vec()).unwrap()).collect()
}

fn filled(rooms: Rooms) -> (TallyWriter, TallyReader) {
    let (mut writer, reader) = tally(index(DEPARTMENTS));
    let mut loading = Loading::new(index(DEPARTMENTS));
    names().iter().for_each(|name| loading.department(name).unwrap());
    loading.expect(index(rooms.count));
    for number in 0..rooms.count {
        let department = DepartmentSlot(u32::try_from(rooms.department_of(number)).unwrap() + 1);
        let room = Room { ts: rooms.created(number), department, waiting: is_waiting(number) };
        loading.put(StoredIdRef::of(std::str::from_utf8(&id(number)).unwrap()), room).unwrap();
    }
    writer.replace(loading);
    (writer, reader)
}

fn filled_plain(rooms: Rooms) -> Plain {
    let (mut plain, names) = (Plain::default(), names());
    for number in 0..rooms.count {
        let room = RoomId::new(std::str::from_utf8(&id(number)).unwrap()).unwrap().into_owned();
        let change = stated(number, rooms, &names, is_waiting(number));
        assert_eq!(plain.change(&RoomChange { room, change }), Outcome::Counted);
    }
    plain
}

fn tables(criterion: &mut Criterion) {
    let count = std::env::var("ROOMTALLY_ROOMS").map_or(ROOMS, |rooms| rooms.parse().unwrap());
    let rooms = Rooms { count, departments: DEPARTMENTS, is_scattered: false };
    let (mut ours, mut theirs) = (Side::new(filled(rooms), rooms), Side::new(filled_plain(rooms), rooms));
    for (name, changes) in [
        ("unchanged", Changes::Unchanged),
        ("answered", Changes::Answered),
        ("later", Changes::Later),
        ("any_time", Changes::AnyTime),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(BATCH)).sampling_mode(SamplingMode::Flat);
        group.bench_function("roomtally", |bencher| {
            bencher.iter_custom(|batches| ours.batches(changes, batches));
        });
        group.bench_function("hash_map", |bencher| {
            bencher.iter_custom(|batches| theirs.batches(changes, batches));
        });
        group.finish();
    }
    ours.check();
    theirs.check();
}

criterion_group! {
    name = applying;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(3));
    targets = tables
}
criterion_main!(applying);
