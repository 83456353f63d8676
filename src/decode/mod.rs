//! Bytes from the topic to a room change, or the reason why not.
//!
//! Owns the meaning of a record: one file per form, recognised by its content,
//! so that one topic may mix them. Invariants: the same record decodes alike
//! whenever it is read, for no clock is asked; and a record is refused for the
//! first fault in the order of [`RejectReason`].
//!
//! ```text
//! value ── string? opened ── wrapper? unwrapped ── event          native
//!                                               ├─ operationType  mongodb   ─┬─ captured ─┬─ document
//!                                               ├─ op, no _id     debezium  ─┘            └─ update
//!                                               └─ else           document
//! ```

mod captured;
mod date;
mod debezium;
mod document;
mod fields;
mod id;
mod json;
mod mongodb;
mod name;
mod native;
mod reading;
mod reason;
mod room_fields;
#[cfg(test)]
mod said;
mod update;
mod wrapper;

pub use bumpalo::Bump;
pub use reason::RejectReason;

use crate::decode::fields::RoomFields;
use crate::decode::id::Key;
use crate::decode::json::{Json, Object};
use crate::decode::name::Name;
use crate::decode::reading::Reading;
use crate::room::{Change, RoomChange, Timestamp};

/// The header that makes a record apply only to a room not known.
pub const IF_UNKNOWN_HEADER: &str = "roomtally-if-unknown";

/// What a record brings along.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Kafka's own timestamp of the record, not the room's.
    pub timestamp: Option<Timestamp>,
}

/// What decides whether a record is counted, beside the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What it may not exceed.
    pub limits: Limits,
    /// Change events of other collections of the database are ignored.
    pub collection: String,
}

/// What a record may not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Key and value together, in bytes.
    pub record_bytes: usize,
    /// No room was created before.
    pub oldest: Timestamp,
    /// How much later than its record a room may have been created, in ms.
    pub max_future_ms: i64,
}

impl Limits {
    /// Whether a room of a record with this Kafka timestamp may have been
    /// created then. A record without a timestamp (message format 0) sets no
    /// upper limit: a clock would decide otherwise on every replay.
    fn allow(&self, ts: Timestamp, record: Option<Timestamp>) -> bool {
        let latest = match record {
            Some(record) => record.saturating_add_millis(self.max_future_ms).min(Timestamp::MAX),
            None => Timestamp::MAX,
        };
        (self.oldest..=latest).contains(&ts)
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// Something of a room.
    Change(RoomChange<'a>),
    /// Nothing that is counted.
    Ignored(Ignored),
}

/// Why a good record is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// A connector's sign of life.
    Heartbeat,
    /// Debezium's marker that a transaction begins or ends.
    Transaction,
    /// A native event other than the three of a room.
    OtherEvent,
    /// An operation that changes no document, such as a collection's end.
    OtherOperation,
    /// A change in another collection.
    OtherCollection,
    /// A room of another type, without a name.
    OtherKind,
}

/// Reads a record. What has to be unescaped to be read is put into `memory`, which may
/// be reset once the change is not needed any more.
///
/// # Errors
/// The first fault, in the order of [`RejectReason`].
pub fn decode<'a>(
    record: &Record<'a>,
    rules: &'a Rules,
    memory: &'a Bump,
) -> Result<Decoded<'a>, RejectReason> {
    let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    if bytes > rules.limits.record_bytes {
        return Err(RejectReason::TooLarge);
    }
    let reading = Reading { record: *record, rules, memory };
    match object(&reading)? {
        Some(object) => form(object, &reading),
        None => tombstone(&reading),
    }
}

/// The object that a value is, through strings and wrappers; none if it is null.
fn object<'a>(reading: &Reading<'a>) -> Result<Option<Object<'a>>, RejectReason> {
    let Some(value) = reading.record.value else { return Ok(None) };
    if begins_as_registry_framing(value) {
        return Err(RejectReason::NotJson);
    }
    let text = std::str::from_utf8(value).map_err(|_| RejectReason::NotUtf8)?;
    let value = json::read_object(text, reading.memory).map_err(|_| RejectReason::NotJson)?;
    let is_string = matches!(value, Json::Text(_) | Json::Quoted(_));
    let Json::Object(object) = reading.opened(value)? else { return Err(RejectReason::NotObject) };
    match wrapper::unwrapped(object) {
        Json::Null => Ok(None),
        Json::Object(object) => Ok(Some(object)),
        // What stood in a string holds no other one.
        payload @ (Json::Text(_) | Json::Quoted(_)) if !is_string => match reading.opened(payload)? {
            Json::Object(object) => Ok(Some(object)),
            _ => Err(RejectReason::NotObject),
        },
        _ => Err(RejectReason::NotObject),
    }
}

