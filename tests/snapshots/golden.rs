//! One directory for each version of the format: read for ever, and what today's
//! writer writes for the same state.
//!
//! `ROOMTALLY_UPDATE=1` writes the bytes of the present version where there are
//! none; those that are there are never to change.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use roomtally::log::{
    Canary, Decision, LogIdentity, NextOffset, Partition, Positions, Stop, StopId, StopReason, TopicId,
};
use roomtally::room::{Change, DepartmentId, RoomChange, RoomId, Timestamp};
use roomtally::snapshot::{Changes, Cut, Decided, Directory, Policy, State, Store, VERSION, load};
use roomtally::tally::{Apply, TallyReader, TallyWriter, tally};

use crate::disk::Disk;
use crate::rig::TOPIC;

/// The digests of the rooms in `000000000001.full` and behind `000000000002.changes`.
const FULL_DIGEST: u128 = 0xc6a9_95e3_31ca_9883_7340_fb49_1e58_4d7b;
const CHANGES_DIGEST: u128 = 0x82a4_5ea9_1dff_7820_2da0_fac2_8784_09a2;

fn golden(version: u32) -> PathBuf {
    PathBuf::from(format!("{}/tests/snapshots/golden/v{version}", env!("CARGO_MANIFEST_DIR")))
}

fn state(reader: &TallyReader, next: i64) -> State {
    let mut positions = Positions::default();
    positions.begin(Partition(0), NextOffset::START);
    positions.reach(Partition(0), NextOffset::at(next));
    positions.remember(Partition(0), Canary::of(next - 1, Some(1_700_000_000_123), None, Some(b"{}")));
    positions.begin(Partition(7), NextOffset::at(40));
    let gap = Stop::of_partition(StopReason::Gap, Partition(7), NextOffset::at(40), NextOffset::at(44));
    positions.stop(Partition(7), gap);
    let decided = Decided {
        stop: StopId::parse("gap-0-3").unwrap(),
        decision: Decision::AcceptGap,
        at: Timestamp::from_millis(1_700_000_000_456),
        missing: vec![(Partition(0), NextOffset::at(1), NextOffset::at(3))],
    };
    State {
        generation: 0,
        topic: TOPIC.to_owned(),
        identity: LogIdentity { cluster: Some("cluster-1".to_owned()), topic: Some(TopicId([0xab; 16])) },
        positions,
        decisions: vec![decided],
        written_at: Timestamp::from_millis(1_700_000_001_000 + next),
        rooms: reader.rooms() as u64,
    }
}

fn stated(id: &str, ts: i64, department: Option<&'static str>, waiting: bool) -> RoomChange<'static> {
    let department = department.map(|name| DepartmentId::new(name).unwrap());
    let ts = Timestamp::from_millis(ts);
    RoomChange {
        room: RoomId::new(id.to_owned()).unwrap(),
        change: Change::Stated { ts, department, waiting },
    }
}

/// Every form of an id, instants at both ends, departments without a name and none.
fn rooms() -> [RoomChange<'static>; 8] {
    [
        stated("a", 0, None, true),
        stated("sixteen bytes ok", -1, Some("sales"), false),
        stated("BtS3XkqN8mY2cQwZr", 1_600_000_000_000, Some("sales"), true),
        stated("507f1f77bcf86cd799439011", 1_600_000_000_001, Some(""), false),
        stated("123e4567-e89b-12d3-a456-426614174000", Timestamp::MIN.as_millis(), Some("support"), true),
        stated(&"long ".repeat(25), Timestamp::MAX.as_millis(), None, false),
        stated("Räume, die keine gepackte Form haben", 1_600_000_000_002, Some("sales"), true),
        stated("gone", 5, None, true),
    ]
}

/// What happens behind the full file.
fn changes() -> [RoomChange<'static>; 3] {
    [
        stated("a", 1, Some("spät"), false),
        RoomChange { room: RoomId::new("gone").unwrap(), change: Change::Removed },
        stated(&"other ".repeat(20), 7_200_000, Some("spät"), true),
    ]
}

fn apply(writer: &mut TallyWriter, store: Option<&mut Store>, all: &[RoomChange<'_>]) {
    let mut batch = writer.batch();
    for change in all {
        let _ = batch.apply(change, Apply::Always);
    }
    drop(batch);
    let mut told = Changes::default();
    writer.drain_changes().for_each(|changed| told.push(changed.id.as_ref(), changed.room));
    told.know(writer.departments_named());
    if let Some(store) = store {
        store.changed(told);
    }
}

/// Today's bytes for the state; the digests of both generations.
fn written() -> (BTreeMap<String, Vec<u8>>, [u128; 2]) {
    let disk = Disk::default();
    let directory = Directory::new(disk.files());
    let loaded = load(&directory, 100, Some(TOPIC)).unwrap();
    let (mut writer, reader) = tally(100);
    writer.keep_changes();
    apply(&mut writer, None, &rooms());
    let mut store = Store::new(directory, reader.clone(), Policy::default(), &loaded);
    let cut = |store: &mut Store, next: i64, departments: usize| {
        let visited = store.visited();
        store.cut(Cut { state: state(&reader, next), departments, visited });
        store.confirm().unwrap()
    };
    assert_eq!(cut(&mut store, 8, 3), None);
    while store.is_visiting() {
        let _ = store.visit().unwrap();
    }
    assert!(cut(&mut store, 8, 3).is_some());
    let full = reader.digest();
    apply(&mut writer, Some(&mut store), &changes());
    assert!(cut(&mut store, 11, 4).is_some());
    let contents = disk.contents().into_iter().filter(|(name, _)| !name.ends_with("unfinished")).collect();
    (contents, [full, reader.digest()])
}

#[test]
fn todays_writer_writes_the_golden_bytes() {
    let (contents, digests) = written();
    assert_eq!(digests, [FULL_DIGEST, CHANGES_DIGEST], "{digests:#x?}");
    let dir = golden(VERSION);
    for (name, bytes) in contents {
        let path = dir.join(&name);
        if std::env::var_os("ROOMTALLY_UPDATE").is_some() && !path.exists() {
            fs::create_dir_all(&dir).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "{name}: a change of the format needs a new version");
    }
}

#[test]
fn todays_reader_reads_every_version_to_the_known_state() {
    for version in 1..=VERSION {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(golden(version)).unwrap() {
            let entry = entry.unwrap();
            files.insert(entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
        }
        assert_eq!(files.len(), 2);
        for (generation, next, rooms, digest) in [(2, 11, 8, CHANGES_DIGEST), (1, 8, 8, FULL_DIGEST)] {
            let mut loaded = load(&Directory::new(Disk::with(&files).files()), 100, Some(TOPIC)).unwrap();
            let found = loaded.found.as_mut().unwrap();
            let (mut writer, reader) = tally(100);
            writer.replace(found.take_tally());
            let expected = State { generation, ..state(&reader, next) };
            assert_eq!((&found.state, reader.rooms(), reader.digest()), (&expected, rooms, digest));
            files.pop_last();
        }
    }
}
