//! What a change does, and what a question gets.
//!
//! Owns the outcome of every change. Invariant: each department's number of
//! rooms equals the rooms that name it.

use crate::buckets::Count;
use crate::room::{Change, Room, RoomChange, StoredIdRef, Update};
use crate::tally::departments::Departments;
use crate::tally::journal::Journal;
use crate::tally::rooms::{Known, Rooms};
use crate::tally::{Apply, Outcome, Question, Row};

/// Everything that is under the one lock.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) rooms: Rooms,
    pub(super) departments: Departments,
}

impl Books {
    pub(super) fn new(departments: usize) -> Self {
        Self { rooms: Rooms::default(), departments: Departments::new(departments) }
    }

    pub(super) fn apply(&mut self, change: &RoomChange<'_>, when: Apply, journal: &mut Journal) -> Outcome {
        let id = StoredIdRef::from(&change.room);
        let known = self.rooms.get(id);
        if known.is_some() && when == Apply::IfUnknown {
            return Outcome::Duplicate;
        }
        let room = match (&change.change, known) {
            (Change::Stated { ts, department, waiting }, _) => {
                let department = self.departments.slot(department.as_ref());
                department.map(|department| Room { ts: *ts, department, waiting: *waiting })
            }
            (Change::Updated(update), Some(known)) => self.updated(known.room, update),
            (Change::Removed | Change::Tombstone | Change::OtherKind, Some(known)) => {
                self.remove(known);
                journal.push(id, None);
                return Outcome::Removed;
            }
            (Change::Updated(_) | Change::Removed, None) => return Outcome::UnknownRoom,
            (Change::Tombstone, None) => return Outcome::Tombstone,
            (Change::OtherKind, None) => return Outcome::Ignored,
        };
        let Some(room) = room else { return Outcome::TooManyDepartments };
        if known.is_some_and(|known| known.room == room) {
            return Outcome::Duplicate;
        }
        self.put(id, known, room);
        journal.push(id, Some(room));
        if known.is_some() { Outcome::Changed } else { Outcome::Counted }
    }

    /// The known room with the changed fields, unless its department has no place.
    fn updated(&mut self, known: Room, update: &Update<'_>) -> Option<Room> {
        Some(Room {
            ts: update.ts.unwrap_or(known.ts),
            department: match &update.department {
                Some(department) => self.departments.slot(department.as_ref())?,
                None => known.department,
            },
            waiting: update.waiting.unwrap_or(known.waiting),
        })
    }

    /// Makes the room what it is now; `known` is what it was until now.
    fn put(&mut self, id: StoredIdRef<'_>, known: Option<Known>, room: Room) {
        self.departments.enter(room.department);
        match known {
            None => self.rooms.add(id, room),
            Some(known) => {
                self.rooms.restate(id, known, room);
                self.departments.leave(known.room.department);
            }
        }
    }

    fn remove(&mut self, known: Known) {
        self.rooms.remove(known);
        self.departments.leave(known.room.department);
    }

    pub(super) fn count(&self, question: &Question<'_>) -> Vec<Row> {
        // One loop each, without asking anew for every department and bucket.
        match question.answered {
            None => self.rows(question, |count| count.rooms),
            Some(true) => self.rows(question, |count| count.rooms - count.waiting),
            Some(false) => self.rows(question, |count| count.waiting),
        }
    }

    fn rows(&self, question: &Question<'_>, wanted: impl Fn(Count) -> i64) -> Vec<Row> {
        let Question { from, to, department, .. } = *question;
        let buckets = &self.rooms.buckets;
        if let Some(name) = department {
            let Some(slot) = self.departments.known(name) else { return Vec::new() };
            let mut rooms = 0;
            buckets.count(from, to, Some(slot), |_, count| rooms += wanted(count));
            return self.departments.row(slot, rooms).into_iter().collect();
        }
        let mut sums = vec![0; self.departments.slots()];
        buckets.count(from, to, None, |slot, count| sums[slot.0 as usize] += wanted(count));
        let rows = self.departments.by_name();
        rows.filter_map(|slot| self.departments.row(slot, sums[slot.0 as usize])).collect()
    }
}
