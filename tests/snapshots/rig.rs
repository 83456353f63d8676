//! A tally and its store without threads, and a model of what they must keep.

use std::collections::BTreeMap;
use std::io;

use roomtally::log::{LogIdentity, NextOffset, Partition, Positions};
use roomtally::room::{Change, DepartmentId, RoomChange, RoomId, Timestamp, Update};
use roomtally::snapshot::{
    Changes, Cut, Directory, Files, LoadError, Loaded, Policy, Published, State, Store, load, put_aside,
};
use roomtally::tally::{Apply, Loading, TallyReader, TallyWriter, tally};

pub(crate) use crate::campaign::Dice;

pub(crate) const TOPIC: &str = "livechat.rooms";
pub(crate) const DEPARTMENTS: usize = 1_000;

/// A log, and how its rooms are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// How many ids there are in each partition.
    pub(crate) rooms: u64,
    pub(crate) partitions: i32,
    pub(crate) policy: Policy,
}

impl World {
    /// A log of one partition, with numbers that are right for millions.
    pub(crate) fn new(seed: u64, rooms: u64, keep: usize) -> Self {
        Self { seed, rooms, partitions: 1, policy: Policy { keep, ..Policy::default() } }
    }

    /// A small log, with numbers that meet every path within some dozens of changes.
    pub(crate) fn small(seed: u64, dice: &mut Dice) -> Self {
        let policy = Policy {
            keep: dice.pick(&[1, 2, 3, 3, 5]),
            changes_percent_max: dice.pick(&[40, 40, 100, 300]),
            sealed_changes_min: dice.pick(&[8, 20, 60]),
            sealed_rooms_share: dice.pick(&[4, 1024]),
            kept_changes_max: dice.pick(&[50, 150, 1_000]),
            joined_changes_max: dice.pick(&[4, 16, 64]),
            visited_at_once: dice.pick(&[3, 7, 20]),
            outgrown_changes_min: dice.pick(&[30, 100, 1_000]),
        };
        Self { seed, rooms: 10 + dice.roll(40), partitions: 1, policy }
    }

    /// The change at one offset of one partition: the same whenever it is read.
    pub(crate) fn change(&self, partition: i32, offset: i64) -> RoomChange<'static> {
        let of = u64::from(partition.unsigned_abs());
        let mut dice = Dice::new(
            (self.seed.wrapping_mul(31) + of).wrapping_mul(1 << 32).wrapping_add(offset.cast_unsigned()),
        );
        let number = dice.roll(self.rooms) * u64::from(self.partitions.unsigned_abs()) + of;
        let id = match number % 7 {
            0 => format!("a long id that has no packed form, number {number}"),
            1 => format!("{number}"),
            2 => format!("{number:024x}"),
            _ => format!("room{number:013}"),
        };
        let department = match dice.roll(9) {
            0 => None,
            number => Some(DepartmentId::new(format!("department {number}")).unwrap()),
        };
        let ts =
            Timestamp::from_millis(1_600_000_000_000 + i64::try_from(dice.roll(90 * 86_400_000)).unwrap());
        let change = match dice.roll(10) {
            0 => Change::Removed,
            1 => Change::Tombstone,
            2 => Change::Updated(Update { waiting: Some(false), ..Update::default() }),
            3 => Change::Updated(Update { department: Some(department), ..Update::default() }),
            4 => Change::Updated(Update { ts: Some(ts), ..Update::default() }),
            _ => Change::Stated { ts, department, waiting: dice.roll(2) == 0 },
        };
        RoomChange { room: RoomId::new(id).unwrap(), change }
    }
}

/// The digests of the rooms behind the offsets of a log of one partition.
#[derive(Debug)]
pub(crate) struct Model {
    world: World,
    writer: TallyWriter,
    reader: TallyReader,
    next: i64,
    digests: BTreeMap<i64, u128>,
}

impl Model {
    pub(crate) fn new(world: &World) -> Self {
        let (writer, reader) = tally(DEPARTMENTS);
        Self { world: *world, writer, reader, next: 0, digests: BTreeMap::new() }
    }

    pub(crate) fn digest_at(&mut self, end: i64) -> u128 {
        if let Some(digest) = self.digests.get(&end) {
            return *digest;
        }
        if end < self.next {
            self.writer.replace(Loading::new(DEPARTMENTS));
            self.next = 0;
        }
        let mut batch = self.writer.batch();
        for offset in self.next..end {
            let _ = batch.apply(&self.world.change(0, offset), Apply::Always);
        }
        drop(batch);
        self.next = end;
        let digest = self.reader.digest();
        self.digests.insert(end, digest);
        digest
    }
}

/// One life of a service: it loaded, counts, and keeps.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) store: Store,
    pub(crate) reader: TallyReader,
    pub(crate) writer: TallyWriter,
    changes: Changes,
    /// The next offset of the first partition.
    pub(crate) next: i64,
    /// Those of the others.
    pub(crate) others: Vec<i64>,
    /// Where the last cut was taken.
    pub(crate) cut_at: i64,
    /// How many files were damaged and were put aside.
    pub(crate) damaged: usize,
    world: World,
}