/// Whether a record is a part of a room's document without an envelope. Of a room that is
/// not known it says nothing, and what was unset in the document it cannot say.
pub fn is_part_of_document(record: &Record<'_>, rules: &Rules) -> bool {
    let memory = Bump::new();
    let reading = Reading { record: *record, rules, memory: &memory };
    let Ok(Some(object)) = object(&reading) else { return false };
    let is_bare = matches!(Form::of(object), Form::Bare);
    is_bare
        && matches!(
            form(object, &reading),
            Ok(Decoded::Change(RoomChange { change: Change::Updated(_), .. }))
        )
}

/// Whether a value is in a schema registry's framing, which no JSON begins with.
pub fn begins_as_registry_framing(value: &[u8]) -> bool {
    value.first() == Some(&0)
}

/// Whether a key names a room, as the precondition of several partitions is.
pub fn key_names_a_room(key: Option<&[u8]>) -> bool {
    matches!(id::key(key, &Bump::new()), Ok(Key::Room(_)))
}

/// What an object is, by the names in it.
enum Form<'a> {
    Native(&'a Json<'a>),
    MongoDb(&'a Json<'a>),
    Debezium(&'a Json<'a>),
    Marker(Ignored),
    Bare,
}

impl<'a> Form<'a> {
    fn of(object: Object<'a>) -> Self {
        if let Some(event) = object.get(Name::Event) {
            return Self::Native(event);
        }
        if let Some(operation) = object.get(Name::Operation) {
            return Self::MongoDb(operation);
        }
        if !object.names().has(Name::Id) {
            if let Some(op) = object.get(Name::Op) {
                return Self::Debezium(op);
            }
            let is_marked = object.get(Name::Status).is_some_and(is_begin_or_end);
            if is_marked && object.names().has(Name::PlainId) {
                return Self::Marker(Ignored::Transaction);
            }
        }
        if object.sole("ts_ms").is_some() { Self::Marker(Ignored::Heartbeat) } else { Self::Bare }
    }
}

/// Reads an object by its form.
fn form<'a>(object: Object<'a>, reading: &Reading<'a>) -> Result<Decoded<'a>, RejectReason> {
    match Form::of(object) {
        Form::Native(event) => native::decode(event, &RoomFields::of(object), reading),
        Form::MongoDb(operation) => mongodb::decode(operation, object, reading),
        Form::Debezium(op) => debezium::decode(op, object, reading),
        Form::Marker(marker) => Ok(Decoded::Ignored(marker)),
        Form::Bare => document::bare(&RoomFields::of(object), reading),
    }
}

fn is_begin_or_end(status: &Json<'_>) -> bool {
    matches!(status, Json::Text(text) if text.is("BEGIN") || text.is("END"))
}

