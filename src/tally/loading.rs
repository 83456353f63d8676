//! A tally that is built from what was kept elsewhere, before anyone sees it.
//!
//! Owns what is refused of it. Nothing is added up while it fills: once at its end,
//! instead of with every room and every change of one. Invariant: whatever was put,
//! ledger, buckets and departments agree in the end, so it takes the place of the
//! present one in one step.

use crate::buckets::Buckets;
use crate::ledger::Intake;
use crate::room::{PackedId, Room, RoomKey, StoredIdRef};
use crate::tally::books::Books;

/// Departments and rooms that [`super::TallyWriter::replace`] makes the tally.
#[derive(Debug)]
pub struct Loading {
    books: Books,
    /// Rooms that were put and are yet to be entered into their hours, so that those of
    /// one hour are entered together.
    staged: Vec<(RoomKey, Room)>,
    /// Rooms that stand in their hours and are yet to be entered into the ledger.
    intake: Intake,
    limits: Limits,
    /// Whether none of these waits.
    is_settled: bool,
    /// Changes that are yet to be made, so that the ledger can be read ahead for all
    /// of them; while there are some, all else is settled.
    changes: Vec<(PackedId, Option<Room>)>,
}

/// How much waits at most.
#[derive(Debug, Clone, Copy)]
struct Limits {
    staged: usize,
    /// Records that count no more, whatever the number of rooms.
    outdated: usize,
}

/// As many as fit the processor's second memory, with what they are added to.
const LIMITS: Limits = Limits { staged: 8 * 1024, outdated: 64 * 1024 };

/// Enough that waiting for them to be that many costs nothing.
const CHANGES_MAX: usize = 1024;

/// One record in so many may be of a room that has a later one.
const OUTDATED_SHARE: usize = 32;

/// The department has a slot already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the department is named twice")]
pub struct DuplicateDepartment;

/// The room's department was not named before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the room's department has no name")]
pub struct UnknownDepartment;

impl Loading {
    /// Begins with nothing. At most `departments` distinct ones are accepted
    /// later, when it is the tally; those that are loaded may be more, so that a
    /// limit that was lowered does not keep the service from starting.
    pub fn new(departments: usize) -> Self {
        Self::within(departments, Intake::default(), LIMITS)
    }

    /// Enters rooms on so many threads, the calling one among them; on that alone where
    /// nothing is said.
    #[must_use]
    pub fn on_threads(self, threads: usize) -> Self {
        Self { intake: self.intake.on_threads(threads), ..self }
    }

    fn within(departments: usize, intake: Intake, limits: Limits) -> Self {
        let mut books = Books::new(departments);
        books.rooms.buckets = Buckets::unsummed();
        Self { books, staged: Vec::new(), intake, limits, is_settled: true, changes: Vec::new() }
    }

    /// Says how many rooms there may be in the end, as far as is known by now. It
    /// may be wrong, and may be said again: too few cost time, too many cost
    /// memory.
    pub fn expect(&mut self, rooms: usize) {
        self.intake.expect(rooms);
    }

    /// Gives the next slot to this department; the first one named gets slot 1.
    pub fn department(&mut self, name: &str) -> Result<(), DuplicateDepartment> {
        if self.books.departments.load(name) { Ok(()) } else { Err(DuplicateDepartment) }
    }

    /// How many departments have a slot, without none.
    pub fn departments(&self) -> usize {
        self.books.departments.named()
    }

    /// Puts a room, in the place of the one with this id, if there is one. For those
    /// that are nearly all new; quickest where they come by hour.
    pub fn put(&mut self, id: StoredIdRef<'_>, room: Room) -> Result<(), UnknownDepartment> {
        self.check(room)?;
        self.make_changes();
        self.is_settled = false;
        self.staged.push((self.books.rooms.ledger.key(id.normal()), room));
        if self.staged.len() >= self.limits.staged {
            self.add_staged();
            self.bound_outdated();
        }
        Ok(())
    }

    /// Makes a room what it is now, or removes it, if there is one. For those that
    /// are known, most of them.
    pub fn change(&mut self, id: StoredIdRef<'_>, room: Option<Room>) -> Result<(), UnknownDepartment> {
        if let Some(room) = room
            && !self.is_settled
        {
            // A file that was written while much was counted has changes between its rooms,
            // most of them of rooms that are new or come later. Settling for each of these
            // would enter few rooms at a time into all of the ledger.
            return self.put(id, room);
        }
        room.map_or(Ok(()), |room| self.check(room))?;
        self.settle();
        match id.normal() {
            StoredIdRef::Packed(packed) => {
                self.changes.push((packed, room));
                if self.changes.len() == CHANGES_MAX {
                    self.make_changes();
                }
            }
            // Another text than all that wait.
            id @ StoredIdRef::Long(_) => self.books.rooms.change(id, room),
        }
        Ok(())
    }

    /// How many rooms there are.
    pub fn rooms(&mut self) -> usize {
        self.make_changes();
        self.settle();
        self.books.rooms.ledger.len()
    }

