//! How many records a second one core decodes, beside `serde_json` on the same records:
//!
//! ```sh
//! cargo bench --bench decoding
//! ```
//!
//! `serde_json` is told each record's form and reads into structs that borrow from the
//! record, which is the least it can do; what comes of it is the same: room, creation
//! time, department, waiting. The service is told nothing, checks UTF-8 and the limits,
//! and finds the form by itself. Every pass reads 4,096 records with other ids, times
//! and departments.

#![allow(clippy::unwrap_used, reason = "records that the bench has made itself are good")]

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use roomtally::decode::{Bump, Decoded, Limits, Record, Rules, decode};
use roomtally::room::Timestamp;
use serde::Deserialize;

const LETTERS: &[u8; 55] = b"23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
const RECORDS: u64 = 4_096;
const DEPARTMENTS: u64 = 1_000;
const YEAR_MS: u64 = 365 * 86_400_000;

/// A room as records tell of it.
struct Told {
    id: String,
    department: Option<String>,
    ts: Timestamp,
    number: u64,
}

/// What is read of a record.
type Room<'a> = (Cow<'a, str>, Option<Cow<'a, str>>, Timestamp, bool);

fn rooms() -> Vec<Told> {
    // Marsaglia's xorshift: the same rooms in every run.
    let mut dice = 88_172_645_463_325_252_u64;
    let mut roll = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice
    };
    let departments: Vec<String> = (0..DEPARTMENTS).map(|_| id(&mut roll)).collect();
    let mut room = |number| Told {
        id: id(&mut roll),
        department: (roll() % 10 > 0)
            .then(|| departments[usize::try_from(roll() % DEPARTMENTS).unwrap()].clone()),
        ts: Timestamp::from_millis((1_577_836_800_000 + roll() % YEAR_MS).cast_signed()),
        number,
    };
    (0..RECORDS).map(&mut room).collect()
}

/// Seventeen letters, as Rocket.Chat gives them.
fn id(roll: &mut impl FnMut() -> u64) -> String {
    (0..17).map(|_| char::from(LETTERS[usize::try_from(roll() % 55).unwrap()])).collect()
}

