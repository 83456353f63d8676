//! A room's id as it is kept and handed on: packed, or as text.
//!
//! Owns the choice between the two. Invariant: what can be packed is packed, so
//! that two stored ids are equal exactly when their texts are.

use crate::room::{MAX_PACKED_BYTES, PackedId, RoomId};

/// The id of a room, owned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredId {
    /// In 128 bits.
    Packed(PackedId),
    /// A text that has no packing.
    Long(Box<str>),
}

/// The id of a room, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoredIdRef<'a> {
    /// In 128 bits.
    Packed(PackedId),
    /// A text that has no packing.
    Long(&'a str),
}

/// What stands for a room's id inside one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoomKey {
    /// The id itself.
    Packed(PackedId),
    /// The number of a text that has no packing.
    Long(u32),
}

impl StoredId {
    /// The id, borrowed.
    pub fn as_ref(&self) -> StoredIdRef<'_> {
        match self {
            Self::Packed(packed) => StoredIdRef::Packed(*packed),
            Self::Long(text) => StoredIdRef::Long(text),
        }
    }
}

impl<'a> StoredIdRef<'a> {
    /// The id with this text.
    pub fn of(text: &'a str) -> Self {
        PackedId::of(text).map_or(Self::Long(text), Self::Packed)
    }

    /// The same id, packed if it can be, whoever made this.
    #[must_use]
    #[inline]
    pub fn normal(self) -> Self {
        match self {
            Self::Packed(_) => self,
            Self::Long(text) => Self::of(text),
        }
    }

    /// The id, owned.
    pub fn into_owned(self) -> StoredId {
        match self {
            Self::Packed(packed) => StoredId::Packed(packed),
            Self::Long(text) => StoredId::Long(text.into()),
        }
    }

    /// The text; a packed one is written into `into`.
    pub fn text<'b>(self, into: &'b mut [u8; MAX_PACKED_BYTES]) -> &'b str
    where
        'a: 'b,
    {
        match self {
            Self::Packed(packed) => packed.write(into),
            Self::Long(text) => text,
        }
    }
}

impl<'a> From<&'a RoomId<'_>> for StoredIdRef<'a> {
    fn from(id: &'a RoomId<'_>) -> Self {
        Self::of(id.as_str())
    }
}

impl<'a> From<&'a StoredId> for StoredIdRef<'a> {
    fn from(id: &'a StoredId) -> Self {
        id.as_ref()
    }
}