impl Life {
    /// Loads what is there and goes on from it.
    pub(crate) fn begin(files: Box<dyn Files>, world: &World) -> Self {
        Self::try_begin(files, world).unwrap()
    }

    /// The same, as the service does it: damaged files are put aside once something
    /// was settled upon.
    pub(crate) fn try_begin(files: Box<dyn Files>, world: &World) -> Result<Self, LoadError> {
        let directory = Directory::new(files);
        let mut loaded = load(&directory, DEPARTMENTS, Some(TOPIC))?;
        let damaged = loaded.damaged.len();
        let _ = put_aside(&directory, &loaded.damaged);
        let (mut writer, reader) = tally(DEPARTMENTS);
        writer.keep_changes();
        let next = take_over(&mut writer, &mut loaded, world);
        let store = Store::new(directory, reader.clone(), world.policy, &loaded);
        let (next, others) = (next[0], next[1..].to_vec());
        let changes = Changes::default();
        Ok(Self { store, reader, writer, changes, next, others, cut_at: next, damaged, world: *world })
    }

    /// Applies the next changes of the log.
    pub(crate) fn count(&mut self, changes: u64) {
        self.count_of(0, changes);
    }

    /// Applies the next changes of one partition.
    pub(crate) fn count_of(&mut self, partition: usize, changes: u64) {
        let next = if partition == 0 { &mut self.next } else { &mut self.others[partition - 1] };
        let mut batch = self.writer.batch();
        for _ in 0..changes {
            let change = self.world.change(i32::try_from(partition).unwrap(), *next);
            let _ = batch.apply(&change, Apply::Always);
            *next += 1;
        }
        drop(batch);
        for changed in self.writer.drain_changes() {
            self.changes.push(changed.id.as_ref(), changed.room);
        }
    }

    /// Tells the store what changed.
    pub(crate) fn hand_on(&mut self) {
        if !self.changes.is_empty() {
            self.changes.know(self.writer.departments_named());
            self.store.changed(std::mem::take(&mut self.changes));
        }
    }

    /// What was not told yet is never told.
    pub(crate) fn lose(&mut self) {
        self.changes = Changes::default();
        self.store.lost_changes();
    }

    pub(crate) fn cut(&mut self) {
        self.hand_on();
        let mut positions = Positions::default();
        for (partition, next) in (0..).zip([self.next].iter().chain(&self.others)) {
            positions.begin(Partition(partition), NextOffset::START);
            positions.reach(Partition(partition), NextOffset::at(*next));
        }
        let state = State {
            generation: 0,
            topic: TOPIC.to_owned(),
            identity: LogIdentity { cluster: Some("cluster".to_owned()), topic: None },
            positions,
            decisions: Vec::new(),
            written_at: Timestamp::from_millis(self.next),
            rooms: self.reader.rooms() as u64,
        };
        let departments = self.writer.departments_named();
        self.store.cut(Cut { state, departments, visited: self.store.visited() });
        self.cut_at = self.next;
    }

    /// Makes a generation of what there is, whatever it takes.
    pub(crate) fn keep(&mut self) -> io::Result<Published> {
        loop {
            self.cut();
            if let Some(published) = self.store.confirm()? {
                return Ok(published);
            }
            while self.store.is_visiting() {
                let _ = self.store.visit()?;
            }
        }
    }

    /// Goes back to what is on disk.
    pub(crate) fn go_back(&mut self) -> Result<(), LoadError> {
        let mut loaded = self.store.go_back(DEPARTMENTS)?;
        let (writer, reader) = (&mut self.writer, &self.reader);
        if loaded.found.is_none() {
            writer.replace(Loading::new(DEPARTMENTS));
            assert_eq!(reader.rooms(), 0);
        }
        let next = take_over(writer, &mut loaded, &self.world);
        (self.next, self.others) = (next[0], next[1..].to_vec());
        self.changes = Changes::default();
        Ok(())
    }
}

/// Makes the loaded state the tally's; says the next offsets.
fn take_over(writer: &mut TallyWriter, loaded: &mut Loaded, world: &World) -> Vec<i64> {
    let partitions = (0..world.partitions).map(Partition);
    let Some(found) = &mut loaded.found else { return partitions.map(|_| 0).collect() };
    writer.replace(found.take_tally());
    partitions.map(|of| next_of(&found.state, of)).collect()
}

/// The position and the digest that a start would find; none if there is nothing.
pub(crate) fn look(files: Box<dyn Files>) -> Result<Option<(i64, u128)>, LoadError> {
    let mut loaded = load(&Directory::new(files), DEPARTMENTS, Some(TOPIC))?;
    let Some(found) = &mut loaded.found else { return Ok(None) };
    let (mut writer, reader) = tally(DEPARTMENTS);
    writer.replace(found.take_tally());
    assert_eq!(found.state.rooms, reader.rooms() as u64);
    Ok(Some((next_of(&found.state, Partition(0)), reader.digest())))
}

/// Only a forged state does not name a partition.
fn next_of(state: &State, partition: Partition) -> i64 {
    state.positions.get(partition).map_or(0, NextOffset::as_offset)
}
