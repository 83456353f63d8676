//! What changed in a document, told field by field: `updateDescription`.
//!
//! Owns `updatedFields` and `removedFields`. Names may be dotted paths into a
//! document; only the whole names are read.

use crate::decode::fields::{RoomFields, present};
use crate::decode::json::Json;
use crate::decode::name::Name;
use crate::decode::{Reading, RejectReason};
use crate::room::{Change, Update};

/// The changed fields of a room, opened and not read yet.
#[derive(Debug, Default)]
pub(super) struct Description<'a> {
    updated: RoomFields<'a>,
    removed: Removed,
}

/// Which fields are there no more. A room keeps its creation time, whatever happens to
/// the field.
#[derive(Debug, Default)]
struct Removed {
    department: bool,
    waiting: bool,
}

impl<'a> Description<'a> {
    /// Opens a description; without one nothing changed.
    pub(super) fn open(described: Option<&'a Json<'a>>, reading: &Reading<'a>) -> Result<Self, RejectReason> {
        let Some(described) = reading.object(described)? else { return Ok(Self::default()) };
        let updated = reading.object(described.get(Name::UpdatedFields))?;
        let updated = updated.map_or_else(RoomFields::default, RoomFields::of);
        Ok(Self { updated, removed: Removed::of(described.get(Name::RemovedFields), reading)? })
    }

    /// Reads the fields.
    pub(super) fn change(&self, reading: &Reading<'a>) -> Result<Change<'a>, RejectReason> {
        let Update { ts, mut department, mut waiting } = self.updated.updated(reading)?;
        if self.removed.department {
            department = Some(None);
        }
        if self.removed.waiting {
            waiting = Some(false);
        }
        Ok(Change::Updated(Update { ts, department, waiting }))
    }
}

impl Removed {
    fn of<'a>(names: Option<&'a Json<'a>>, reading: &Reading<'a>) -> Result<Self, RejectReason> {
        let Some(names) = present(names) else { return Ok(Self::default()) };
        let Json::Array(names) = reading.opened(*names)? else { return Err(RejectReason::NotObject) };
        let names = names.names();
        Ok(Self { department: names.has(Name::Department), waiting: names.has(Name::Waiting) })
    }
}
