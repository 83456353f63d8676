//! The unmodified connectors, from the database to the answer:
//! `cargo test --features connector-tests --test connectors`.
//!
//! Debezium's MongoDB connector and MongoDB's own run in Kafka Connect, set up from the
//! ready files in `config/connectors`, and write to a real Kafka what a MongoDB tells them
//! that plays `scenario.json`. Each variant of their settings has a topic and a service
//! of its own, whose every answer is compared with a recount of the scenario; and what they
//! write is compared with what was recorded in `records/`, which the quick tests in
//! `tests/recorded.rs` read. `ROOMTALLY_UPDATE=1` records it anew.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

mod connect;
mod jars;
mod kept;
mod records;
mod scenario;
mod service;
mod topic;
mod variants;

#[path = "../kafka/http.rs"]
#[allow(dead_code, reason = "the suite of Kafka uses the rest")]
mod http;
#[path = "../kafka/node.rs"]
#[allow(dead_code, reason = "the suite of Kafka uses the rest")]
mod node;
#[path = "../kafka/wait.rs"]
#[allow(dead_code, reason = "the suite of Kafka uses the rest")]
mod wait;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use connect::{Connect, ScriptedMongoDb};
use jars::Jars;
use node::Node;
use records::Written;
use scenario::{Rooms, Told};
use service::Service;
use variants::Variant;
use wait::within;

/// In which every connector has written everything, on a busy machine.
const WRITTEN: Duration = Duration::from_mins(4);

#[test]
fn what_the_connectors_write_of_a_database_is_counted_as_the_database_counts() {
    let jars = Jars::get();
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start();
    let (servers, variants) = (node.servers(), Variant::all());
    let written = written(&jars, &servers, &variants, dir.path());

    if std::env::var_os("ROOMTALLY_UPDATE").is_some_and(|update| update == "1") {
        variants.iter().zip(&written).for_each(|(variant, records)| records::record(&variant.name, records));
    }
    for (variant, records) in variants.iter().zip(&written) {
        agree(&variant.name, records, &records::recorded(&variant.name));
    }
    count(&variants, &written, &servers, dir.path());
}

/// Runs the connectors until they have written everything.
fn written(jars: &Jars, servers: &str, variants: &[Variant], dir: &Path) -> Vec<Vec<Written>> {
    let mongodb = ScriptedMongoDb::start(jars, dir);
    let mut connect = Connect::start(jars, servers, dir);
    variants.iter().for_each(|variant| connect.create(&variant.connector(&mongodb.address)));
    let last = scenario::last_room();
    let is_last = |record: &Written| record.value.as_ref().is_some_and(|value| value.contains(&last));
    for variant in variants {
        within(WRITTEN, &format!("{} has written the last room", variant.name), || {
            connect.is_well(&variant.name);
            topic::read(servers, &variant.topic()).iter().any(is_last).then_some(())
        });
    }
    // The last room is in one partition, and what goes to another may be on its way.
    variants.iter().for_each(|variant| connect.delete(&variant.name));
    variants.iter().map(|variant| topic::read(servers, &variant.topic())).collect()
}

/// What is written means what was recorded.
#[track_caller]
fn agree(name: &str, written: &[Written], recorded: &[Written]) {
    let meaning = |records: &[Written]| records.iter().filter_map(Written::meaning).collect::<Vec<_>>();
    let (written, recorded) = (meaning(written), meaning(recorded));
    let differs = written.iter().zip(&recorded).find(|(written, recorded)| written != recorded);
    assert!(
        differs.is_none() && written.len() == recorded.len(),
        "{name} writes {} records of another meaning than the {} recorded ones; the first: {differs:#?}. If it is \
         right, record them: ROOMTALLY_UPDATE=1 cargo test --features connector-tests --test connectors",
        written.len(),
        recorded.len(),
    );
}

/// Counts each topic with a service of its own, and compares all answers.
fn count(variants: &[Variant], written: &[Vec<Written>], servers: &str, dir: &Path) {
    let start = |variant: &Variant| Service::start(servers, &variant.topic(), dir);
    let mut services: Vec<_> = variants.iter().map(start).collect();
    for ((variant, service), records) in variants.iter().zip(&mut services).zip(written) {
        service.is_ready();
        let rooms = Rooms::at_the_end(variant.tells());
        let questions = service.agrees_with(&rooms, &variant.name);
        let results = service.results();
        let all: usize = results.iter().map(|(_, count)| count).sum();
        let refused: usize = results.iter().filter(|(of, _)| of == "rejected").map(|(_, count)| count).sum();
        assert_eq!((all, refused), (records.len(), 0), "{}: {results:?}", variant.name);
        let partitions: BTreeSet<_> = records.iter().map(|record| record.partition).collect();
        assert_eq!(partitions.len(), if variant.has_one_partition() { 1 } else { 4 }, "{}", variant.name);
        let losing = if variant.tells() == Told::Everything { "" } else { ", without what was unset" };
        println!("{}: {all} records, {questions} answers{losing}", variant.name);
    }
}
