//! Whose room a record speaks of: the ids in values and keys.
//!
//! Owns every spelling of an id: text, `{"$oid": …}`, and the keys that
//! Debezium, the MongoDB connector, our own producer and people write. The id
//! in the value goes first; the key is asked only where the value has none.

use bumpalo::Bump;

use crate::decode::RejectReason;
use crate::decode::json::{self, Json, Object, Text};
use crate::decode::name::Name;
use crate::decode::wrapper::unwrapped;
use crate::room::{DepartmentId, RoomId};

/// What a record's key says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// A room.
    Room(RoomId<'a>),
    /// The MongoDB connector's place in its change stream.
    ResumeToken,
    /// No room.
    Nothing,
}

/// The room that a value's `_id` names, or else the key.
pub(super) fn room<'a>(
    id: Option<&'a Json<'a>>,
    key: Option<&'a [u8]>,
    memory: &'a Bump,
) -> Result<RoomId<'a>, RejectReason> {
    match id {
        None | Some(Json::Null) => match self::key(key, memory)? {
            Key::Room(room) => Ok(room),
            Key::ResumeToken | Key::Nothing => Err(RejectReason::NoId),
        },
        Some(id) => named(id),
    }
}

/// The department that a field names; null and a missing field name none.
pub(super) fn department<'a>(value: Option<&'a Json<'a>>) -> Result<Option<DepartmentId<'a>>, RejectReason> {
    let value = match value {
        None | Some(Json::Null) => return Ok(None),
        Some(value) => value,
    };
    let text = text_or_oid(value).ok_or(RejectReason::BadDepartment)?;
    DepartmentId::new(text).map(Some).map_err(|_| RejectReason::BadDepartment)
}

/// Reads a record's key.
pub(super) fn key<'a>(key: Option<&'a [u8]>, memory: &'a Bump) -> Result<Key<'a>, RejectReason> {
    let Some(bytes) = key else { return Ok(Key::Nothing) };
    let text = std::str::from_utf8(bytes).map_err(|_| RejectReason::BadId)?;
    match json::read(text, memory) {
        Ok(Json::Object(object)) => object_key(unwrapped(object), memory),
        Ok(Json::Text(inner)) => text_key(inner, memory),
        _ => plain(text),
    }
}

fn object_key<'a>(key: Json<'a>, memory: &'a Bump) -> Result<Key<'a>, RejectReason> {
    match key {
        Json::Null => Ok(Key::Nothing),
        Json::Text(text) => text_key(text, memory),
        Json::Object(object) | Json::Quoted(object) => members_key(object, memory),
        Json::Number(digits) => plain(digits),
        Json::Bool(_) | Json::NonFinite | Json::Array(_) => Err(RejectReason::BadId),
    }
}

/// A key that is a JSON string: the id, or an object in a string.
fn text_key<'a>(text: Text<'a>, memory: &'a Bump) -> Result<Key<'a>, RejectReason> {
    match json::read(text.as_json(), memory) {
        Ok(Json::Object(object)) => members_key(object, memory),
        _ => plain(text.read().map_err(|_| RejectReason::BadId)?),
    }
}

fn members_key<'a>(object: Object<'a>, memory: &'a Bump) -> Result<Key<'a>, RejectReason> {
    let id = match object.get(Name::PlainId) {
        Some(Json::Text(inner)) => return debezium(*inner, memory),
        None | Some(Json::Null) => object.get(Name::Id),
        id @ Some(_) => id,
    };
    match id {
        None if object.names().has(Name::Data) => Ok(Key::ResumeToken),
        None | Some(Json::Null) => Ok(Key::Nothing),
        Some(Json::Object(token)) if token.names().has(Name::Data) => Ok(Key::ResumeToken),
        Some(id) => named(id).map(Key::Room),
    }
}

/// The text under Debezium's `id`: JSON in a string, or the id itself.
fn debezium<'a>(text: Text<'a>, memory: &'a Bump) -> Result<Key<'a>, RejectReason> {
    match json::read(text.as_json(), memory) {
        Ok(inner @ Json::Text(_)) => named(&inner).map(Key::Room),
        Ok(Json::Object(object)) if object.sole("$oid").is_some() => {
            named(&Json::Object(object)).map(Key::Room)
        }
        _ => plain(text.read().map_err(|_| RejectReason::BadId)?),
    }
}

