//! The memory of a deployment, as `docs/operations.md` computes it, against what is taken.
//!
//! Owns that formula. What is taken is counted, piece by piece, so that it is the same in every
//! run but for the seeds of the index, which shift it by less than a hundredth.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails with the reason")]
#![allow(clippy::cast_precision_loss, reason = "numbers of rooms")]

mod allocator;

use allocator::Memory;
use roomtally::log::{Canary, NextOffset, Partition, Positions};
use roomtally::room::{
    Change, DepartmentId, DepartmentSlot, Room, RoomChange, RoomId, StoredIdRef, Timestamp,
};
use roomtally::snapshot::Changes;
use roomtally::status::Status;
use roomtally::tally::{Apply, Loading, Outcome, Question, TallyReader, TallyWriter, tally};

/// Changes are handed on in parts of so many.
const PART: usize = 16 * 1024;

/// What is counted of records, 8.5 bytes with whose they are, lies in pages of so many.
const PAGE_RECORDS: f64 = 65_536.0;
/// Their ids, 16 bytes each, lie in pieces of so many.
const PIECE_IDS: f64 = 1_024.0;
/// So many rooms of an hour stand together; those above stand by eighths of the hour.
const MIXED: f64 = 256.0;
const BLOCK: f64 = 16.0;
/// From so many rooms on an hour has sums of its quarters.
const QUARTERS_FROM: f64 = 2_048.0;

/// Of the twelve places of a line of the index, 64 bytes, 7/8 are in use when it grows and
/// half as many behind that: so many in the middle, since shards grow one after the other.
const LINE_USED: f64 = 12.0 * 7.0 / 8.0 * std::f64::consts::LN_2;

const HOUR_MS: i64 = 3_600_000;
/// The hours of every level of sums: an hour, 6 of them, a day, 8, 64 and 512 days.
const LEVELS: [f64; 6] = [1.0, 6.0, 24.0, 192.0, 1_536.0, 12_288.0];
const YEAR_HOURS: u32 = 365 * 24;

/// A deployment, as far as its memory depends on it.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rooms: u32,
    departments: u32,
    /// Over how many hours the rooms were created, evenly.
    hours: u32,
    /// Letters of an id that has no packing; 0 where ids have one.
    long_id: usize,
}

/// Letters of a department's id.
const DEPARTMENT_LETTERS: usize = 17;

impl Shape {
    /// What is needed for all that counts, in bytes.
    fn formula(self) -> f64 {
        let [rooms, departments, hours] = [self.rooms, self.departments, self.hours].map(f64::from);
        // How many of each level have a room.
        let there = LEVELS.map(|length| {
            let all = (hours / length).ceil();
            all * some(rooms / all)
        });
        let [with_hours, _, with_days, ..] = there;
        let an_hour = rooms / with_hours;
        let blocks = with_hours * blocks_of_an_hour(an_hour);
        let in_whole = |size: f64, bytes: f64| (blocks * BLOCK / size).ceil() * size * bytes;
        let records = in_whole(PAGE_RECORDS, 8.5) + in_whole(PIECE_IDS, 16.0);
        let index = 64.0 / LINE_USED * rooms + 250_000.0;
        let lists = 110.0 + 400.0 * is_reached(an_hour, MIXED);
        let buckets = lists * with_hours + 410.0 * with_days;
        let of_quarters = 40.0 + sums(departments, (an_hour - MIXED).max(0.0) / 4.0);
        let quarters = with_hours * is_reached(an_hour, QUARTERS_FROM) * 4.0 * of_quarters;
        let sums: f64 = there.map(|there| there * sums(departments, rooms / there)).iter().sum();
        let long = if self.long_id == 0 { 0.0 } else { (16.0 + self.long_id as f64) * rooms };
        let names = (160.0 + DEPARTMENT_LETTERS as f64) * departments;
        records + index + buckets + sums + quarters + long + names
    }
}

