//! What was wrong once, each in as few steps as show it.

use std::collections::BTreeSet;

use roomtally::log::{Canary, NextOffset, Partition, Positions};
use roomtally::room::Timestamp;
use roomtally::snapshot::{Cut, Directory, FileKind, State, load};

use crate::disk::{Disk, EIO, ENOSPC, Fault};
use crate::rig::{DEPARTMENTS, Dice, Life, Model, TOPIC, World, look};

fn world(keep: usize, changes_percent_max: u64) -> World {
    let mut world = World::new(5, 40, keep);
    world.policy.sealed_changes_min = 1;
    world.policy.visited_at_once = 10;
    world.policy.changes_percent_max = changes_percent_max;
    world
}

#[test]
fn changes_held_back_for_a_cut_that_was_replaced_are_in_the_file_with_all_rooms() {
    for seed in 0..20 {
        let (disk, world) = (Disk::default(), World { seed, ..world(3, 1) });
        let mut life = Life::begin(disk.files(), &world);
        life.count(200);
        assert_eq!(life.keep().unwrap().kind, FileKind::Full);
        life.count(5);
        assert_eq!(life.keep().unwrap().kind, FileKind::Changes);
        // All rooms are being visited: half of them have been.
        let _ = life.store.visit().unwrap();
        assert!(life.store.is_visiting());
        life.cut();
        life.count(60);
        life.hand_on();
        life.store.reject();
        life.cut();
        assert_eq!(life.store.confirm().unwrap().unwrap().kind, FileKind::Changes);
        while life.store.is_visiting() {
            let _ = life.store.visit().unwrap();
        }
        assert_eq!(life.keep().unwrap().kind, FileKind::Full);
        assert_eq!(look(disk.files()).unwrap(), Some((265, Model::new(&world).digest_at(265))), "{seed}");
    }
}

#[test]
fn a_damaged_file_that_was_not_put_aside_is_never_removed() {
    let (disk, world) = (Disk::default(), world(1, 1_000_000));
    let mut life = Life::begin(disk.files(), &world);
    life.count(100);
    let first = life.keep().unwrap().name().to_string();
    life.count(10);
    let second = life.keep().unwrap().name().to_string();
    disk.damage(&first);
    let damaged = disk.contents()[&first].clone();
    life.go_back().unwrap();
    assert_eq!(life.next, 0);
    for _ in 0..3 {
        life.count(50);
        life.keep().unwrap();
        assert_eq!(disk.contents()[&first], damaged);
    }
    // What builds upon it is there as well, until all that are kept are newer.
    assert!(!disk.contents().contains_key(&second));
}

#[test]
fn no_number_is_used_twice_whatever_fails() {
    for at in 1..40 {
        let (disk, world) = (Disk::default(), world(2, 40));
        let mut life = Life::begin(disk.files(), &world);
        let mut numbers = BTreeSet::new();
        let mut dice = Dice::new(at);
        for attempt in 0..6 {
            if attempt == 2 {
                disk.plan(at, Fault::Error(EIO, 0));
            }
            life.count(1 + dice.roll(20));
            if let Ok(published) = life.keep() {
                assert!(numbers.insert(published.generation));
                assert_eq!(numbers.last(), Some(&published.generation));
            }
        }
        assert!(numbers.len() >= 5);
        assert_eq!(look(disk.files()).unwrap(), Some((life.next, life.reader.digest())));
    }
}

#[test]
fn a_state_that_no_start_would_take_is_never_published() {
    let (disk, world) = (Disk::default(), world(2, 40));
    let mut life = Life::begin(disk.files(), &world);
    life.count(30);
    life.keep().unwrap();
    life.count(5);
    life.hand_on();
    let before = disk.contents();
    let mut positions = Positions::default();
    positions.begin(Partition(0), NextOffset::at(4));
    positions.remember(Partition(0), Canary::of(9, None, None, None));
    let state = State {
        generation: 0,
        topic: TOPIC.to_owned(),
        identity: roomtally::log::LogIdentity { cluster: None, topic: None },
        positions,
        decisions: Vec::new(),
        written_at: Timestamp::from_millis(0),
        rooms: life.reader.rooms() as u64,
    };
    let departments = life.writer.departments_named();
    life.store.cut(Cut { state, departments, visited: life.store.visited() });
    let error = life.store.confirm().unwrap_err().to_string();
    assert!(error.contains("reads back wrong"), "{error}");
    assert_eq!(disk.contents(), before);
    life.keep().unwrap();
    assert_eq!(look(disk.files()).unwrap(), Some((35, Model::new(&world).digest_at(35))));
}

#[test]
fn a_file_with_all_rooms_that_a_full_disk_does_not_take_is_told_once_and_begun_anew() {
    let (disk, mut world) = (Disk::default(), world(2, 1));
    world.policy.kept_changes_max = 100_000;
    let mut life = Life::begin(disk.files(), &world);
    life.count(200);
    life.keep().unwrap();
    life.count(10);
    assert_eq!(life.keep().unwrap().kind, FileKind::Changes);
    assert!(life.store.is_visiting() && life.store.take_stumble().is_none());
    disk.plan(1, Fault::Error(ENOSPC, 1_000));
    // More than is gathered before it is written.
    for _ in 0..20 {
        life.count(2_000);
        life.hand_on();
    }
    assert!(!life.store.is_visiting());
    let stumbled = life.store.take_stumble().and_then(|error| error.raw_os_error());
    assert_eq!((stumbled, life.store.take_stumble().is_none()), (Some(ENOSPC), true));
    disk.heal();
    life.count(5);
    life.keep().unwrap();
    assert_eq!(look(disk.files()).unwrap(), Some((life.next, life.reader.digest())));
}

#[test]
fn a_snapshot_is_as_large_when_it_is_written_as_at_the_next_start() {
    let (disk, world) = (Disk::default(), world(3, 300));
    let mut life = Life::begin(disk.files(), &world);
    let mut longest = 0;
    for _ in 0..20 {
        life.count(10);
        let published = life.keep().unwrap();
        let loaded = load(&Directory::new(disk.files()), DEPARTMENTS, Some(TOPIC)).unwrap();
        assert_eq!(published.bytes_in_all, loaded.found.unwrap().bytes);
        longest = longest.max(published.bytes_in_all / published.bytes);
    }
    assert!(longest > 2, "no file stood on two others");
}
