//! Lives of rooms, told in every form in which documents reach Kafka.
//!
//! A database is changed at random, every change is rendered as some connector with some
//! setting would write it, and what we make of the records is held against the query
//! that Rocket.Chat asks the database.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails with the reason")]

#[path = "../campaign/mod.rs"]
mod campaign;
mod database;
mod forms;

use std::collections::BTreeMap;

use campaign::{Dice, Totals};
use database::{Database, Event};
use forms::{Connector, Sent};
use roomtally::decode::{Bump, Decoded, Limits, Record, RejectReason, Rules, decode};
use roomtally::room::Timestamp;
use roomtally::tally::{Apply, Question, TallyReader, TallyWriter, tally};

/// Between the first and the last creation; few enough that rooms share instants.
const FIRST_MS: i64 = 1_600_000_000_000;
const SPAN_MS: i64 = 100 * 3_600_000;
const DEPARTMENTS: [&str; 4] = ["", "a", "65a1b2c3d4e5f60718293a4b", "GgYvrkAF63aeQmsh4"];

fn rules() -> Rules {
    let limits =
        Limits { record_bytes: 1 << 20, oldest: Timestamp::from_millis(FIRST_MS), max_future_ms: SPAN_MS };
    Rules { limits, collection: "rocketchat_room".to_owned() }
}

/// Reads a record and applies it, as the service does.
fn hear(writer: &mut TallyWriter, rules: &Rules, sent: &Sent) -> Result<(), RejectReason> {
    let (key, value) = (sent.key.as_deref().map(str::as_bytes), sent.value.as_deref().map(str::as_bytes));
    let record = Record { key, value, timestamp: Some(Timestamp::from_millis(FIRST_MS)) };
    let memory = Bump::new();
    if let Decoded::Change(change) = decode(&record, rules, &memory)? {
        let _ = writer.batch().apply(&change, Apply::Always);
    }
    Ok(())
}

fn agree(database: &Database, reader: &TallyReader, dice: &mut Dice) {
    for number in 0..12 {
        let edge = |dice: &mut Dice| {
            FIRST_MS - 2 + i64::try_from(dice.roll(u64::try_from(SPAN_MS).unwrap() + 4)).unwrap()
        };
        let (from, to) = match number {
            0 => (FIRST_MS, FIRST_MS + SPAN_MS),
            // On a room's instant, and one off.
            1..6 => (database.some_instant(dice).unwrap_or(FIRST_MS) + i64::from(number % 3) - 1, edge(dice)),
            _ => (edge(dice), edge(dice)),
        };
        let answered = dice.pick(&[None, Some(true), Some(false)]);
        let department = dice.pick(&[None, None, Some(""), Some("a"), Some("GgYvrkAF63aeQmsh4")]);
        let question = Question {
            from: Timestamp::from_millis(from),
            to: Timestamp::from_millis(to),
            answered,
            department,
        };
        let answer = reader.count(&question);
        let found: BTreeMap<_, _> =
            answer.rows().map(|row| (row.department.map(str::to_owned), row.rooms)).collect();
        assert_eq!(answer.len(), found.len());
        assert_eq!(found, database.query(from..=to, answered, department), "{question:?}");
    }
}

fn history(seed: u64, totals: &mut Totals) {
    let mut dice = Dice::new(seed);
    let (mut database, rules) = (Database::default(), rules());
    let (mut writer, reader) = tally(100);
    let connectors: Vec<_> = (0..=dice.index(3)).map(|_| Connector::random(&mut dice)).collect();
    let mut log: Vec<Sent> = Vec::new();
    let steps = 5 + dice.roll(60);
    for _ in 0..steps {
        let connector = dice.pick(&connectors);
        let events = match dice.roll(20) {
            // A snapshot of everything that is there.
            0 => database.all().map(Event::Read).collect(),
            _ => database.change(&mut dice),
        };
        for event in events {
            let sent = connector.render(&event, &mut dice);
            totals.add("records", sent.len() as u64);
            log.extend(sent);
        }
        if dice.roll(15) == 0 {
            // A connector that lost its place sends again what it sent, in the same order.
            let from = dice.index(log.len() + 1);
            let again = log[from..].to_vec();
            totals.add("repeated", again.len() as u64);
            log.extend(again);
        }
    }
    for sent in &log {
        hear(&mut writer, &rules, sent).unwrap_or_else(|reason| panic!("{reason:?}: {sent:?}"));
    }
    agree(&database, &reader, &mut dice);
    totals.add("rooms", reader.rooms() as u64);
}

#[test]
fn documents_in_every_form_come_to_what_the_database_says() {
    campaign::run("documents", 500, history);
}
