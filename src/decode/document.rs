//! The document of a room as it stands in the database, bare or inside an event.
//!
//! Owns when a document is the whole room, and what a room of another type is. Bare
//! ones come from Debezium's `ExtractNewDocumentState`, from the MongoDB connector
//! with `publish.full.document.only`, and from `mongoexport`.

use crate::decode::fields::{RoomFields, present};
use crate::decode::json::Json;
use crate::decode::{Decoded, Ignored, Reading, RejectReason};
use crate::room::{Change, RoomChange};

/// What is said of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It is whole: a creation, a replacement, a snapshot.
    Whole,
    /// It was looked up after a change, and is whole unless a projection took its `ts`.
    LookedUp,
    /// Nothing: whole if it has a `ts` and a type, else the fields that it has.
    Nothing,
}

/// Reads a document without an envelope.
pub(super) fn bare<'a>(fields: &RoomFields<'a>, reading: &Reading<'a>) -> Result<Decoded<'a>, RejectReason> {
    if !fields.is_other_kind() && is_deleted(fields) {
        return Ok(Decoded::Change(RoomChange { room: fields.room(reading)?, change: Change::Removed }));
    }
    decode(fields, Said::Nothing, reading)
}

/// Reads a document of which this is said.
pub(super) fn decode<'a>(
    fields: &RoomFields<'a>,
    said: Said,
    reading: &Reading<'a>,
) -> Result<Decoded<'a>, RejectReason> {
    let room = fields.room(reading);
    if fields.is_other_kind() {
        // A room that cannot be named is not known either.
        let of_other_kind = |room| Decoded::Change(RoomChange { room, change: Change::OtherKind });
        return Ok(room.map_or(Decoded::Ignored(Ignored::OtherKind), of_other_kind));
    }
    let room = room?;
    let change = match said {
        Said::Whole => fields.created(reading)?,
        Said::LookedUp if fields.ts().is_some() => fields.stated(reading)?,
        Said::Nothing if fields.ts().is_some() && present(fields.kind()).is_some() => {
            fields.stated(reading)?
        }
        Said::LookedUp | Said::Nothing => Change::Updated(fields.updated(reading)?),
    };
    Ok(Decoded::Change(RoomChange { room, change }))
}

fn is_deleted(fields: &RoomFields<'_>) -> bool {
    match fields.deleted() {
        Some(&Json::Bool(deleted)) => deleted,
        Some(Json::Text(text)) => text.is("true"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::RejectReason::{BadId, BadTs, NoId, TsOutOfRange};
    use crate::decode::said::{check, said};

    #[test]
    fn a_bare_document_is_whole_with_creation_and_type_and_else_an_update() {
        for (value, expected) in [
            (
                r#"{"_id":"r","t":"l","ts":{"$date":"2020-01-01T00:00:00Z"},"departmentId":"d","waitingResponse":true}"#,
                r#"r created 1577836800000 Some("d") true"#,
            ),
            (r#"{"_id":"r","t":"l","ts":1e12}"#, "r created 1000000000000 None false"),
            (
                r#"{"_id":{"$oid":"65"},"t":"l","ts":{"$date":{"$numberLong":"1000000000000"}},"departmentId":{"$oid":"66"},"source":{"type":"widget"},"op":"x"}"#,
                r#"65 created 1000000000000 Some("66") false"#,
            ),
            (r#"{"_id":"r","ts":1e12}"#, "r updated Some(1000000000000) None None"),
            (r#"{"_id":"r","t":null,"ts":1e12}"#, "r updated Some(1000000000000) None None"),
            (r#"{"_id":"r","t":"l","departmentId":null}"#, "r updated None Some(None) None"),
            (r#"{"_id":"r","waitingResponse":null}"#, "r updated None None Some(false)"),
            (r#"{"_updatedAt":5}"#, "k updated None None None"),
            ("{}", "k updated None None None"),
        ] {
            check(value, Ok(expected));
        }
        check(r#"{"_id":"r","t":"l","ts":null}"#, Err(BadTs));
        check(r#"{"_id":"r","ts":null}"#, Err(BadTs));
        check(r#"{"_id":"r","t":"l","ts":1}"#, Err(TsOutOfRange));
        check(r#"{"_id":5,"t":"l","ts":1}"#, Err(BadId));
        assert_eq!(said(None, Some(b"{}")), Err(NoId));
    }

    #[test]
    fn a_flattened_deletion_may_have_nothing_but_the_key() {
        check(r#"{"__deleted":true,"__op":"d"}"#, Ok("k removed"));
        check(r#"{"_id":"r","__deleted":"true","ts":"rubbish"}"#, Ok("r removed"));
        check(
            r#"{"_id":"r","__deleted":"false","t":"l","ts":1e12}"#,
            Ok("r created 1000000000000 None false"),
        );
        check(r#"{"_id":"r","__deleted":false}"#, Ok("r updated None None None"));
    }

    #[test]
    fn a_room_of_another_type_is_none_of_ours_whatever_else_is_wrong_with_it() {
        for value in [
            r#"{"_id":"r","t":"c","ts":"rubbish","departmentId":5}"#,
            r#"{"_id":"r","t":5}"#,
            r#"{"_id":"r","t":"","__deleted":true}"#,
        ] {
            check(value, Ok("r of another type"));
        }
        check(r#"{"_id":5,"t":"c"}"#, Ok("OtherKind"));
        assert_eq!(said(None, Some(br#"{"t":"d"}"#)), Ok("OtherKind".to_owned()));
    }
}
