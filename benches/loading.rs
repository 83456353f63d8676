//! How quickly a snapshot's rooms and changes become the tally, without the disk:
//!
//! ```sh
//! cargo bench --bench loading -- --rooms 10000000 --changes 3400000
//! ```
//!
//! Rooms lie evenly over one year and have 17-letter ids and 1,000 departments; changes
//! are of random rooms, one in a hundred a removal, in files of 100,000.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use roomtally::room::{DepartmentSlot, Room, StoredId, StoredIdRef, Timestamp};
use roomtally::tally::{Loading, tally};

const LETTERS: &[u8; 55] = b"23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
const DEPARTMENTS: u32 = 1_000;
const FILE_CHANGES: usize = 100_000;
const YEAR_MS: u64 = 365 * 86_400_000;

fn main() {
    let (rooms, changes) = (option("--rooms", 10_000_000), option("--changes", 3_400_000));
    let ids: Vec<StoredId> = (0..rooms).map(id).collect();
    // As a start does.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut loading = Loading::new(DEPARTMENTS as usize).on_threads(cores);
    for number in 0..DEPARTMENTS {
        loading.department(&format!("department-{number:06}")).unwrap();
    }
    loading.expect(usize::try_from(rooms).unwrap());
    let begun = Instant::now();
    for (number, id) in (0..rooms).zip(&ids) {
        loading.put(id.as_ref(), room(number, rooms, number * 31)).unwrap();
    }
    assert_eq!(loading.rooms() as u64, rooms);
    report("rooms put", rooms, begun);
    let changes = random_changes(&ids, changes);
    let begun = Instant::now();
    for file in changes.chunks(FILE_CHANGES) {
        file.iter().for_each(|(id, room)| loading.change(id.as_ref(), *room).unwrap());
        loading.rooms();
    }
    report("changes made", changes.len() as u64, begun);
    let (mut writer, reader) = tally(DEPARTMENTS as usize);
    let begun = Instant::now();
    writer.replace(loading);
    report("rooms added up", reader.rooms() as u64, begun);
}

/// The number behind `name` on the command line.
fn option(name: &str, default: u64) -> u64 {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1);
    value.map_or(default, |value| value.parse().unwrap())
}

fn report(what: &str, count: u64, begun: Instant) {
    let took = begun.elapsed();
    let in_a_second = u128::from(count) * 1_000_000 / took.as_micros().max(1);
    println!("{what}: {count} in {took:.2?}, {in_a_second} a second");
}

/// Scattered like the ids that Rocket.Chat gives.
fn id(number: u64) -> StoredId {
    let mut mixed = u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let mut letter = || {
        let letter = LETTERS[usize::try_from(mixed % 55).unwrap()];
        mixed /= 55;
        char::from(letter)
    };
    let text: String = (0..17).map(|_| letter()).collect();
    StoredIdRef::of(&text).into_owned()
}

fn room(number: u64, rooms: u64, dice: u64) -> Room {
    let ts = Timestamp::from_millis(1_735_689_600_000 + (number * YEAR_MS / rooms).cast_signed());
    let department = u32::try_from(dice % u64::from(DEPARTMENTS)).unwrap() + 1;
    Room { ts, department: DepartmentSlot(department), waiting: dice >> 60 & 1 == 0 }
}

/// Marsaglia's xorshift: the same changes in every run.
fn random_changes(ids: &[StoredId], changes: u64) -> Vec<(StoredId, Option<Room>)> {
    let (mut dice, rooms) = (88_172_645_463_325_252_u64, ids.len() as u64);
    let mut change = |number: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let id = ids[usize::try_from(dice % rooms).unwrap()].clone();
        (id, (!number.is_multiple_of(100)).then(|| room(dice % rooms, rooms, dice >> 3)))
    };
    (0..changes).map(&mut change).collect()
}