/// A native event.
fn native(room: &Told) -> String {
    let Told { id, department, ts, number } = room;
    let department = department.as_ref().map(|id| format!(r#""departmentId":"{id}","#)).unwrap_or_default();
    let waiting = if number % 4 == 0 { r#","waitingResponse":true"# } else { "" };
    format!(r#"{{"event":"room-created","_id":"{id}",{department}"ts":"{ts}"{waiting}}}"#)
}

/// The room's document; `blank` stands behind every colon, as MongoDB's own writer has it.
fn document(room: &Told, blank: &str, date: &str) -> String {
    let Told { id, department, number, .. } = room;
    let department = department.as_ref().map(|id| format!(r#""departmentId":␣"{id}","#)).unwrap_or_default();
    format!(
        r#"{{"_id":␣"{id}","t":␣"l","ts":␣{date},{department}"waitingResponse":␣{waiting},"v":␣{{"_id":␣"visitor-{number}","username":␣"guest-{number}","token":␣"token-{number}","status":␣"online"}},"msgs":␣3,"usersCount":␣1,"lm":␣{date},"fname":␣"Guest","open":␣true,"cl":␣false}}"#,
        waiting = number % 4 == 0,
    )
    .replace('␣', blank)
}

/// Debezium's envelope with the document in a string.
fn envelope(room: &Told) -> String {
    let ms = room.ts.as_millis();
    let after = serde_json::to_string(&document(room, " ", &format!(r#"{{"$date": {ms}}}"#))).unwrap();
    let read_ms = ms + 1_234;
    format!(
        r#"{{"before":null,"after":{after},"updateDescription":null,"source":{{"version":"3.4.1.Final","connector":"mongodb","name":"livechat","ts_ms":{read_ms},"snapshot":"true","db":"rocketchat","sequence":null,"ts_us":{read_ms}706,"ts_ns":{read_ms}706162,"collection":"rocketchat_room","ord":-1,"lsid":null,"txnNumber":null,"wallTime":null}},"op":"r","ts_ms":{read_ms},"transaction":null}}"#
    )
}

/// A change event of MongoDB's, as its Kafka connector writes it.
fn change_event(room: &Told) -> String {
    let Told { id, ts, number, .. } = room;
    let document = document(room, " ", &format!(r#"{{"$date": {}}}"#, ts.as_millis()));
    format!(
        r#"{{"_id": {{"_data": "826B02B2C8{number:08X}2B042C0100296E5A10040123456789ABCDEF0123456789ABCDEF463C5F6964003C000004"}}, "operationType": "insert", "clusterTime": {{"$timestamp": {{"t": 1795338952, "i": {number}}}}}, "wallTime": {{"$date": 1795338952123}}, "fullDocument": {document}, "ns": {{"db": "rocketchat", "coll": "rocketchat_room"}}, "documentKey": {{"_id": "{id}"}}}}"#
    )
}

/// A document without an envelope, as Debezium flattens it.
fn bare(room: &Told) -> String {
    document(room, "", &room.ts.as_millis().to_string())
}

#[derive(Deserialize)]
struct NativeEvent<'a> {
    event: &'a str,
    #[serde(rename = "_id")]
    id: &'a str,
    #[serde(rename = "departmentId")]
    department: Option<&'a str>,
    ts: &'a str,
    #[serde(rename = "waitingResponse")]
    waiting: Option<bool>,
}

fn native_by_serde(record: &[u8]) -> Room<'_> {
    let event: NativeEvent<'_> = serde_json::from_slice(record).unwrap();
    assert_eq!(event.event, "room-created");
    let ts = Timestamp::parse(event.ts).unwrap();
    (event.id.into(), event.department.map(Into::into), ts, event.waiting == Some(true))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    op: &'a str,
    #[serde(borrow)]
    after: Cow<'a, str>,
    #[serde(borrow)]
    source: Source<'a>,
}

#[derive(Deserialize)]
struct Source<'a> {
    collection: &'a str,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    t: &'a str,
    ts: Date,
    #[serde(rename = "departmentId")]
    department: Option<&'a str>,
    #[serde(rename = "waitingResponse")]
    waiting: Option<bool>,
}

#[derive(Deserialize)]
struct Date {
    #[serde(rename = "$date")]
    ms: i64,
}

/// What is read of the document is used while its string is there, as the service's own
/// lives as long as the batch.
fn envelope_by_serde(record: &[u8]) -> usize {
    let envelope: Envelope<'_> = serde_json::from_slice(record).unwrap();
    assert_eq!((envelope.op, envelope.source.collection), ("r", "rocketchat_room"));
    let document: Document<'_> = serde_json::from_str(&envelope.after).unwrap();
    assert_eq!(document.t, "l");
    let ts = Timestamp::from_millis(document.ts.ms);
    used((document.id.into(), document.department.map(Into::into), ts, document.waiting == Some(true)))
}

fn used(room: Room<'_>) -> usize {
    black_box(room).0.len()
}

fn rules() -> Rules {
    let oldest = Timestamp::from_millis(946_684_800_000);
    let limits = Limits { record_bytes: 1 << 20, oldest, max_future_ms: 86_400_000 };
    Rules { limits, collection: "rocketchat_room".to_owned() }
}

/// One form: the service, and `serde_json` where it is compared.
fn form(
    criterion: &mut Criterion,
    name: &str,
    written: fn(&Told) -> String,
    by_serde: Option<fn(&[u8]) -> usize>,
) {
    let records: Vec<String> = rooms().iter().map(written).collect();
    let bytes = records.iter().map(|record| record.len() as u64).sum();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::ElementsAndBytes { elements: RECORDS, bytes });
    let (rules, mut memory) = (rules(), Bump::new());
    group.bench_function("roomtally", |bencher| {
        bencher.iter(|| {
            memory.reset();
            for record in &records {
                let record = Record { key: None, value: Some(record.as_bytes()), timestamp: None };
                let decoded = decode(black_box(&record), &rules, &memory);
                assert!(matches!(black_box(decoded), Ok(Decoded::Change(_))));
            }
        });
    });
    if let Some(by_serde) = by_serde {
        group.bench_function("serde_json", |bencher| {
            bencher
                .iter(|| records.iter().map(|record| by_serde(black_box(record.as_bytes()))).sum::<usize>());
        });
    }
    group.finish();
}

fn forms(criterion: &mut Criterion) {
    form(criterion, "native", native, Some(|record| used(native_by_serde(record))));
    form(criterion, "debezium", envelope, Some(envelope_by_serde));
    form(criterion, "mongodb", change_event, None);
    form(criterion, "bare", bare, None);
}

criterion_group! {
    name = decoding;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(3));
    targets = forms
}
criterion_main!(decoding);
