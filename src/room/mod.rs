//! The nouns of the domain: a room, its department, its time, and a change.
//!
//! Owns what makes an id acceptable. Invariant: a [`RoomId`] is 1 to
//! [`MAX_ID_BYTES`] bytes of text and a [`DepartmentId`] 0 to as many, so no
//! later stage checks again. Nothing here knows where a value came from.

mod calendar;
mod iso_string;
mod packed;
mod stored;
mod timestamp;

pub use packed::{MAX_PACKED_BYTES, PackedId};
pub use stored::{RoomKey, StoredId, StoredIdRef};
pub use timestamp::{NotADate, Timestamp};

use std::borrow::Cow;
use std::fmt;

/// The longest room or department id, in bytes of UTF-8. Rocket.Chat's own ids
/// have 17 letters, an `ObjectId` 24, a UUID 36.
pub const MAX_ID_BYTES: usize = 128;

/// The id of a room: text of 1 to [`MAX_ID_BYTES`] bytes, compared by bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomId<'a>(Cow<'a, str>);

/// The id of a department: text of 0 to [`MAX_ID_BYTES`] bytes. The empty text
/// is a department of its own, other than having none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DepartmentId<'a>(Cow<'a, str>);

/// A [`DepartmentId`] that is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DepartmentIdRef<'a>(&'a str);

impl<'a> DepartmentIdRef<'a> {
    /// Takes a text as it is that was a department's id before.
    pub(crate) fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    /// The id as text.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// A room needs a name.
    #[error("the id is empty")]
    Empty,
    /// More than [`MAX_ID_BYTES`].
    #[error("the id is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
}

impl<'a> RoomId<'a> {
    /// Takes a text as the id of a room.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, BadId> {
        let text = text.into();
        match text.len() {
            0 => Err(BadId::Empty),
            1..=MAX_ID_BYTES => Ok(Self(text)),
            _ => Err(BadId::TooLong),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id, independent of what it was read from.
    pub fn into_owned(self) -> RoomId<'static> {
        RoomId(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> DepartmentId<'a> {
    /// Takes a text as the id of a department.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, BadId> {
        let text = text.into();
        if text.len() > MAX_ID_BYTES {
            return Err(BadId::TooLong);
        }
        Ok(Self(text))
    }

    /// The same id, borrowed.
    pub fn as_ref(&self) -> DepartmentIdRef<'_> {
        DepartmentIdRef::trusted(&self.0)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id, independent of what it was read from.
    pub fn into_owned(self) -> DepartmentId<'static> {
        DepartmentId(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for RoomId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DepartmentId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number that stands for a department inside one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DepartmentSlot(pub u32);

impl DepartmentSlot {
    /// The slot of rooms without a department.
    pub const NONE: Self = Self(0);
}

/// All that counting needs to know of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The instant of its creation.
    pub ts: Timestamp,
    /// Its department of now.
    pub department: DepartmentSlot,
    /// Whether the visitor waits for an answer.
    pub waiting: bool,
}

/// What one record says of one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomChange<'a> {
    /// Whose room.
    pub room: RoomId<'a>,
    /// What happened to it.
    pub change: Change<'a>,
}

/// The same with the id as it is kept, so that it is packed once, by whoever reads the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeById<'a> {
    /// Whose room.
    pub id: StoredIdRef<'a>,
    /// What happened to it.
    pub change: ChangeNaming<DepartmentIdRef<'a>>,
}

/// What happened to a room.
pub type Change<'a> = ChangeNaming<DepartmentId<'a>>;

/// The fields that an update changes; `None` leaves a field as it is.
pub type Update<'a> = UpdateNaming<DepartmentId<'a>>;

/// What happened to a room, which may name a department by such a `D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeNaming<D> {
    /// The whole room as it is now, whatever was known before.
    Stated {
        /// The instant of the room's creation.
        ts: Timestamp,
        /// Its department of now; none is a row of its own in every answer.
        department: Option<D>,
        /// Whether the visitor waits for an answer.
        waiting: bool,
    },
    /// Some fields of a room that may or may not be known.
    Updated(UpdateNaming<D>),
    /// The room is gone, says an event.
    Removed,
    /// The room is gone, says a record without a value.
    Tombstone,
    /// It is a room of another type than livechat's.
    OtherKind,
}

/// As [`Update`], with a department named by such a `D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateNaming<D> {
    /// The instant of the room's creation.
    pub ts: Option<Timestamp>,
    /// The department; `Some(None)` takes the room out of its department.
    pub department: Option<Option<D>>,
    /// Whether the visitor waits for an answer.
    pub waiting: Option<bool>,
}

impl<D> Default for UpdateNaming<D> {
    fn default() -> Self {
        Self { ts: None, department: None, waiting: None }
    }
}

impl<D> ChangeNaming<D> {
    /// The same change with its department borrowed.
    #[inline]
    pub fn borrowed(&self) -> ChangeNaming<&D> {
        match self {
            Self::Stated { ts, department, waiting } => {
                ChangeNaming::Stated { ts: *ts, department: department.as_ref(), waiting: *waiting }
            }
            Self::Updated(UpdateNaming { ts, department, waiting }) => ChangeNaming::Updated(UpdateNaming {
                ts: *ts,
                department: department.as_ref().map(Option::as_ref),
                waiting: *waiting,
            }),
            Self::Removed => ChangeNaming::Removed,
            Self::Tombstone => ChangeNaming::Tombstone,
            Self::OtherKind => ChangeNaming::OtherKind,
        }
    }

    /// The same change with its department named in another way.
    #[inline]
    pub fn renamed<E>(self, rename: impl FnOnce(D) -> E) -> ChangeNaming<E> {
        match self {
            Self::Stated { ts, department, waiting } => {
                ChangeNaming::Stated { ts, department: department.map(rename), waiting }
            }
            Self::Updated(UpdateNaming { ts, department, waiting }) => ChangeNaming::Updated(UpdateNaming {
                ts,
                department: department.map(|named| named.map(rename)),
                waiting,
            }),
            Self::Removed => ChangeNaming::Removed,
            Self::Tombstone => ChangeNaming::Tombstone,
            Self::OtherKind => ChangeNaming::OtherKind,
        }
    }
}

impl RoomChange<'_> {
    /// The same change by the id as it is kept.
    pub fn by_id(&self) -> ChangeById<'_> {
        ChangeById {
            id: StoredIdRef::from(&self.room),
            change: self.change.borrowed().renamed(DepartmentId::as_ref),
        }
    }

    /// The same change, independent of what it was read from.
    pub fn into_owned(self) -> RoomChange<'static> {
        RoomChange { room: self.room.into_owned(), change: self.change.renamed(DepartmentId::into_owned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_a_name_of_at_most_128_bytes() {
        assert_eq!(RoomId::new(""), Err(BadId::Empty));
        assert!(RoomId::new("x".repeat(128)).is_ok());
        assert_eq!(RoomId::new("x".repeat(129)), Err(BadId::TooLong));
        assert_eq!(RoomId::new("é".repeat(65)), Err(BadId::TooLong));
    }

    #[test]
    fn the_empty_text_is_a_department() {
        assert_eq!(DepartmentId::new("").map(|id| id.as_str().len()), Ok(0));
        assert_eq!(DepartmentId::new("x".repeat(129)), Err(BadId::TooLong));
    }
}
