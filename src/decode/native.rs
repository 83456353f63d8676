//! The native form: `{"event":"room-created","_id":…,"departmentId":…,"ts":…}`.
//!
//! Owns the three events `room-created`, `room-updated` and `room-removed`;
//! events of another name are none of ours.

use crate::decode::fields::RoomFields;
use crate::decode::json::Json;
use crate::decode::{Decoded, Ignored, Reading, RejectReason};
use crate::room::{Change, RoomChange};

/// Reads the event of this name.
pub(super) fn decode<'a>(
    event: &Json<'a>,
    fields: &RoomFields<'a>,
    reading: &Reading<'a>,
) -> Result<Decoded<'a>, RejectReason> {
    let Json::Text(event) = event else { return Ok(Decoded::Ignored(Ignored::OtherEvent)) };
    let happened = match event {
        _ if event.is("room-created") => Happened::Created,
        _ if event.is("room-updated") => Happened::Updated,
        _ if event.is("room-removed") => Happened::Removed,
        _ => return Ok(Decoded::Ignored(Ignored::OtherEvent)),
    };
    let room = fields.room(reading)?;
    let change = match happened {
        Happened::Created => fields.created(reading)?,
        Happened::Updated => Change::Updated(fields.updated(reading)?),
        Happened::Removed => Change::Removed,
    };
    Ok(Decoded::Change(RoomChange { room, change }))
}

/// What happened to a room.
enum Happened {
    Created,
    Updated,
    Removed,
}

#[cfg(test)]
mod tests {
    use crate::decode::said::check;

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
}
