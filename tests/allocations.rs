//! What records and questions cost in pieces of memory: none for each record, and for a
//! question what the rows of its answer need. Counted, so that it is the same in every run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails with the reason")]

mod allocator;
mod quiet;
mod steady;

use allocator::Memory;
use quiet::{EVER, QUIET_HOUR, counts};
use roomtally::room::Timestamp;
use roomtally::tally::{Question, TallyReader};
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

#[track_caller]
fn check_answer(
    reader: &TallyReader,
    (from, to): (Timestamp, Timestamp),
    (answered, department): (Option<bool>, Option<&str>),
    rows: usize,
) {
    let question = Question { from, to, answered, department };
    // Each thread keeps a table from its first question on.
    drop(reader.count(&question));
    let (answer, Memory { pieces, peak, .. }) = allocator::of(|| reader.count(&question));
    assert_eq!(answer.len(), rows);
    // Two lists tell what is added up. A row has 8 bytes, and the thread has collected all of
    // them before the answer takes its list.
    let pieces_max = 2 + u64::from(rows > 0);
    let peak_max = 1_200 + 8 * rows;
    assert!(pieces <= pieces_max && peak <= peak_max, "{rows} rows: {pieces} pieces, {peak} bytes");
}

#[test]
fn an_answer_takes_memory_for_its_rows() {
    for departments in [1, 11, 1_000] {
        check_answer(&counts(departments, 0), EVER, (None, None), departments as usize);
    }
}

#[test]
fn an_answer_takes_no_memory_for_departments_that_have_no_row() {
    let reader = counts(100_000, 11);
    check_answer(&reader, QUIET_HOUR, (None, None), 11);
    // Nobody waits anywhere, so no sum adds anything.
    check_answer(&reader, QUIET_HOUR, (Some(false), None), 0);
    check_answer(&reader, EVER, (Some(false), None), 0);
}

#[test]
fn an_answer_for_one_department_takes_no_memory_for_the_others() {
    let reader = counts(100_000, 0);
    check_answer(&reader, EVER, (None, Some("department-050000")), 1);
    check_answer(&reader, EVER, (None, Some("nobody's")), 0);
}
