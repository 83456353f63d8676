//! Rooms as records tell of them.
//!
//! Owns the two forms: a native event of 117 bytes, and an envelope as Debezium writes it,
//! of some 760 bytes in the middle. A record's memory is used again for the next.

#![allow(dead_code, reason = "no program of this folder needs all of it")]

use std::io::Write as _;

use roomtally::room::Timestamp;

use super::{Rooms, department, id};

/// How long after its creation a room is answered, and after each the connector tells of it.
const ANSWERED_MS: i64 = 61_250;
const TOLD_MS: i64 = 1_123;

/// A record's key and value.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// What differs from one envelope to the next.
struct Told {
    op: char,
    at: i64,
    waiting: &'static str,
    updated: String,
    description: &'static str,
}

impl Told {
    fn creation(ts: i64) -> Self {
        let waiting = r#"\"waitingResponse\": true,"#;
        Self { op: 'c', at: ts + TOLD_MS, waiting, updated: String::new(), description: "null" }
    }

    fn answer(ts: i64) -> Self {
        let at = ts + ANSWERED_MS + TOLD_MS;
        let updated = format!(r#",\"_updatedAt\": {{\"$date\": {at}}}"#);
        let description = concat!(
            r#"{"removedFields":["waitingResponse"],"#,
            r#""updatedFields":"{\"open\": true}","truncatedArrays":null}"#
        );
        Self { op: 'u', at, waiting: "", updated, description }
    }
}

impl Record {
    /// A room is created.
    pub(crate) fn be_native(&mut self, room: u64, rooms: Rooms) {
        let (id, department) = (id(room), department(rooms.department_of(room)));
        let (id, department, ts) = (text(&id), text(&department), rooms.created(room));
        self.be_empty();
        self.key.extend_from_slice(id.as_bytes());
        let written = write!(
            self.value,
            r#"{{"event":"room-created","_id":"{id}","departmentId":"{department}","ts":"{ts}"}}"#
        );
        assert!(written.is_ok(), "memory takes everything");
    }

    /// A room of this id is created, in no department.
    pub(crate) fn be_created(&mut self, id: &[u8], ts: Timestamp) {
        let id = text(id);
        self.be_empty();
        self.key.extend_from_slice(id.as_bytes());
        let written = write!(self.value, r#"{{"event":"room-created","_id":"{id}","ts":"{ts}"}}"#);
        assert!(written.is_ok(), "memory takes everything");
    }

    /// A room is created, with an even number, or answered, with the next.
    #[allow(clippy::write_literal, reason = "the text stands here as it stands in the record")]
    pub(crate) fn be_envelope(&mut self, number: u64, rooms: Rooms) {
        let room = number / 2;
        let (id, department) = (id(room), department(rooms.department_of(room)));
        let (id, department, ts) = (text(&id), text(&department), rooms.created(room).as_millis());
        let told = if number.is_multiple_of(2) { Told::creation(ts) } else { Told::answer(ts) };
        let Told { op, at, waiting, updated, description } = told;
        self.be_empty();
        let key = write!(self.key, r#"{{"id":"\"{id}\""}}"#);
        let document = write!(
            self.value,
            "{}{id}{}{ts}{}{department}{}{waiting}{}{room}{}{room}{}{room}{}{updated}",
            r#"{"before":null,"after":"{\"_id\": \""#,
            r#"\",\"t\": \"l\",\"ts\": {\"$date\": "#,
            r#"},\"departmentId\": \""#,
            r#"\","#,
            r#"\"v\": {\"_id\": \"visitor-"#,
            r#"\",\"username\": \"guest-"#,
            r#"\",\"token\": \"token-"#,
            r#"\",\"status\": \"online\"},\"usersCount\": 1,\"open\": true,\"cl\": false"#,
        );
        let envelope = write!(
            self.value,
            "{}{description}{}{at}{}{at}{}{at}{}{at}{}{op}{}{at}{}",
            r#"}","updateDescription":"#,
            r#","source":{"version":"3.4.1.Final","connector":"mongodb","name":"livechat","ts_ms":"#,
            r#","snapshot":"false","db":"rocketchat","sequence":null,"ts_us":"#,
            r#"000,"ts_ns":"#,
            r#"000000,"collection":"rocketchat_room","ord":1,"lsid":null,"txnNumber":null,"wallTime":"#,
            r#"},"op":""#,
            r#"","ts_ms":"#,
            r#","transaction":null}"#,
        );
        assert!(key.is_ok() && document.is_ok() && envelope.is_ok(), "memory takes everything");
    }

    fn be_empty(&mut self) {
        self.key.clear();
        self.value.clear();
    }
}

fn text(letters: &[u8]) -> &str {
    std::str::from_utf8(letters).unwrap_or_default()
}