/// The blocks of an hour, where hours have so many rooms on average: those of the first rooms,
/// and where there are more, those of eight parts.
fn blocks_of_an_hour(average: f64) -> f64 {
    let of_a_part = blocks(((average - MIXED) / 8.0).max(1.0));
    blocks(average).min(MIXED / BLOCK) + 8.0 * is_reached(average, MIXED) * of_a_part
}

/// Whole blocks that so many rooms on average take: one for each that is begun.
fn blocks(average: f64) -> f64 {
    let (mut blocks, mut full) = (1.0, BLOCK);
    while full < 2.0 * average + 1_000.0 {
        blocks += is_reached(average, full);
        full += BLOCK;
    }
    blocks
}

/// The chance that there are more than so many, where there are so many on average.
fn is_reached(average: f64, full: f64) -> f64 {
    1.0 / (1.0 + (-1.7 * (average - full - 0.5) / average.sqrt()).exp())
}

/// The share of so many places that have one at least, when each has so many on average.
fn some(average: f64) -> f64 {
    1.0 - (-average).exp()
}

/// The sums of a bucket that has so many rooms: of those departments that have one of them,
/// or of all where an eighth of them have one, as wide as the largest sum.
fn sums(departments: f64, rooms: f64) -> f64 {
    let average = rooms / departments;
    let with_rooms = departments * some(average);
    if 8.0 * with_rooms < departments {
        return 17.0 * with_rooms + 20.0;
    }
    let largest = average + 3.0 * average.sqrt();
    departments
        * if largest < 256.0 {
            2.0
        } else if largest < 65_536.0 {
            4.0
        } else {
            8.0
        }
}

/// Evenly scattered numbers, the same in every run (Steele's `SplitMix`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let dice = (mixed ^ mixed >> 31) >> 32;
        u32::try_from((dice * u64::from(end)) >> 32).unwrap()
    }
}

/// The rooms of a shape, one by one: id, hour's instant, department's number.
fn each_room(shape: Shape, mut each: impl FnMut(&str, Timestamp, u32)) {
    let mut dice = Dice(1);
    for number in 0..shape.rooms {
        let letters = if shape.long_id == 0 { 17 } else { shape.long_id };
        let id = format!("R{number:0>width$}", width = letters - 1);
        let ms = i64::from(dice.below(shape.hours)) * HOUR_MS + i64::from(dice.below(3_600_000));
        each(&id, Timestamp::from_millis(ms), dice.below(shape.departments));
    }
}

fn department(number: u32) -> String {
    format!("department-{number:06}")
}

/// All rooms come one by one, as from the topic.
fn counted(shape: Shape) -> (TallyWriter, TallyReader) {
    let (mut writer, reader) = tally(shape.departments as usize);
    let names: Vec<_> = (0..shape.departments).map(department).collect();
    let mut batch = writer.batch();
    each_room(shape, |id, ts, number| {
        let department = Some(DepartmentId::new(names[number as usize].as_str()).unwrap());
        let change = Change::Stated { ts, department, waiting: number % 2 == 0 };
        let change = RoomChange { room: RoomId::new(id).unwrap(), change };
        assert_eq!(batch.apply(&change, Apply::Always), Outcome::Counted);
    });
    drop(batch);
    (writer, reader)
}

/// All rooms come from a snapshot.
fn loaded(shape: Shape) -> (TallyWriter, TallyReader) {
    let (mut writer, reader) = tally(shape.departments as usize);
    let mut loading = Loading::new(shape.departments as usize);
    (0..shape.departments).for_each(|number| loading.department(&department(number)).unwrap());
    loading.expect(shape.rooms as usize);
    each_room(shape, |id, ts, number| {
        let room = Room { ts, department: DepartmentSlot(number + 1), waiting: number % 2 == 0 };
        loading.put(StoredIdRef::of(id), room).unwrap();
    });
    writer.replace(loading);
    (writer, reader)
}

fn everything_of(department: &str) -> Question<'_> {
    Question { from: Timestamp::MIN, to: Timestamp::MAX, answered: None, department: Some(department) }
}

