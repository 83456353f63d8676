//! How quickly counts are answered in this process, without HTTP:
//!
//! ```sh
//! cargo bench --bench answers -- --rooms 10000000
//! answers --rooms 10000000 --ask --csv rooms.csv
//! ```
//!
//! Owns the rooms, of 1,000 departments over one year, and random ranges of it. Asked by
//! `scripts/bench`, it waits for lines on standard input between its rounds, so that the other
//! side can have its turn, and both answer the same ranges:
//!
//! - `time FIRST COUNT`: that many ranges from the one of this number; prints
//!   `p50 p99` in nanoseconds.
//! - `rows FIRST COUNT`: what the answers are, a line each: `FROM TO DEPARTMENT:ROOMS …`,
//!   departments as numbers, in their order.
//!
//! `--csv` writes the rooms for the other side: instant and number of the department.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails with the reason")]

mod arguments;
mod latencies;
mod rooms;

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write as _, stdin};
use std::time::Instant;

use roomtally::room::{DepartmentSlot, Room, StoredIdRef, Timestamp};
use roomtally::tally::{Loading, Question, TallyReader, TallyWriter, tally};

use arguments::{Arguments, stop};
use latencies::Latencies;
use rooms::{Rooms, department, id, ranges};

/// Ranges that are answered before the time is taken.
const WARM_UP: usize = 100;

fn main() {
    let arguments = Arguments::given_or_none();
    let rooms =
        Rooms { count: arguments.number("--rooms", 1_000_000), departments: 1_000, is_scattered: false };
    if arguments.has("--csv") {
        write_rooms(rooms, arguments.text("--csv"));
    }
    let (_writer, reader) = filled(rooms);
    if arguments.has("--ask") {
        println!("ready");
        stdin().lines().for_each(|line| answer(&reader, rooms, &line.unwrap()));
    } else {
        let Latencies { p50, p99, .. } = timed(&reader, 0, 10_000);
        println!("{} rooms, {} departments: p50 {p50:.1?}, p99 {p99:.1?}", rooms.count, rooms.departments);
    }
}

fn filled(rooms: Rooms) -> (TallyWriter, TallyReader) {
    let places = usize::try_from(rooms.departments).unwrap();
    let mut loading = Loading::new(places);
    for number in 0..rooms.departments {
        loading.department(std::str::from_utf8(&department(number)).unwrap()).unwrap();
    }
    loading.expect(usize::try_from(rooms.count).unwrap());
    for number in 0..rooms.count {
        let slot = DepartmentSlot(u32::try_from(rooms.department_of(number)).unwrap() + 1);
        let room = Room { ts: rooms.created(number), department: slot, waiting: false };
        loading.put(StoredIdRef::of(std::str::from_utf8(&id(number)).unwrap()), room).unwrap();
    }
    let (mut writer, reader) = tally(places);
    writer.replace(loading);
    assert_eq!(reader.rooms() as u64, rooms.count, "every room has an id of its own");
    (writer, reader)
}

fn write_rooms(rooms: Rooms, path: &str) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    for number in 0..rooms.count {
        writeln!(file, "{},{}", rooms.created(number).as_millis(), rooms.department_of(number)).unwrap();
    }
    file.into_inner().unwrap();
}

fn answer(reader: &TallyReader, rooms: Rooms, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok());
    match (words[0], number(1), number(2).and_then(|count: u64| usize::try_from(count).ok())) {
        ("time", Some(first), Some(count)) => {
            let Latencies { p50, p99, .. } = timed(reader, first, count);
            println!("{} {}", p50.as_nanos(), p99.as_nanos());
        }
        ("rows", Some(first), Some(count)) => print_rows(reader, rooms, first, count),
        _ => stop(&format!("what is {line:?}?")),
    }
}

fn timed(reader: &TallyReader, first: u64, count: usize) -> Latencies {
    let ask = |(from, to)| {
        let begun = Instant::now();
        // Rows are part of an answer, however late they are made.
        let answer = reader.count(&question(from, to));
        for row in answer.rows() {
            black_box(row);
        }
        begun.elapsed()
    };
    let asked = ranges(first + (1 << 40)).take(WARM_UP).chain(ranges(first).take(count));
    Latencies::of(asked.map(ask).skip(WARM_UP).collect())
}

fn question(from: i64, to: i64) -> Question<'static> {
    let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(to));
    Question { from, to, answered: None, department: None }
}

fn print_rows(reader: &TallyReader, rooms: Rooms, first: u64, count: usize) {
    let named = |number| String::from_utf8(department(number).to_vec()).unwrap();
    let numbers: HashMap<_, _> = (0..rooms.departments).map(|number| (named(number), number)).collect();
    for (from, to) in ranges(first).take(count) {
        let answer = reader.count(&question(from, to));
        let mut rows: Vec<_> =
            answer.rows().map(|row| (numbers[row.department.unwrap()], row.rooms)).collect();
        rows.sort_unstable();
        print!("{from} {to}");
        rows.iter().for_each(|(department, rooms)| print!(" {department}:{rooms}"));
        println!();
    }
}
