//! What a change does, and what a question gets.
//!
//! Owns the outcome of every change. Invariant: each department's number of
//! rooms equals the rooms that name it.

use std::cell::RefCell;
use std::sync::Arc;

use crate::buckets::{AT_ONCE, Rank, Sum, Totals};
use crate::ledger::HashedId;
use crate::room::{
    ChangeById, ChangeNaming as Change, DepartmentIdRef, DepartmentSlot, Room, Timestamp, UpdateNaming,
};
use crate::tally::answer::Answer;
use crate::tally::departments::Departments;
use crate::tally::journal::Journal;
use crate::tally::rooms::{Known, Rooms};
use crate::tally::{Apply, Outcome, Question};

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

    /// Applies changes in their order; `when` is asked of those of known rooms, by their place,
    /// and `each` gets what every one did.
    pub(super) fn apply_all(
        &mut self,
        changes: &[ChangeById<'_>],
        journal: &mut Journal,
        when: impl Fn(usize) -> Apply,
        mut each: impl FnMut(Outcome),
    ) {
        for (chunk, changes) in changes.chunks(AT_ONCE).enumerate() {
            let coming = self.rooms.fetch(changes.iter().map(|change| change.id));
            let mut stated = [None; AT_ONCE];
            for (stated, change) in stated.iter_mut().zip(changes) {
                *stated = self.stated(change.change);
            }
            let new = coming.iter().zip(stated).filter(|(coming, _)| !coming.may_be_known);
            self.rooms.buckets.fetch_for(new.filter_map(|(_, stated)| stated));
            for (at, ((coming, stated), change)) in coming.iter().zip(stated).zip(changes).enumerate() {
                let (slot, when) = (stated.map(|(_, slot)| slot), || when(chunk * AT_ONCE + at));
                each(self.apply(coming.id, slot, change.change, when, journal));
            }
        }
    }

    /// When and in which department a room is stated to be, if the department has a slot.
    fn stated(&self, change: Change<DepartmentIdRef<'_>>) -> Option<(Timestamp, DepartmentSlot)> {
        let Change::Stated { ts, department, .. } = change else { return None };
        Some((ts, self.departments.of(department)?))
    }

    /// Applies one change; `slot` is that of the department it states, if it is known.
    fn apply(
        &mut self,
        id: HashedId<'_>,
        slot: Option<DepartmentSlot>,
        change: Change<DepartmentIdRef<'_>>,
        when: impl FnOnce() -> Apply,
        journal: &mut Journal,
    ) -> Outcome {
        let known = self.rooms.get(id);
        if known.is_some() && when() == Apply::IfUnknown {
            return Outcome::Duplicate;
        }
        let room = match (change, known) {
            (Change::Stated { ts, department, waiting }, _) => {
                let slot = slot.or_else(|| self.departments.slot(department));
                slot.map(|department| Room { ts, department, waiting })
            }
            (Change::Updated(update), Some(known)) => self.updated(known.room, &update),
            (Change::Removed | Change::Tombstone | Change::OtherKind, Some(known)) => {
                self.remove(known);
                journal.push(id.id(), None);
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
        journal.push(id.id(), Some(room));
        if known.is_some() { Outcome::Changed } else { Outcome::Counted }
    }

    /// The known room with the changed fields, unless its department has no place.
    fn updated(&mut self, known: Room, update: &UpdateNaming<DepartmentIdRef<'_>>) -> Option<Room> {
        Some(Room {
            ts: update.ts.unwrap_or(known.ts),
            department: match update.department {
                Some(department) => self.departments.slot(department)?,
                None => known.department,
            },
            waiting: update.waiting.unwrap_or(known.waiting),
        })
    }

    /// Makes the room what it is now; `known` is what it was until now.
    fn put(&mut self, id: HashedId<'_>, known: Option<Known>, room: Room) {
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

    pub(super) fn count(&self, question: &Question<'_>) -> Answer {
        // One loop each, without asking anew for every department and bucket.
        let shares = match question.answered {
            None => self.shares(question, |sum| sum.rooms),
            Some(true) => self.shares(question, |sum| sum.rooms - sum.waiting),
            Some(false) => self.shares(question, |sum| sum.waiting),
        };
        Answer::new(Arc::clone(self.departments.names()), shares)
    }

    fn shares(&self, question: &Question<'_>, wanted: impl Fn(Sum) -> u32 + Copy) -> Vec<(Rank, u32)> {
        let Question { from, to, department, .. } = *question;
        let (buckets, departments) = (&self.rooms.buckets, &self.departments);
        if let Some(name) = department {
            let slot = departments.known(name);
            let share = slot
                .map(|slot| (departments.names().rank_of(slot), buckets.count_of(slot, from, to, wanted)));
            return share.filter(|(_, rooms)| *rooms > 0).into_iter().collect();
        }
        TOTALS.with_borrow_mut(|totals| {
            buckets.count(from, to, departments.slots(), wanted, totals);
            let rank_of = |slot| departments.names().rank_of(slot);
            totals.take(departments.by_name(), rank_of)
        })
    }
}

thread_local! {
    /// Each thread that answers has its own.
    static TOTALS: RefCell<Totals> = RefCell::default();
}
