//! What the connectors wrote, counted without a broker.
//!
//! `tests/connectors/records` holds what unmodified connectors put into a real Kafka when
//! they were shown `tests/connectors/scenario.json`; how it was recorded, and is compared
//! with what they write today, is `tests/connectors/main.rs`. Each variant's records are
//! read and applied as the service does, and every answer is compared with the recount.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]
#![allow(dead_code, reason = "the suite with the connectors uses the rest of these modules")]

#[path = "connectors/records.rs"]
mod records;
#[path = "connectors/scenario.rs"]
mod scenario;
#[path = "connectors/variants.rs"]
mod variants;

use std::collections::{BTreeMap, BTreeSet};

use records::Written;
use roomtally::decode::{Bump, Decoded, key_names_a_room};
use roomtally::room::Timestamp;
use roomtally::tally::{Apply, Question, TallyReader, tally};
use scenario::{Rooms, Rows, Told};
use variants::Variant;

fn counted(records: &[Written]) -> TallyReader {
    let (rules, (mut writer, reader)) = (records::rules(), tally(1_000));
    for record in records {
        let memory = Bump::new();
        match record.decoded(&rules, &memory) {
            Ok(Decoded::Change(change)) => drop(writer.batch().apply(&change, Apply::Always)),
            Ok(Decoded::Ignored(_)) => {}
            Err(reason) => panic!("{reason:?}: {record:?}"),
        }
    }
    reader
}

fn answer(reader: &TallyReader, question: &scenario::Question) -> Rows {
    let rows = reader.count(&Question {
        from: Timestamp::from_millis(question.start),
        to: Timestamp::from_millis(question.end),
        answered: question.answered,
        department: question.department.as_deref(),
    });
    rows.rows().map(|row| (row.department.map(str::to_owned), row.rooms)).collect()
}

#[test]
fn what_every_connector_wrote_comes_to_what_the_database_says() {
    for variant in Variant::all() {
        let reader = counted(&records::recorded(&variant.name));
        let rooms = Rooms::at_the_end(variant.tells());
        for question in rooms.questions() {
            assert_eq!(answer(&reader, &question), rooms.rows(&question), "{}: {question:?}", variant.name);
        }
        assert_eq!(reader.rooms(), rooms.count(), "{}", variant.name);
    }
}

#[test]
fn flattened_updates_without_look_up_lose_what_was_unset_and_so_the_counts_differ() {
    let (truth, told) = (Rooms::at_the_end(Told::Everything), Rooms::at_the_end(Told::NothingUnset));
    let differs = |question: &scenario::Question| truth.rows(question) != told.rows(question);
    assert!(truth.questions().iter().any(differs));
    assert_eq!(Variant::all().iter().filter(|variant| variant.tells() == Told::NothingUnset).count(), 1);
}

#[test]
fn all_records_of_a_room_are_in_one_partition_under_a_key_that_names_it() {
    for variant in Variant::all().into_iter().filter(|variant| !variant.has_one_partition()) {
        let mut partitions: BTreeMap<String, i32> = BTreeMap::new();
        let records = records::recorded(&variant.name);
        for record in &records {
            let (rules, memory) = (records::rules(), Bump::new());
            let Decoded::Change(change) = record.decoded(&rules, &memory).unwrap() else { continue };
            assert!(names_a_room(record), "{}: {record:?}", variant.name);
            let before = partitions.insert(change.room.as_str().to_owned(), record.partition);
            assert!(before.is_none_or(|before| before == record.partition), "{}: {record:?}", variant.name);
        }
        let used: BTreeSet<_> = partitions.values().collect();
        assert!(used.len() > 1, "{}: several partitions are used", variant.name);
    }
}

#[test]
fn a_resume_token_as_the_key_is_seen_to_name_no_room() {
    let records = records::recorded("mongodb-token-key");
    assert!(!records.is_empty() && !records.iter().any(names_a_room));
}

fn names_a_room(record: &Written) -> bool {
    key_names_a_room(record.key.as_deref().map(str::as_bytes))
}

#[test]
fn the_records_have_what_only_connectors_write() {
    for (variant, expected) in [
        // No JSON, and a good room all the same.
        ("debezium", r#"\"ratio\": NaN,\"up\": Infinity,\"down\": -Infinity"#),
        ("mongodb", r#""ratio": NaN, "up": Infinity, "down": -Infinity"#),
        // No deletion: the document was gone when it was looked up.
        (
            "debezium",
            r#""after":null,"updateDescription":{"removedFields":null,"updatedFields":"{\"departmentId\""#,
        ),
        ("mongodb", r#""fullDocument": null, "ns""#),
        // A deleted department.
        ("debezium-no-look-up", r#""removedFields":["departmentId","departmentAncestors"]"#),
        ("mongodb-no-look-up", r#""removedFields": ["departmentId", "departmentAncestors"]"#),
        // Dates in three spellings.
        ("debezium", r#"\"ts\": {\"$date\": 1698912930123}"#),
        ("mongodb-simplified", r#""ts": "2023-11-02T08:15:30.123Z""#),
        ("mongodb-extended", r#""ts": {"$date": {"$numberLong": "1698912930123"}}"#),
        ("debezium-flattened", r#""ts":1698912930123"#),
        ("debezium-flattened", r#""__deleted":true"#),
        // JSON in a JSON string.
        ("mongodb-json-converter-plain", r#""{\"_id\": {\"_data\""#),
        ("mongodb-whole-database", r#""operationType": "drop""#),
        ("mongodb-extended", r#""operationType": "createIndexes""#),
        ("mongodb-pre-image", r#""fullDocumentBeforeChange": {"_id""#),
    ] {
        let records = records::recorded(variant);
        let has = records.iter().any(|record| record.value.as_ref().is_some_and(|of| of.contains(expected)));
        assert!(has, "{variant}: {expected}");
    }
    for variant in ["debezium-whole-database", "mongodb-whole-database"] {
        let heartbeats = records::recorded(variant).iter().filter(|of| of.meaning().is_none()).count();
        assert_eq!(heartbeats, 1, "{variant}");
    }
}
