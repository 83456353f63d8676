//! The wrapper that Kafka Connect's JSON converter puts around keys and values
//! when it writes schemas: `{"schema":…,"payload":…}`.

use crate::decode::json::{Json, Object};
use crate::decode::name::{Name, Names};

const WRAPPER: Names = Names::none().and(Name::Schema).and(Name::Payload);

/// The payload, if the object is a wrapper; else the object itself.
pub(super) fn unwrapped(object: Object<'_>) -> Json<'_> {
    let payload = if object.names() == WRAPPER { object.get(Name::Payload) } else { None };
    payload.copied().unwrap_or(Json::Object(object))
}
