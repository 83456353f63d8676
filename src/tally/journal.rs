//! What changed, for whoever keeps it elsewhere too.
//!
//! Owns the shape of a change. Invariant: the changes in their order, from any
//! state on, lead to the state behind the last of them; a room that a change
//! left as it was has none.

use crate::room::{Room, StoredId, StoredIdRef};

/// A room that is different now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRoom {
    /// Whose room.
    pub id: StoredId,
    /// The room as it is now; none if it is gone.
    pub room: Option<Room>,
}

/// The changes since they were last drained, if they are kept at all.
#[derive(Debug, Default)]
pub(super) struct Journal(Option<Vec<ChangedRoom>>);

impl Journal {
    /// Keeps changes from now on.
    pub(super) fn keep(&mut self) {
        self.0.get_or_insert_default();
    }

    pub(super) fn push(&mut self, id: StoredIdRef<'_>, room: Option<Room>) {
        if let Some(changes) = &mut self.0 {
            changes.push(ChangedRoom { id: id.into_owned(), room });
        }
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = ChangedRoom> {
        self.0.iter_mut().flat_map(|changes| changes.drain(..))
    }
}
