//! Records on their steady way, without a broker: into a batch, decoded, counted, told on.
//!
//! Owns what the records are like. What makes them takes no memory once its buffers have
//! grown, so that all that is taken is taken on the way.
#![allow(dead_code, unreachable_pub, reason = "each program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a program that cannot go on fails with the reason")]

use std::fmt::Write as _;

use roomtally::aggregator::Counting;
use roomtally::decode::{Limits, Rules};
use roomtally::kafka::{BatchRecord, DecodedBatch, Decoder};
use roomtally::log::{NextOffset, Partition};
use roomtally::room::Timestamp;
use roomtally::tally::{TallyReader, tally};

pub const DEPARTMENTS: u64 = 1_000;
/// The rooms' first instant.
const FIRST_MS: i64 = 1_735_689_600_000;
const YEAR_MS: i64 = 31_557_600_000;

/// Changes are handed on in parts of so many, as the aggregator does.
const PART: usize = 16 * 1024;
const PARTITIONS: i64 = 4;

/// When all records were written, behind the last room's creation.
const WRITTEN: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// The events' form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// About 140 bytes.
    Native,
    /// Debezium's envelope with the room's document in a string, about 760 bytes.
    Envelope,
}

impl Form {
    pub const ALL: [Self; 2] = [Self::Native, Self::Envelope];
}

/// What the records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// Rooms that were not known.
    New,
    /// What is known already.
    Repeated,
    /// Known rooms, each of another department and waiting or not.
    Changed,
}

/// The way, and what has gone along it.
pub struct Steady {
    form: Form,
    /// Between the creations of two rooms.
    between_ms: i64,
    counting: Counting,
    reader: TallyReader,
    decoder: Decoder,
    batch: DecodedBatch,
    key: String,
    value: String,
    records: i64,
    rooms: u64,
    /// The room that is next to be said of again.
    next: u64,
    /// How often what is known was changed.
    changed: u64,
}

impl Steady {
    /// Where so many rooms are created in a year.
    pub fn new(form: Form, rooms_a_year: i64) -> Self {
        let (writer, reader) = tally(usize::try_from(DEPARTMENTS).unwrap());
        let limits = Limits { record_bytes: 1 << 20, oldest: Timestamp::from_millis(0), max_future_ms: 0 };
        let rules = Rules { limits, collection: "rocketchat_room".to_owned() };
        let mut counting = Counting::new(writer);
        counting.keep_changes();
        for partition in 0..PARTITIONS {
            counting.begin(Partition(i32::try_from(partition).unwrap()), NextOffset::START);
        }
        let (decoder, batch) = (Decoder::new(rules), DecodedBatch::default());
        let (key, value) = (String::new(), String::new());
        let between_ms = YEAR_MS / rooms_a_year;
        let (records, rooms, next, changed) = (0, 0, 0, 0);
        Self { form, between_ms, counting, reader, decoder, batch, key, value, records, rooms, next, changed }
    }

    /// Whoever asks for what was counted.
    pub fn reader(&self) -> &TallyReader {
        &self.reader
    }

    /// How long the record is that came last, key and value.
    pub fn record_bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }

    /// So many batches of so many records. Known rooms are gone through one after the other,
    /// so a multiple of all is a whole round.
    pub fn batches(&mut self, walk: Walk, batches: u64, records: u64) {
        for _ in 0..batches {
            self.batch.batch_mut().reuse(1);
            for _ in 0..records {
                self.record(walk);
            }
            self.decoder.decode(&mut self.batch);
            self.counting.apply(&self.batch, |refusal| panic!("{refusal:?}"));
            drop(self.counting.take_changes(PART));
        }
    }

    fn record(&mut self, walk: Walk) {
        let number = match walk {
            Walk::New => {
                self.rooms += 1;
                self.rooms - 1
            }
            Walk::Repeated | Walk::Changed => {
                let number = self.next;
                self.next = (number + 1) % self.rooms;
                self.changed += u64::from(walk == Walk::Changed && number == 0);
                number
            }
        };
        self.write(number);
        let (offset, partition) = (self.records / PARTITIONS, self.records % PARTITIONS);
        self.records += 1;
        self.batch.batch_mut().push(&BatchRecord {
            partition: Partition(i32::try_from(partition).unwrap()),
            offset,
            timestamp: Some(WRITTEN),
            key: Some(self.key.as_bytes()),
            value: Some(self.value.as_bytes()),
        });
    }

    /// The room of this number as it is now, into `key` and `value`.
    fn write(&mut self, number: u64) {
        let Self { form, between_ms, key, value, changed, .. } = self;
        key.clear();
        value.clear();
        // Scattered, and as long as the ids that Rocket.Chat gives.
        let id = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let department = ((id >> 40) + *changed) % DEPARTMENTS;
        let ts = FIRST_MS + i64::try_from(number).unwrap() * *between_ms;
        let waits = changed.is_multiple_of(2);
        match form {
            Form::Native => {
                write!(key, "R{id:016x}").unwrap();
                write!(
                    value,
                    r#"{{"event":"room-created","_id":"R{id:016x}","departmentId":"department-{department:06}","#
                )
                .unwrap();
                write!(value, r#""ts":{{"$date":{ts}}},"waitingResponse":{waits}}}"#).unwrap();
            }
            Form::Envelope => {
                write!(key, r#"{{"id":"\"R{id:016x}\""}}"#).unwrap();
                write!(value, r#"{{"before":null,"after":"{{\"_id\":\"R{id:016x}\",\"t\":\"l\","#).unwrap();
                write!(
                    value,
                    r#"\"ts\":{{\"$date\":{ts}}},\"departmentId\":\"department-{department:06}\","#
                )
                .unwrap();
                write!(value, r#"\"waitingResponse\":{waits},\"v\":{{\"_id\":\"visitor-{id:016x}\","#)
                    .unwrap();
                value.push_str(ENVELOPE_REST);
            }
        }
    }
}

/// What nobody counts by, to the length that envelopes have.
const ENVELOPE_REST: &str = concat!(
    r#"\"username\":\"guest-42\",\"token\":\"5f1c2d3e4b5a69788796a5b4c3d2e1f0\",\"status\":\"online\"},"#,
    r#"\"fname\":\"Somebody \\\"quoted\\\"\",\"msgs\":1,\"usersCount\":2,\"open\":true,\"ro\":false,"#,
    r#"\"servedBy\":{\"_id\":\"agent-0001\",\"username\":\"agent.one\"},\"source\":{\"type\":\"widget\"}}","#,
    r#""updateDescription":null,"source":{"version":"2.7.4.Final","connector":"mongodb","#,
    r#""name":"rocketchat","ts_ms":1735689600000,"snapshot":"false","db":"rocketchat","#,
    r#""collection":"rocketchat_room","ord":1},"op":"u","ts_ms":1735689600123}"#,
);
