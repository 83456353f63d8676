//! The wrapper that Kafka Connect's JSON converter puts around keys and values
//! when it writes schemas: `{"schema":…,"payload":…}`.

use crate::decode::json::{Json, Object};

/// The payload, if the object is a wrapper; else the object itself.
pub(super) fn unwrapped(object: Object<'_>) -> Json<'_> {
    let (mut schema, mut payload) = (false, None);
    for (name, value) in object.members() {
        if name.is("payload") {
            payload = Some(value);
        } else if name.is("schema") {
            schema = true;
        } else {
            return Json::Object(object);
        }
    }
    match payload {
        Some(payload) if schema => payload,
        _ => Json::Object(object),
    }
}
