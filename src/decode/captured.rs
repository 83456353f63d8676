//! A change of a document as change capture tells it, whichever connector wrote it.
//!
//! Owns what a written, an updated and a deleted document mean. An update speaks by the
//! document as it is behind it, where that was looked up and is still there, and else by
//! the description of what changed.

use crate::decode::document::{self, Said};
use crate::decode::fields::RoomFields;
use crate::decode::json::{Json, Object};
use crate::decode::update::Description;
use crate::decode::{Decoded, Reading, RejectReason};
use crate::room::{Change, RoomChange, RoomId};

/// What an event carries, not opened yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Captured<'a> {
    /// The document's id where it stands beside the documents; it goes before theirs.
    pub(super) id: Option<&'a Json<'a>>,
    /// The document behind the change.
    pub(super) document: Option<&'a Json<'a>>,
    /// The document before the change.
    pub(super) before: Option<&'a Json<'a>>,
    /// What changed in it.
    pub(super) description: Option<&'a Json<'a>>,
}

impl<'a> Captured<'a> {
    /// The document was created, replaced or read for a snapshot.
    pub(super) fn written(&self, reading: &Reading<'a>) -> Result<Decoded<'a>, RejectReason> {
        let document = reading.object(self.document)?;
        document::decode(&self.named(document), Said::Whole, reading)
    }

    /// Some of its fields changed.
    pub(super) fn updated(&self, reading: &Reading<'a>) -> Result<Decoded<'a>, RejectReason> {
        if let Some(document) = reading.object(self.document)? {
            return document::decode(&self.named(Some(document)), Said::LookedUp, reading);
        }
        let description = Description::open(self.description, reading)?;
        let room = self.room(reading)?;
        Ok(Decoded::Change(RoomChange { room, change: description.change(reading)? }))
    }

    /// It is there no more.
    pub(super) fn removed(&self, reading: &Reading<'a>) -> Result<Decoded<'a>, RejectReason> {
        Ok(Decoded::Change(RoomChange { room: self.room(reading)?, change: Change::Removed }))
    }

    /// Whose document it was, where only the one before may be there.
    fn room(&self, reading: &Reading<'a>) -> Result<RoomId<'a>, RejectReason> {
        self.named(reading.object(self.before)?).room(reading)
    }

    /// What a document says of its room; nothing if it is not there.
    fn named(&self, document: Option<Object<'a>>) -> RoomFields<'a> {
        document.map_or_else(RoomFields::default, RoomFields::of).under(self.id)
    }
}
