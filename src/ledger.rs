//! What is known of each room, by id.
//!
//! Owns the one place where a room is remembered. Invariant: an id stands here
//! exactly as long as its room counts, so a repeated record is recognised for
//! ever and a deleted room leaves nothing behind.

use hashbrown::HashMap;

use crate::room::{Room, RoomId};

/// All rooms that count now.
#[derive(Debug, Default)]
pub struct Ledger {
    rooms: HashMap<Box<str>, Room>,
}

impl Ledger {
    /// The room as it is now, if it counts.
    pub fn get(&self, id: &RoomId<'_>) -> Option<Room> {
        self.rooms.get(id.as_str()).copied()
    }

    /// Remembers the room as stated; returns what was known before.
    pub fn put(&mut self, id: &RoomId<'_>, room: Room) -> Option<Room> {
        match self.rooms.entry_ref(id.as_str()) {
            hashbrown::hash_map::EntryRef::Occupied(mut known) => Some(known.insert(room)),
            hashbrown::hash_map::EntryRef::Vacant(free) => {
                free.insert(room);
                None
            }
        }
    }

    /// Forgets the room; returns what was known.
    pub fn remove(&mut self, id: &RoomId<'_>) -> Option<Room> {
        self.rooms.remove(id.as_str())
    }

    /// How many rooms count now.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether no room counts.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::{DepartmentSlot, Timestamp};

    #[test]
    fn a_room_is_known_from_its_first_statement_to_its_removal() {
        let id = RoomId::new("BtS3Xk").unwrap();
        let first = Room { ts: Timestamp::from_millis(1), department: DepartmentSlot::NONE, waiting: true };
        let second = Room { waiting: false, ..first };
        let mut ledger = Ledger::default();
        assert_eq!(ledger.put(&id, first), None);
        assert_eq!(ledger.put(&id, second), Some(first));
        assert_eq!(ledger.get(&id), Some(second));
        assert_eq!(ledger.len(), 1);
        assert_eq!(ledger.remove(&id), Some(second));
        assert_eq!(ledger.remove(&id), None);
        assert!(ledger.is_empty());
    }
}
