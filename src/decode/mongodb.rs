//! A change event of MongoDB's, as the MongoDB Kafka connector writes it.
//!
//! Owns its operations. The fields are those that MongoDB's manual lists ("Change
//! events"). Its `_id` is a resume token and names no room; `documentKey` does.

use crate::decode::captured::Captured;
use crate::decode::fields::present;
use crate::decode::json::{Json, Object};
use crate::decode::name::Name;
use crate::decode::{Decoded, Ignored, Reading, RejectReason};

/// Reads the event of this operation.
pub(super) fn decode<'a>(
    operation: &Json<'a>,
    event: Object<'a>,
    reading: &Reading<'a>,
) -> Result<Decoded<'a>, RejectReason> {
    if reading.is_other_collection(event.get(Name::Namespace), Name::Coll)? {
        return Ok(Decoded::Ignored(Ignored::OtherCollection));
    }
    let Json::Text(operation) = operation else { return Ok(Decoded::Ignored(Ignored::OtherOperation)) };
    let read: fn(&Captured<'a>, &Reading<'a>) -> Result<Decoded<'a>, RejectReason> = match operation {
        _ if operation.is("insert") || operation.is("replace") => Captured::written,
        _ if operation.is("update") => Captured::updated,
        _ if operation.is("delete") => Captured::removed,
        _ => return Ok(Decoded::Ignored(Ignored::OtherOperation)),
    };
    let key = reading.object(event.get(Name::DocumentKey))?;
    let captured = Captured {
        id: key.and_then(|key| present(key.get(Name::Id))),
        document: event.get(Name::FullDocument),
        before: None,
        description: event.get(Name::Update),
    };
    read(&captured, reading)
}

#[cfg(test)]
mod tests {
    use crate::decode::RejectReason::{BadId, NoId, NoTs, NotJson, NotObject};
    use crate::decode::said::{check, said};

    const TOKEN: &str =
        r#""_id":{"_data":"82"},"ns":{"db":"rocketchat","coll":"rocketchat_room"},"documentKey":{"_id":"r"}"#;

    #[track_caller]
    fn event(rest: &str, expected: &str) {
        check(&format!("{{{TOKEN},{rest}}}"), Ok(expected));
    }

    #[test]
    fn each_operation_does_what_it_did_to_the_document() {
        let document =
            r#""fullDocument":{"_id":"r","t":"l","ts":{"$date":1000000000000},"departmentId":"d"}"#;
        for operation in ["insert", "replace", "update"] {
            let rest = format!(r#""operationType":"{operation}",{document}"#);
            event(&rest, r#"r created 1000000000000 Some("d") false"#);
        }
        event(
            r#""operationType":"insert","fullDocument":"{\"_id\":\"x\",\"ts\":1000000000000}""#,
            "r created 1000000000000 None false",
        );
        event(
            r#""operationType":"update","fullDocument":{"departmentId":null}"#,
            "r updated None Some(None) None",
        );
        event(
            r#""operationType":"update","fullDocument":null,"updateDescription":{"updatedFields":{"waitingResponse":true},"removedFields":["departmentId"]}"#,
            "r updated None Some(None) Some(true)",
        );
        event(r#""operationType":"update""#, "r updated None None None");
        event(
            r#""operationType":"update","fullDocument":"null","updateDescription":{"updatedFields":{"departmentId":"d"}}"#,
            r#"r updated None Some(Some("d")) None"#,
        );
        event(r#""operationType":"delete""#, "r removed");
        event(r#""operationType":"insert","fullDocument":{"t":"d"}"#, "r of another type");
    }

    #[test]
    fn the_whole_event_may_be_a_string_and_so_may_its_parts() {
        check(
            r#""{\"operationType\":\"delete\",\"documentKey\":{\"_id\":{\"$oid\":\"65\"}}}""#,
            Ok("65 removed"),
        );
        check(r#"{"operationType":"delete","documentKey":"{\"_id\":\"r\"}","ns":"{}"}"#, Ok("r removed"));
        check(r#"{"operationType":"delete","documentKey":"{"}"#, Err(NotJson));
        check(r#"{"operationType":"delete","documentKey":[]}"#, Err(NotObject));
    }

    #[test]
    fn the_room_is_that_of_the_document_key_and_never_the_resume_token() {
        check(r#"{"_id":{"_data":"82"},"operationType":"delete"}"#, Ok("k removed"));
        check(
            r#"{"operationType":"insert","fullDocument":{"_id":"x","ts":1e12}}"#,
            Ok("x created 1000000000000 None false"),
        );
        check(r#"{"operationType":"delete","documentKey":{"_id":7}}"#, Err(BadId));
        let token = br#"{"_id":{"_data":"82"}}"#;
        assert_eq!(said(Some(token), Some(br#"{"operationType":"delete"}"#)), Err(NoId));
    }

    #[test]
    fn what_is_none_of_ours_is_ignored_before_its_faults_are_sought() {
        for (value, expected) in [
            (r#"{"operationType":"insert","ns":{"coll":"users"},"fullDocument":"{"}"#, "OtherCollection"),
            (
                r#"{"operationType":"drop","ns":{"db":"rocketchat","coll":"rocketchat_room"}}"#,
                "OtherOperation",
            ),
            (r#"{"operationType":"invalidate","documentKey":"{"}"#, "OtherOperation"),
            (r#"{"operationType":null}"#, "OtherOperation"),
        ] {
            check(value, Ok(expected));
        }
        check(r#"{"operationType":"insert","documentKey":{"_id":"r"}}"#, Err(NoTs));
        check(
            r#"{"operationType":"replace","documentKey":{"_id":"r"},"fullDocument":{"ts":null}}"#,
            Err(NoTs),
        );
    }
}