fn tombstone<'a>(reading: &Reading<'a>) -> Result<Decoded<'a>, RejectReason> {
    match id::key(reading.record.key, reading.memory)? {
        Key::Room(room) => Ok(Decoded::Change(RoomChange { room, change: Change::Tombstone })),
        Key::ResumeToken => Ok(Decoded::Ignored(Ignored::Heartbeat)),
        Key::Nothing => Err(RejectReason::NoId),
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::said::{self, check, said};
    use RejectReason::{
        BadDepartment, BadId, BadTs, NoId, NoTs, NotJson, NotObject, NotUtf8, TooLarge, TsOutOfRange,
    };

    use super::*;

    #[test]
    fn a_part_of_a_document_is_told_from_whole_ones_and_from_events() {
        for (value, expected) in [
            (r#"{"_id":"r","_updatedAt":5,"__deleted":false}"#, true),
            (r#"{"_id":"r","departmentId":"d","waitingResponse":true}"#, true),
            (r#"{"_id":"r","ts":1000000000000}"#, true),
            (r#"{"schema":{},"payload":{"_id":"r"}}"#, true),
            (r#"{"_id":"r","t":"l","ts":1000000000000}"#, false),
            (r#"{"_id":"r","t":"c"}"#, false),
            (r#"{"_id":"r","__deleted":true}"#, false),
            (r#"{"event":"room-updated","_id":"r"}"#, false),
            (r#"{"op":"u","after":null,"updateDescription":{"updatedFields":{}}}"#, false),
            (r#"{"operationType":"update","documentKey":{"_id":"r"}}"#, false),
            (r#"{"_id":"r","ts":"x"}"#, false),
            ("{", false),
        ] {
            let record = Record { key: Some(b"k"), value: Some(value.as_bytes()), timestamp: None };
            assert_eq!(is_part_of_document(&record, &said::rules()), expected, "{value}");
        }
    }

    #[test]
    fn a_value_is_read_through_wrappers_and_strings() {
        for value in [
            r#"{"schema":{},"payload":{"event":"room-removed","_id":"r"}}"#,
            r#"{"payload":{"event":"room-removed","_id":"r"},"schema":null}"#,
            r#"{"schema":{},"payload":"{\"event\":\"room-removed\",\"_id\":\"r\"}"}"#,
            r#""{\"event\":\"room-removed\",\"_id\":\"r\"}""#,
        ] {
            check(value, Ok("r removed"));
        }
        check(r#"{"schema":{},"payload":null}"#, Ok("k tombstone"));
        check(r#""\"{}\"""#, Err(NotObject));
        check(r#""{""#, Err(NotJson));
        check(r#"{"schema":{},"payload":"x"}"#, Err(NotJson));
        check(r#"{"schema":{},"payload":[]}"#, Err(NotObject));
    }

    #[test]
    fn what_is_not_counted_is_ignored_whatever_else_is_wrong_with_it() {
        check(r#"{"event":"room-closed","_id":5,"ts":"rubbish"}"#, Ok("OtherEvent"));
        check(r#"{"event":5}"#, Ok("OtherEvent"));
        check(r#"{"ts_ms":1600000000000}"#, Ok("Heartbeat"));
        check(r#"{"status":"BEGIN","id":"571"}"#, Ok("Transaction"));
        check(r#"{"id":"571","event_count":2,"status":"END"}"#, Ok("Transaction"));
        assert_eq!(said(Some(br#"{"_data":"82"}"#), None), Ok("Heartbeat".to_owned()));
    }

    #[test]
    fn no_part_of_a_record_is_taken_for_the_whole() {
        for value in [
            r#"{"event":"room-created","_id":"BtS3Xk","departmentId":"Gg\u00e9","ts":"2020-09-09T00:11:22.345Z","waitingResponse":true}"#,
            r#"{"op":"u","after":"{\"_id\": \"r\",\"t\": \"l\",\"ts\": {\"$date\": 1599610282345},\"fname\": \"\\\"é\\\" \\\\\"}","source":{"collection":"rocketchat_room","ord":-1}}"#,
            r#"{"schema":{},"payload":"{\"_id\": {\"_data\": \"82\"}, \"operationType\": \"delete\", \"documentKey\": {\"_id\": \"r\"}}"}"#,
            r#""{\"operationType\":\"update\",\"documentKey\":{\"_id\":\"r\"},\"updateDescription\":{\"removedFields\":[\"departmentId\"]}}""#,
            r#"{ "_id" : "r" , "t" : "l" , "ts" : 1599610282345.5e0 , "x" : [ null , NaN , -Infinity , false ] }"#,
        ] {
            assert!(said(Some(b"k"), Some(value.as_bytes())).is_ok(), "{value}");
            for end in 0..value.len() {
                let reason = if value.is_char_boundary(end) { NotJson } else { NotUtf8 };
                assert_eq!(
                    said(Some(b"k"), Some(&value.as_bytes()[..end])),
                    Err(reason),
                    "{}",
                    &value[..value.floor_char_boundary(end)]
                );
            }
        }
    }

    #[test]
    fn what_is_escaped_twice_says_the_same() {
        for (value, expected) in [
            (
                r#"{"op":"c","after":"{\"_id\":\"r\",\"ts\":1e12,\"departmentId\":\"\\u0064\"}"}"#,
                r#"r created 1000000000000 Some("d") false"#,
            ),
            (
                r#"{"op":"c","after":"{\"\\u005fid\":\"r\",\"ts\":1e12}"}"#,
                "r created 1000000000000 None false",
            ),
            (
                r#"{"op":"c","after":"{\n\u0022_id\":\"r\",\"ts\":1e12}"}"#,
                "r created 1000000000000 None false",
            ),
            (
                r#"{"op":"c","after":"{\"_id\":\"r\\\"\",\"ts\":1e12}"}"#,
                r#"r" created 1000000000000 None false"#,
            ),
            (
                r#""{\"op\":\"c\",\"after\":\"{\\\"_id\\\":\\\"r\\\",\\\"ts\\\":1e12}\"}""#,
                "r created 1000000000000 None false",
            ),
            (
                r#"{"op":"c","after":"{\"_id\":\"a\",\"_id\":\"r\",\"ts\":1e12}","after":null,"after":"{\"_id\":\"b\",\"ts\":1e12}"}"#,
                "b created 1000000000000 None false",
            ),
        ] {
            check(value, Ok(expected));
        }
        check(r#"{"op":"c","after":"{\"_id\":\"\\ud800\",\"ts\":1e12}"}"#, Err(BadId));
        check(r#"{"op":"c","after":"{\"_id\":\"\ud800\",\"ts\":1e12}"}"#, Err(BadId));
    }

    #[test]
    fn a_record_without_a_value_speaks_of_the_room_in_its_key() {
        assert_eq!(said(Some(b"abc"), None), Ok("abc tombstone".to_owned()));
        assert_eq!(said(Some(br#"{"id":"\"abc\""}"#), None), Ok("abc tombstone".to_owned()));
        assert_eq!(said(None, None), Err(NoId));
        assert_eq!(said(Some(b""), None), Err(BadId));
        assert_eq!(said(Some(b"{}"), None), Err(NoId));
    }

    #[test]
    fn each_fault_has_its_reason() {
        for (value, reason) in [
            ("", NotJson),
            ("\u{feff}{}", NotJson),
            ("{", NotJson),
            ("null", NotObject),
            ("[]", NotObject),
            ("5", NotObject),
            (r#"{"event":"room-created","_id":"","ts":1e12}"#, BadId),
            (r#"{"event":"room-created","_id":42,"ts":1e12}"#, BadId),
            (r#"{"event":"room-created","_id":"\ud800","ts":1e12}"#, BadId),
            (r#"{"event":"room-created","_id":"r"}"#, NoTs),
            (r#"{"event":"room-created","_id":"r","ts":null}"#, NoTs),
            (r#"{"event":"room-created","_id":"r","ts":"now"}"#, BadTs),
            (r#"{"event":"room-created","_id":"r","ts":NaN}"#, BadTs),
            (r#"{"event":"room-updated","_id":"r","ts":null}"#, BadTs),
            (r#"{"event":"room-created","_id":"r","ts":946684799999}"#, TsOutOfRange),
            (r#"{"event":"room-created","_id":"r","ts":1600086400001}"#, TsOutOfRange),
            (r#"{"event":"room-updated","_id":"r","ts":1e300}"#, TsOutOfRange),
            (r#"{"event":"room-created","_id":"r","ts":1e12,"departmentId":5}"#, BadDepartment),
            (r#"{"event":"room-created","_id":"r","ts":1e12,"departmentId":"\udc00"}"#, BadDepartment),
            (r#"{"event":"room-updated","_id":"r","departmentId":{"$oid":null}}"#, BadDepartment),
        ] {
            check(value, Err(reason));
        }
        let long = "x".repeat(129);
        check(&format!(r#"{{"event":"room-removed","_id":"{long}"}}"#), Err(BadId));
        check(
            &format!(r#"{{"event":"room-updated","_id":"r","departmentId":"{long}"}}"#),
            Err(BadDepartment),
        );
        assert_eq!(said(None, Some(br#"{"event":"room-removed"}"#)), Err(NoId));
        assert_eq!(said(Some(br#"{"_data":"8"}"#), Some(br#"{"event":"room-removed"}"#)), Err(NoId));
        assert_eq!(said(Some(b""), Some(br#"{"event":"room-removed"}"#)), Err(BadId));
    }

    #[test]
    fn of_several_faults_the_first_in_the_order_of_reasons_is_named() {
        let large = format!("\u{0}{}", "x".repeat(1_000));
        check(&large, Err(TooLarge));
        assert_eq!(said(None, Some(b"\xff{")), Err(NotUtf8));
        assert_eq!(said(None, Some(b"\0\0\0\0\x01\xff")), Err(NotJson));
        check(r#"{"event":"room-created","_id":5,"departmentId":5}"#, Err(BadId));
        check(r#"{"event":"room-created","_id":"r","departmentId":5}"#, Err(NoTs));
        check(r#"{"event":"room-created","_id":"r","ts":1,"departmentId":5}"#, Err(TsOutOfRange));
    }

    #[test]
    fn a_creation_time_may_lie_on_both_ends_of_what_the_limits_allow() {
        for ts in ["946684800000", "1600086400000"] {
            let value = format!(r#"{{"event":"room-created","_id":"r","ts":{ts}}}"#);
            check(&value, Ok(&format!("r created {ts} None false")));
        }
    }

    #[test]
    fn the_size_limit_takes_key_and_value_together() {
        let value = format!(r#"{{"event":"room-removed","_id":"r","x":"{}"}}"#, "x".repeat(900));
        assert!(said(Some(&[b'k'; 53]), Some(value.as_bytes())).is_ok(), "{}", value.len());
        let key = vec![b'k'; 1_001 - value.len()];
        assert_eq!(said(Some(&key), Some(value.as_bytes())), Err(TooLarge));
    }
}
