//! What records and questions cost in pieces of memory: none for each record, and for a
//! question what the rows of its answer need. Counted, so that it is the same in every run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails with the reason")]

mod allocator;
mod steady;

use allocator::Memory;
use roomtally::room::{DepartmentSlot, Room, StoredIdRef, Timestamp};
use roomtally::tally::{Loading, Question, TallyReader, tally};
use steady::{Form, Steady, Walk};

/// Records in a batch, as many as the reading thread takes at most.
const BATCH: u64 = 1_000;
const BATCHES: u64 = 20;
const RECORDS: u64 = BATCHES * BATCH;

/// How many pieces so many batches take once everything has grown to its size.
fn pieces_of(form: Form, walk: Walk) -> u64 {
    let mut steady = Steady::new(form, 1_000_000);
    steady.batches(Walk::New, BATCHES, BATCH);
    steady.batches(walk, BATCHES, BATCH);
    let ((), Memory { pieces, .. }) = allocator::of(|| steady.batches(walk, BATCHES, BATCH));
    pieces
}

#[test]
fn records_that_repeat_what_is_known_take_no_memory_at_all() {
    for form in Form::ALL {
        assert_eq!(pieces_of(form, Walk::Repeated), 0, "{form:?}");
    }
}

#[test]
fn changes_of_known_rooms_take_memory_only_for_what_is_handed_on() {
    for form in Form::ALL {
        // Changes are handed on in parts, each of which grows from nothing.
        let pieces = pieces_of(form, Walk::Changed);
        assert!(pieces <= 2 * BATCHES, "{form:?}: {pieces} in {BATCHES} batches");
    }
}

#[test]
fn new_rooms_take_memory_only_for_what_grows() {
    let mut steady = Steady::new(Form::Native, 1_000_000);
    steady.batches(Walk::New, BATCHES, BATCH);
    let ((), Memory { pieces, .. }) = allocator::of(|| steady.batches(Walk::New, BATCHES, BATCH));
    // Each hour's tables grow from nothing, and the index in many small parts: the bench of
    // this name tells how few that is for each room once there are many.
    assert!(pieces < RECORDS / 2, "{pieces} for {RECORDS} rooms");
}

/// A tally in which each of so many departments has a room, a thousand of them every hour.
fn counts(departments: u32) -> TallyReader {
    let (mut writer, reader) = tally(departments as usize);
    let mut loading = Loading::new(departments as usize);
    for number in 0..departments {
        loading.department(&format!("department-{number:06}")).unwrap();
    }
    for number in 0..departments {
        let ts = Timestamp::from_millis(i64::from(number / 1_000) * 3_600_000);
        let room = Room { ts, department: DepartmentSlot(number + 1), waiting: false };
        loading.put(StoredIdRef::of(&format!("room-{number:06}")), room).unwrap();
    }
    writer.replace(loading);
    reader
}

#[track_caller]
fn check_answer(reader: &TallyReader, department: Option<&str>, rows: usize) {
    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
    let question = Question { from, to, answered: None, department };
    let (answer, Memory { pieces, peak, .. }) = allocator::of(|| reader.count(&question));
    assert_eq!(answer.len(), rows);
    // A row has 24 bytes, and a list of them at most twice as much when it has grown; beside
    // it stands a sum for each department.
    assert!(pieces <= 16 && peak <= 64 + 64 * rows, "{rows} rows: {pieces} pieces, {peak} bytes");
}

#[test]
fn an_answer_takes_memory_for_its_rows() {
    for departments in [1, 11, 1_000] {
        check_answer(&counts(departments), None, departments as usize);
    }
}

#[test]
fn an_answer_for_one_department_takes_no_memory_for_the_others() {
    let reader = counts(100_000);
    check_answer(&reader, Some("department-050000"), 1);
    check_answer(&reader, Some("nobody's"), 0);
}
