//! Bytes from the topic to a room change, or the reason why not.
//!
//! Owns the meaning of a record: one file per form, recognised by its content,
//! so that one topic may mix them. Invariants: the same record decodes alike
//! whenever it is read, for no clock is asked; and a record is refused for the
//! first fault in the order of [`RejectReason`]. This version reads the native
//! form and tombstones.

mod date;
mod id;
mod json;
mod native;
mod reason;
mod wrapper;

pub use reason::RejectReason;

use crate::decode::id::Key;
use crate::decode::json::Json;
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
    /// The MongoDB connector's heartbeat: no value, a resume token for a key.
    Heartbeat,
    /// A native event other than the three of a room.
    OtherEvent,
    /// An object of a form that this version does not read.
    OtherForm,
}

/// Reads a record.
///
/// # Errors
/// The first fault, in the order of [`RejectReason`].
pub fn decode<'a>(record: &Record<'a>, limits: &Limits) -> Result<Decoded<'a>, RejectReason> {
    let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    if bytes > limits.record_bytes {
        return Err(RejectReason::TooLarge);
    }
    let Some(value) = record.value else { return tombstone(record) };
    if begins_as_registry_framing(value) {
        return Err(RejectReason::NotJson);
    }
    let text = std::str::from_utf8(value).map_err(|_| RejectReason::NotUtf8)?;
    match json::parse(text).map_err(|_| RejectReason::NotJson)? {
        Json::Text(text) => opened(&text.read_as_json(), record, limits),
        value => unwrap(value, record, limits, |text| opened(&text.read_as_json(), record, limits)),
    }
}

/// Whether a value is in a schema registry's framing, which no JSON begins with.
pub fn begins_as_registry_framing(value: &[u8]) -> bool {
    value.first() == Some(&0)
}

/// Whether a key names a room, as the precondition of several partitions is.
pub fn key_names_a_room(key: Option<&[u8]>) -> bool {
    matches!(id::key(key), Ok(Key::Room(_)))
}

/// Reads JSON that stood in a string; strings within are opened no further.
fn opened(text: &str, record: &Record<'_>, limits: &Limits) -> Result<Decoded<'static>, RejectReason> {
    let value = json::parse(text).map_err(|_| RejectReason::NotJson)?;
    unwrap(value, record, limits, |_| Err(RejectReason::NotObject)).map(Decoded::into_owned)
}

/// Looks into a converter's wrapper, if there is one.
fn unwrap<'a>(
    value: Json<'a>,
    record: &Record<'a>,
    limits: &Limits,
    open: impl FnOnce(json::Text<'a>) -> Result<Decoded<'a>, RejectReason>,
) -> Result<Decoded<'a>, RejectReason> {
    let Json::Object(object) = value else { return Err(RejectReason::NotObject) };
    match wrapper::unwrapped(object) {
        Json::Null => tombstone(record),
        Json::Text(text) => open(text),
        Json::Object(object) => match native::decode(object, record, limits) {
            Some(decoded) => decoded,
            None => Ok(Decoded::Ignored(Ignored::OtherForm)),
        },
        _ => Err(RejectReason::NotObject),
    }
}

fn tombstone<'a>(record: &Record<'a>) -> Result<Decoded<'a>, RejectReason> {
    match id::key(record.key)? {
        Key::Room(room) => Ok(Decoded::Change(RoomChange { room, change: Change::Tombstone })),
        Key::ResumeToken => Ok(Decoded::Ignored(Ignored::Heartbeat)),
        Key::Nothing => Err(RejectReason::NoId),
    }
}

impl Decoded<'_> {
    /// The same, independent of what it was read from.
    pub fn into_owned(self) -> Decoded<'static> {
        match self {
            Self::Change(change) => Decoded::Change(change.into_owned()),
            Self::Ignored(why) => Decoded::Ignored(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RejectReason::{
        BadDepartment, BadId, BadTs, NoId, NoTs, NotJson, NotObject, NotUtf8, TooLarge, TsOutOfRange,
    };

    const LIMITS: Limits = Limits {
        record_bytes: 1_000,
        oldest: Timestamp::from_millis(946_684_800_000),
        max_future_ms: 86_400_000,
    };

    /// What a record with this value says, in the words of the assertions below.
    fn said(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<String, RejectReason> {
        let timestamp = Some(Timestamp::from_millis(1_600_000_000_000));
        decode(&Record { key, value, timestamp }, &LIMITS).map(|decoded| match decoded {
            Decoded::Ignored(why) => format!("{why:?}"),
            Decoded::Change(RoomChange { room, change }) => match change {
                Change::Stated { ts, department, waiting } => {
                    let department = department.map(|id| id.as_str().to_owned());
                    format!("{room} created {} {department:?} {waiting}", ts.as_millis())
                }
                Change::Updated(update) => {
                    let department = update.department.map(|id| id.map(|id| id.as_str().to_owned()));
                    let ts = update.ts.map(Timestamp::as_millis);
                    format!("{room} updated {ts:?} {department:?} {:?}", update.waiting)
                }
                Change::Removed => format!("{room} removed"),
                Change::Tombstone => format!("{room} tombstone"),
            },
        })
    }

    #[track_caller]
    fn check(value: &str, expected: Result<&str, RejectReason>) {
        assert_eq!(said(Some(b"k"), Some(value.as_bytes())), expected.map(str::to_owned), "{value}");
    }

    #[test]
    fn the_three_native_events_are_read() {
        for (value, expected) in [
            (
                r#"{"event":"room-created","_id":"BtS3Xk","departmentId":"GgYv","ts":"2020-09-09T00:11:22.345Z"}"#,
                r#"BtS3Xk created 1599610282345 Some("GgYv") false"#,
            ),
            (
                r#"{"event":"room-created","_id":{"$oid":"65"},"ts":{"$date":1000000000000},"waitingResponse":true}"#,
                "65 created 1000000000000 None true",
            ),
            (
                r#"{"event":"room-created","_id":"r","departmentId":"","ts":1e12,"waitingResponse":"true"}"#,
                r#"r created 1000000000000 Some("") false"#,
            ),
            (
                r#"{"event":"room-created","departmentId":null,"ts":1e12}"#,
                "k created 1000000000000 None false",
            ),
            (
                r#"{"event":"room-created","_id":null,"ts":1e12,"t":"c"}"#,
                "k created 1000000000000 None false",
            ),
            (r#"{"event":"room-updated","_id":"r"}"#, "r updated None None None"),
            (
                r#"{"event":"room-updated","_id":"r","ts":1e12,"departmentId":{"$oid":"65"},"waitingResponse":true}"#,
                r#"r updated Some(1000000000000) Some(Some("65")) Some(true)"#,
            ),
            (
                r#"{"event":"room-updated","_id":"r","departmentId":null,"waitingResponse":null}"#,
                "r updated None Some(None) Some(false)",
            ),
            (r#"{"event":"room-removed","_id":"r","ts":"rubbish","departmentId":5}"#, "r removed"),
            (r#"{"event":"room-removed","_id":"a","_id":"b"}"#, "b removed"),
            (r#"{"\u0065vent":"room\u002dremoved","_id":"r","x":NaN,"y":"\ud800"}"#, "r removed"),
        ] {
            check(value, Ok(expected));
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
        check(r#"{"ts_ms":1600000000000}"#, Ok("OtherForm"));
        check(r#"{"status":"BEGIN","id":"571"}"#, Ok("OtherForm"));
        assert_eq!(said(Some(br#"{"_data":"82"}"#), None), Ok("Heartbeat".to_owned()));
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