fn plain(text: &str) -> Result<Key<'_>, RejectReason> {
    RoomId::new(text).map(Key::Room).map_err(|_| RejectReason::BadId)
}

fn named<'a>(id: &Json<'a>) -> Result<RoomId<'a>, RejectReason> {
    let text = text_or_oid(id).ok_or(RejectReason::BadId)?;
    RoomId::new(text).map_err(|_| RejectReason::BadId)
}

fn text_or_oid<'a>(value: &Json<'a>) -> Option<&'a str> {
    match value {
        Json::Text(text) => text.read().ok(),
        Json::Object(object) => match object.sole("$oid")? {
            Json::Text(hex) => hex.read().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, RejectReason>) {
        let memory = Bump::new();
        let found = key(Some(text.as_bytes()), &memory);
        let expected = expected.map(|id| Key::Room(RoomId::new(id).unwrap()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn every_spelling_of_a_key_names_its_room() {
        for (text, id) in [
            (r#"{"id":"\"Abc\""}"#, "Abc"),
            (r#"{"id":"{\"$oid\": \"6553f0aa\"}"}"#, "6553f0aa"),
            (r#"{"id":"42"}"#, "42"),
            (r#"{"id":"null"}"#, "null"),
            (r#"{"id":"abc"}"#, "abc"),
            (r#"{"id":{"$oid":"6553f0aa"}}"#, "6553f0aa"),
            (r#"{"id":null,"_id":"abc"}"#, "abc"),
            (r#"{"_id":"abc"}"#, "abc"),
            (r#"{"_id": {"$oid":"6553f0aa"}}"#, "6553f0aa"),
            (r#""abc""#, "abc"),
            (r#""{\"_id\": \"abc\"}""#, "abc"),
            ("abc", "abc"),
            ("a b", "a b"),
            ("42", "42"),
            ("null", "null"),
            ("[1]", "[1]"),
            (r#"{"id""#, r#"{"id""#),
            (r#"{"schema":{"type":"string"},"payload":"{\"_id\": \"abc\"}"}"#, "abc"),
            (r#"{"schema":{},"payload":{"id":"\"abc\""}}"#, "abc"),
            (r#"{"schema":null,"payload":"abc"}"#, "abc"),
        ] {
            check(text, Ok(id));
        }
    }

    #[test]
    fn a_key_that_is_no_id_is_refused() {
        for text in [
            "",
            r#""""#,
            r#"{"id":""}"#,
            r#"{"id":42}"#,
            r#"{"_id":[]}"#,
            r#"{"_id":{"$oid":1}}"#,
            r#"{"_id":{"x":1}}"#,
            r#"{"id":"\"\""}"#,
            r#""\ud800""#,
            r#"{"id":"\"\\ud800\""}"#,
            r#"{"_id":true}"#,
        ] {
            check(text, Err(RejectReason::BadId));
        }
        check(&"x".repeat(129), Err(RejectReason::BadId));
        assert_eq!(key(Some(b"\xff"), &Bump::new()), Err(RejectReason::BadId));
    }

    #[test]
    fn some_keys_name_no_room() {
        for text in
            ["{}", r#"{"x":1}"#, r#"{"_id":null}"#, r#"{"id":null}"#, r#"{"schema":null,"payload":null}"#]
        {
            assert_eq!(key(Some(text.as_bytes()), &Bump::new()), Ok(Key::Nothing), "{text}");
        }
        for text in [r#"{"_data":"82"}"#, r#"{"_id":{"_data":"82"}}"#, r#""{\"_id\": {\"_data\": \"82\"}}""#]
        {
            assert_eq!(key(Some(text.as_bytes()), &Bump::new()), Ok(Key::ResumeToken), "{text}");
        }
        assert_eq!(key(None, &Bump::new()), Ok(Key::Nothing));
    }
}