#[track_caller]
fn check(shape: Shape, filled: fn(Shape) -> (TallyWriter, TallyReader)) {
    let ((_writer, reader), Memory { kept, .. }) = allocator::of(|| {
        let filled = filled(shape);
        // The names are put in order for the first answer.
        assert!(!filled.1.count(&everything_of(&department(0))).is_empty());
        filled
    });
    assert_eq!(reader.rooms(), shape.rooms as usize);
    let (taken, formula) = (kept as f64 / 1e6, shape.formula() / 1e6);
    let both = format!("{shape:?}: {taken:.1} MB are taken, and {formula:.1} MB by the formula");
    assert!((0.9..=1.1).contains(&(formula / taken)), "{both}");
}

const PLAIN: Shape = Shape { rooms: 200_000, departments: 1_000, hours: YEAR_HOURS, long_id: 0 };

#[test]
fn rooms_of_a_day_take_what_the_formula_says() {
    for departments in [10, 1_000] {
        check(Shape { departments, hours: 24, ..PLAIN }, counted);
    }
}

#[test]
fn hours_whose_rooms_stand_by_eighths_take_what_the_formula_says() {
    for hours in [780, 390, 200] {
        check(Shape { hours, ..PLAIN }, counted);
        check(Shape { departments: 10, hours, ..PLAIN }, loaded);
    }
}

#[test]
fn hours_that_sum_up_their_quarters_take_what_the_formula_says() {
    for hours in [120, 60] {
        check(Shape { departments: 4_000, hours, ..PLAIN }, counted);
        check(Shape { departments: 4_000, hours, ..PLAIN }, loaded);
    }
}

#[test]
fn rooms_of_a_year_take_what_the_formula_says() {
    check(Shape { departments: 10, ..PLAIN }, counted);
    check(PLAIN, counted);
}

#[test]
fn a_million_rooms_of_a_year_take_what_the_formula_says() {
    check(Shape { rooms: 1_000_000, ..PLAIN }, loaded);
}

#[test]
fn rooms_of_ten_years_take_what_the_formula_says() {
    check(Shape { departments: 10, hours: 10 * YEAR_HOURS, ..PLAIN }, counted);
    check(Shape { hours: 10 * YEAR_HOURS, ..PLAIN }, loaded);
}

#[test]
fn a_hundred_thousand_departments_take_no_table_of_departments_and_hours() {
    check(Shape { departments: 100_000, hours: 10 * YEAR_HOURS, ..PLAIN }, loaded);
    check(Shape { departments: 100_000, hours: 24, ..PLAIN }, loaded);
}

#[test]
fn ids_that_cannot_be_packed_take_their_text_more() {
    check(Shape { long_id: 40, ..PLAIN }, counted);
}

#[test]
fn changes_that_wait_for_a_snapshot_take_32_bytes_each() {
    let room = Room { ts: Timestamp::from_millis(0), department: DepartmentSlot(1), waiting: true };
    let (parts, Memory { kept, .. }) = allocator::of(|| {
        let part = || {
            let mut changes = Changes::default();
            (0..PART).for_each(|_| changes.push(StoredIdRef::of("BtS3XkqN8mY2cQwZr"), Some(room)));
            changes
        };
        (0..8).map(|_| part()).collect::<Vec<_>>()
    });
    let changes: usize = parts.iter().map(Changes::len).sum();
    let each = kept as f64 / changes as f64;
    assert!((28.8..=35.2).contains(&each), "{each}");
}

#[test]
fn partitions_take_less_than_a_kilobyte_each() {
    for partitions in [1, 64] {
        let (followed, Memory { kept, .. }) = allocator::of(|| {
            let (mut positions, status) = (Positions::default(), Status::default());
            for partition in (0..partitions).map(Partition) {
                positions.begin(partition, NextOffset::START);
                positions.remember(partition, Canary::of(0, None, Some(b"key"), Some(b"value")));
            }
            status.restore(&positions);
            // Of the newest snapshot, and of the one on its way.
            (positions.clone(), positions.clone(), positions, status)
        });
        assert!(kept < 8_192 + 1_024 * isize::try_from(partitions).unwrap(), "{kept} bytes");
        drop(followed);
    }
}
