//! What an object says of a room, unread.
//!
//! Owns which names a room's fields have.

use crate::decode::json::{Json, Object};
use crate::decode::name::Name;

/// The fields of a room: those of an object, and its id, which may stand elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoomFields<'a> {
    pub(super) id: Option<&'a Json<'a>>,
    object: Object<'a>,
}

impl<'a> RoomFields<'a> {
    pub(super) fn of(object: Object<'a>) -> Self {
        Self { id: object.get(Name::Id), object }
    }

    /// The same under an id that stands elsewhere, if it does: that goes first.
    pub(super) fn under(self, id: Option<&'a Json<'a>>) -> Self {
        Self { id: id.or(self.id), ..self }
    }

    /// The room's type.
    pub(super) fn kind(&self) -> Option<&'a Json<'a>> {
        self.object.get(Name::Kind)
    }

    /// The instant of its creation.
    pub(super) fn ts(&self) -> Option<&'a Json<'a>> {
        self.object.get(Name::Ts)
    }

    pub(super) fn department(&self) -> Option<&'a Json<'a>> {
        self.object.get(Name::Department)
    }

    pub(super) fn waiting(&self) -> Option<&'a Json<'a>> {
        self.object.get(Name::Waiting)
    }

    /// What Debezium's flattening adds.
    pub(super) fn deleted(&self) -> Option<&'a Json<'a>> {
        self.object.get(Name::Deleted)
    }
}

/// A value that is there and not null.
pub(super) fn present<'a>(value: Option<&'a Json<'a>>) -> Option<&'a Json<'a>> {
    value.filter(|value| !matches!(value, Json::Null))
}
