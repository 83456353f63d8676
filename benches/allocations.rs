//! How many pieces of memory records and questions take, on their way through the process:
//!
//! ```sh
//! cargo bench --bench allocations -- --rooms 1000000
//! ```
//!
//! The way is the service's own from the batch on: decoding, counting, the changes for
//! snapshots. Rooms have 17-letter ids and 1,000 departments, and come in the order of their
//! creation. Nothing is timed. `tests/allocations.rs` holds the limits.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

#[path = "../tests/allocator/mod.rs"]
mod allocator;
#[path = "../tests/quiet/mod.rs"]
mod quiet;
#[path = "../tests/steady/mod.rs"]
mod steady;

use allocator::Memory;
use quiet::{EVER, QUIET_HOUR};
use roomtally::room::Timestamp;
use roomtally::tally::{Question, TallyReader};
use steady::{Form, Steady, Walk};

const BATCH: u64 = 1_000;

fn main() {
    let rooms = std::env::args().skip_while(|argument| argument != "--rooms").nth(1);
    let rooms: u64 = rooms.map_or(1_000_000, |rooms| rooms.parse().unwrap());
    println!(
        "| form | records | rooms a year | pieces a record | pieces a batch of {BATCH} | bytes kept a record |"
    );
    println!("|---|---|---|---|---|---|");
    for form in Form::ALL {
        for rooms_a_year in [1_000_000, 10_000_000] {
            let mut steady = Steady::new(form, rooms_a_year);
            for walk in [Walk::New, Walk::Repeated, Walk::Changed] {
                report(&mut steady, form, walk, rooms_a_year, rooms / BATCH);
            }
            if form == Form::Native && rooms_a_year == 1_000_000 {
                answer(steady.reader(), EVER, None);
                answer(steady.reader(), EVER, Some("department-000500"));
            }
        }
    }
    answer(&quiet::counts(100_000, 11), QUIET_HOUR, None);
}

fn report(steady: &mut Steady, form: Form, walk: Walk, rooms_a_year: i64, batches: u64) {
    if walk != Walk::New {
        // What grows once for this walk.
        steady.batches(walk, batches, BATCH);
    }
    let ((), Memory { pieces, kept, .. }) = allocator::of(|| steady.batches(walk, batches, BATCH));
    let records = (batches * BATCH) as f64;
    let (a_record, a_batch) = (pieces as f64 / records, pieces as f64 / batches as f64);
    let (form, bytes) = (format!("{form:?}, {} bytes", steady.record_bytes()), kept as f64 / records);
    println!("| {form} | {walk:?} | {rooms_a_year} | {a_record:.4} | {a_batch:.1} | {bytes:.1} |");
}

/// What a question takes, from its thread's second one on.
fn answer(reader: &TallyReader, (from, to): (Timestamp, Timestamp), department: Option<&str>) {
    let question = Question { from, to, answered: None, department };
    drop(reader.count(&question));
    let (answer, Memory { pieces, peak, .. }) = allocator::of(|| reader.count(&question));
    eprintln!("an answer of {} rows: {pieces} pieces, at most {peak} bytes at once", answer.len());
}