    fn check(&self, room: Room) -> Result<(), UnknownDepartment> {
        if self.books.departments.has(room.department) { Ok(()) } else { Err(UnknownDepartment) }
    }

    fn make_changes(&mut self) {
        self.books.rooms.change_all(&self.changes);
        self.changes.clear();
    }

    fn add_staged(&mut self) {
        self.books.rooms.add_later(&self.staged, &mut self.intake);
        self.staged.clear();
    }

    /// Settles when that frees much, so that a file that says the same again and
    /// again does not fill the memory.
    fn bound_outdated(&mut self) {
        let rooms = self.books.rooms.ledger.len();
        if self.intake.outdated() > self.limits.outdated.max(rooms / OUTDATED_SHARE) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if self.is_settled {
            return;
        }
        self.is_settled = true;
        self.add_staged();
        self.books.rooms.settle(&mut self.intake);
    }

    pub(super) fn into_books(mut self) -> Books {
        self.make_changes();
        self.settle();
        let Books { rooms, departments } = &mut self.books;
        rooms.buckets.sum_up();
        departments.sort();
        departments.recount(&rooms.buckets);
        self.books
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::{DepartmentSlot, StoredId, Timestamp};
    use crate::tally::{WalkCursor, tally};
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Ids of both forms.
    fn id(number: u8) -> StoredId {
        let text = match number % 3 {
            0 => format!("a room with a long name, number {number}"),
            _ => format!("BtS3XkqN8mY2cQ{number:03}"),
        };
        StoredIdRef::of(&text).into_owned()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(Room),
        Change(Option<Room>),
        Count,
    }

    fn steps() -> impl Strategy<Value = Vec<(u8, Step)>> {
        let hours = prop_oneof![0..3_600_000_i64, 0..10_000_000_i64, 0..10_000_000_000_i64];
        let room = (hours, 0..4_u32, any::<bool>()).prop_map(|(ts, department, waiting)| Room {
            ts: Timestamp::from_millis(ts),
            department: DepartmentSlot(department),
            waiting,
        });
        let step = prop_oneof![
            20 => room.clone().prop_map(Step::Put),
            2 => prop::option::of(room).prop_map(Step::Change),
            1 => Just(Step::Count),
        ];
        prop::collection::vec((any::<u8>(), step), 0..2_000)
    }

    proptest! {
        #[test]
        fn the_last_word_on_each_room_holds_whatever_waits(
            steps in steps(),
            ids in 1..=u8::MAX,
            (waiting, staged, outdated) in (1..8_usize, 1..50_usize, 0..60_usize),
            expected in 0..5_000_usize,
        ) {
            let mut loading = Loading::within(3, Intake::new(waiting), Limits { staged, outdated });
            ["a", "b", "c"].into_iter().for_each(|name| loading.department(name).unwrap());
            loading.expect(expected);
            let mut rooms = HashMap::new();
            for (number, step) in steps {
                let id = id(number % ids);
                match step {
                    Step::Put(room) => {
                        loading.put(id.as_ref(), room).unwrap();
                        rooms.insert(id, room);
                    }
                    Step::Change(Some(room)) => {
                        loading.change(id.as_ref(), Some(room)).unwrap();
                        rooms.insert(id, room);
                    }
                    Step::Change(None) => {
                        loading.change(id.as_ref(), None).unwrap();
                        rooms.remove(&id);
                    }
                    Step::Count => prop_assert_eq!(loading.rooms(), rooms.len()),
                }
            }
            let (mut beside, expected) = tally(3);
            let mut one_by_one = Loading::new(3);
            ["a", "b", "c"].into_iter().for_each(|name| one_by_one.department(name).unwrap());
            rooms.iter().for_each(|(id, room)| one_by_one.put(id.as_ref(), *room).unwrap());
            beside.replace(one_by_one);
            let (mut writer, reader) = tally(3);
            writer.replace(loading);
            let mut walked = HashMap::new();
            reader.walk(&mut WalkCursor::default(), usize::MAX, |id, room| {
                assert_eq!(walked.insert(id.into_owned(), room), None);
            });
            prop_assert_eq!(&walked, &rooms);
            prop_assert_eq!(reader.digest(), expected.digest());
            prop_assert_eq!(reader.departments(), expected.departments());
            for department in [None, Some("a"), Some("b"), Some("c")] {
                for answered in [None, Some(true)] {
                    let (from, to) = (Timestamp::MIN, Timestamp::MAX);
                    let question = crate::tally::Question { from, to, answered, department };
                    prop_assert_eq!(reader.count(&question), expected.count(&question));
                }
            }
            // Every room is found, where it is and nowhere else.
            let books = reader.books();
            for (id, room) in &rooms {
                prop_assert_eq!(books.rooms.get(books.rooms.ledger.hashed(id.as_ref())).map(|known| known.room), Some(*room));
            }
            prop_assert_eq!(books.rooms.ledger.len(), rooms.len());
        }
    }
}
