//! The envelope of Debezium's connector for MongoDB.
//!
//! Owns its operations. The fields are those that its documentation lists
//! ("Debezium connector for MongoDB", change events). `after: null` on an update is
//! no deletion: with `capture.mode=change_streams` every update is so.

use crate::decode::captured::Captured;
use crate::decode::json::{Json, Object};
use crate::decode::name::Name;
use crate::decode::{Decoded, Ignored, Reading, RejectReason};

/// Reads the envelope with this operation.
pub(super) fn decode<'a>(
    op: &Json<'a>,
    event: Object<'a>,
    reading: &Reading<'a>,
) -> Result<Decoded<'a>, RejectReason> {
    if reading.is_other_collection(event.get(Name::Source), Name::Collection)? {
        return Ok(Decoded::Ignored(Ignored::OtherCollection));
    }
    let Json::Text(op) = op else { return Ok(Decoded::Ignored(Ignored::OtherOperation)) };
    let captured = Captured {
        id: None,
        document: event.get(Name::After),
        before: event.get(Name::Before),
        description: event.get(Name::Update),
    };
    match op {
        _ if op.is("c") || op.is("r") => captured.written(reading),
        _ if op.is("u") => captured.updated(reading),
        _ if op.is("d") => captured.removed(reading),
        _ => Ok(Decoded::Ignored(Ignored::OtherOperation)),
    }
}

#[cfg(test)]
mod tests {
    use crate::decode::RejectReason::{BadDepartment, BadId, BadTs, NoId, NoTs, NotJson, NotObject};
    use crate::decode::said::{check, said};

    #[test]
    fn each_operation_does_what_it_did_to_the_document() {
        for (value, expected) in [
            (
                r#"{"op":"c","after":"{\"_id\":\"r\",\"t\":\"l\",\"ts\":{\"$date\":1000000000000},\"departmentId\":\"d\",\"x\":NaN}","source":{"collection":"rocketchat_room"},"ts_ms":5}"#,
                r#"r created 1000000000000 Some("d") false"#,
            ),
            (
                r#"{"op":"r","before":null,"after":{"_id":"r","ts":1e12,"waitingResponse":true}}"#,
                "r created 1000000000000 None true",
            ),
            (
                r#"{"op":"u","after":"{\"_id\":\"r\",\"ts\":1000000000000}"}"#,
                "r created 1000000000000 None false",
            ),
            (
                r#"{"op":"u","after":{"_id":"r","departmentId":"d"}}"#,
                r#"r updated None Some(Some("d")) None"#,
            ),
            (r#"{"op":"u","after":null,"updateDescription":null}"#, "k updated None None None"),
            (r#"{"op":"u","after":"null"}"#, "k updated None None None"),
            (
                r#"{"op":"u","after":"null","updateDescription":{"removedFields":["departmentId"]}}"#,
                "k updated None Some(None) None",
            ),
            (r#"{"op":"u"}"#, "k updated None None None"),
            (r#"{"op":"d","before":null,"after":null}"#, "k removed"),
            (r#"{"op":"d","before":"{\"_id\":\"r\",\"ts\":\"rubbish\"}"}"#, "r removed"),
            (r#"{"schema":{},"payload":{"op":"d"}}"#, "k removed"),
            (r#"{"op":"c","after":{"_id":"r","t":"p"}}"#, "r of another type"),
            (r#"{"op":"u","after":{"_id":"r","t":"p","ts":5}}"#, "r of another type"),
        ] {
            check(value, Ok(expected));
        }
        assert_eq!(said(Some(br#"{"id":"\"abc\""}"#), Some(br#"{"op":"d"}"#)), Ok("abc removed".to_owned()));
    }

    #[test]
    fn an_update_may_be_told_field_by_field() {
        for (description, expected) in [
            (
                r#"{"updatedFields":"{\"departmentId\":\"d\",\"ts\":{\"$date\":\"2020-01-01T00:00:00Z\"}}"}"#,
                r#"k updated Some(1577836800000) Some(Some("d")) None"#,
            ),
            (
                r#"{"updatedFields":{"waitingResponse":true},"removedFields":null}"#,
                "k updated None None Some(true)",
            ),
            (
                r#"{"updatedFields":null,"removedFields":["departmentId","departmentAncestors"]}"#,
                "k updated None Some(None) None",
            ),
            (r#"{"removedFields":["waitingResponse","ts","v.token"]}"#, "k updated None None Some(false)"),
            (r#"{"removedFields":"[\"departmentId\"]"}"#, "k updated None Some(None) None"),
            (
                r#"{"updatedFields":{"t":"c","v.departmentId":"x","departmentId.x":5}}"#,
                "k updated None None None",
            ),
            (r#"{"removedFields":[],"truncatedArrays":[{"field":"x"}]}"#, "k updated None None None"),
        ] {
            let value = format!(r#"{{"op":"u","after":null,"updateDescription":{description}}}"#);
            check(&value, Ok(expected));
        }
        let of = |rest: &str| format!(r#"{{"op":"u","before":{{"_id":"r"}},"updateDescription":{rest}}}"#);
        check(&of(r#"{"removedFields":["departmentId"]}"#), Ok("r updated None Some(None) None"));
        check(&of(r#"{"updatedFields":{"ts":null}}"#), Err(BadTs));
        check(&of(r#"{"updatedFields":{"departmentId":5}}"#), Err(BadDepartment));
        check(&of(r#"{"updatedFields":"{"}"#), Err(NotJson));
        check(&of(r#"{"updatedFields":5}"#), Err(NotObject));
        check(&of(r#"{"removedFields":5}"#), Err(NotObject));
    }

    #[test]
    fn what_is_none_of_ours_is_ignored_before_its_faults_are_sought() {
        for (value, expected) in [
            (r#"{"op":"c","source":{"collection":"users"},"after":"{"}"#, "OtherCollection"),
            (r#"{"op":"d","source":"{\"collection\":5}"}"#, "OtherCollection"),
            (r#"{"op":"t","after":"{"}"#, "OtherOperation"),
            (r#"{"op":5}"#, "OtherOperation"),
        ] {
            check(value, Ok(expected));
        }
        check(r#"{"op":"d","source":{"collection":null}}"#, Ok("k removed"));
    }

    #[test]
    fn faults_come_in_their_order() {
        check(r#"{"op":"c","after":null}"#, Err(NoTs));
        check(r#"{"op":"r"}"#, Err(NoTs));
        check(r#"{"op":"c","after":{"_id":"r","ts":null}}"#, Err(NoTs));
        check(r#"{"op":"u","after":{"_id":"r","ts":null}}"#, Err(BadTs));
        check(r#"{"op":"c","after":"{"}"#, Err(NotJson));
        check(r#"{"op":"c","after":[]}"#, Err(NotObject));
        check(r#"{"op":"c","after":"\"{}\""}"#, Err(NotObject));
        check(r#"{"op":"d","before":"{"}"#, Err(NotJson));
        check(r#"{"op":"c","after":{"_id":42,"ts":5}}"#, Err(BadId));
        let none = |value: &str| said(None, Some(value.as_bytes()));
        assert_eq!(none(r#"{"op":"c","after":null}"#), Err(NoId));
        assert_eq!(none(r#"{"op":"u","updateDescription":{"updatedFields":{"ts":"x"}}}"#), Err(NoId));
        assert_eq!(none(r#"{"op":"u","updateDescription":{"updatedFields":"x"}}"#), Err(NotJson));
    }
}
