//! The ledger and the buckets kept equal: the only door to the counts.
//!
//! Owns what a room change does. One [`TallyWriter`] exists and applies changes
//! in batches; any number of [`TallyReader`]s ask, and see whole batches only.
//! Invariant: the buckets hold exactly the rooms of the ledger, and a
//! department once seen keeps its place for the life of the tally.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashMap;

use crate::buckets::{Buckets, Count};
use crate::ledger::Ledger;
use crate::room::{Change, DepartmentId, DepartmentSlot, Room, RoomChange, RoomId, Timestamp, Update};

/// What a change did.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A room not known before now counts.
    Counted,
    /// A known room is different now.
    Changed,
    /// A known room, nothing different.
    Duplicate,
    /// A known room is gone.
    Removed,
    /// A record without value for a room not known.
    Tombstone,
    /// An update or a deletion of a room not known.
    UnknownRoom,
    /// Refused: a department never seen before, and no place left for one.
    TooManyDepartments,
}

/// Whether what is known of a room bars a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// Apply whatever is known.
    Always,
    /// Apply only to a room not known, so that loading history undoes nothing.
    IfUnknown,
}

/// What is asked: the rooms created between two instants, both included.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The first instant.
    pub from: Timestamp,
    /// The last instant.
    pub to: Timestamp,
    /// Only answered rooms, only waiting ones, or all.
    pub answered: Option<bool>,
    /// Only this department.
    pub department: Option<&'a str>,
}

/// One department's share of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The department, or none.
    pub department: Option<Arc<str>>,
    /// Its rooms; never 0.
    pub rooms: u64,
}

/// Makes an empty tally with room for `departments` distinct departments.
pub fn tally(departments: usize) -> (TallyWriter, TallyReader) {
    let books = Arc::new(RwLock::new(Books {
        ledger: Ledger::default(),
        buckets: Buckets::default(),
        departments: Departments::new(departments),
    }));
    (TallyWriter(Arc::clone(&books)), TallyReader(books))
}

/// The one who changes counts.
#[derive(Debug)]
pub struct TallyWriter(Arc<RwLock<Books>>);

/// Asks for counts; as many as wanted.
#[derive(Debug, Clone)]
pub struct TallyReader(Arc<RwLock<Books>>);

/// Changes that readers see together, once this is dropped. Readers wait for
/// as long, so a batch is kept short.
#[derive(Debug)]
pub struct Batch<'a>(RwLockWriteGuard<'a, Books>);

impl TallyWriter {
    /// Begins a batch of changes.
    pub fn batch(&mut self) -> Batch<'_> {
        // A writer that panicked ends the process (see `service`), so nobody
        // goes on with what it left half done.
        Batch(self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Batch<'_> {
    /// Applies one change.
    pub fn apply(&mut self, change: &RoomChange<'_>, when: Apply) -> Outcome {
        self.0.apply(change, when)
    }
}

impl TallyReader {
    /// The rooms of each department that has some: none first, then by id,
    /// byte by byte.
    pub fn count(&self, question: &Question<'_>) -> Vec<Row> {
        self.books().count(question)
    }

    /// How many rooms count now.
    pub fn rooms(&self) -> usize {
        self.books().ledger.len()
    }

    /// How many departments have a room now; none is not one of them.
    pub fn departments(&self) -> usize {
        self.books().departments.inhabited
    }

    /// The creation of the newest room that counts.
    pub fn newest_room(&self) -> Option<Timestamp> {
        self.books().buckets.newest()
    }

    fn books(&self) -> RwLockReadGuard<'_, Books> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Books {
    ledger: Ledger,
    buckets: Buckets,
    departments: Departments,
}

impl Books {
    fn apply(&mut self, change: &RoomChange<'_>, when: Apply) -> Outcome {
        let id = &change.room;
        let known = self.ledger.get(id);
        if known.is_some() && when == Apply::IfUnknown {
            return Outcome::Duplicate;
        }
        match (&change.change, known) {
            (Change::Stated { ts, department, waiting }, known) => {
                let Some(department) = self.departments.slot(department.as_ref()) else {
                    return Outcome::TooManyDepartments;
                };
                self.state(id, known, Room { ts: *ts, department, waiting: *waiting })
            }
            (Change::Updated(update), Some(known)) => match self.updated(known, update) {
                Some(room) => self.state(id, Some(known), room),
                None => Outcome::TooManyDepartments,
            },
            (Change::Removed | Change::Tombstone, Some(known)) => {
                self.ledger.remove(id);
                self.take_back(known);
                Outcome::Removed
            }
            (Change::Updated(_) | Change::Removed, None) => Outcome::UnknownRoom,
            (Change::Tombstone, None) => Outcome::Tombstone,
        }
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

    fn state(&mut self, id: &RoomId<'_>, known: Option<Room>, room: Room) -> Outcome {
        if known == Some(room) {
            return Outcome::Duplicate;
        }
        self.ledger.put(id, room);
        self.buckets.add(room);
        self.departments.enter(room.department);
        match known {
            None => Outcome::Counted,
            Some(known) => {
                self.take_back(known);
                Outcome::Changed
            }
        }
    }

    fn take_back(&mut self, room: Room) {
        self.buckets.take_back(room);
        self.departments.leave(room.department);
    }

    fn count(&self, question: &Question<'_>) -> Vec<Row> {
        let wanted = |count: Count| match question.answered {
            None => count.rooms,
            Some(true) => count.rooms - count.waiting,
            Some(false) => count.waiting,
        };
        if let Some(name) = question.department {
            let Some(slot) = self.departments.known(name) else { return Vec::new() };
            let mut rooms = 0;
            self.buckets.count(question.from, question.to, Some(slot), |_, count| rooms += wanted(count));
            return self.departments.row(slot, rooms).into_iter().collect();
        }
        let mut sums = vec![0; self.departments.names.len()];
        self.buckets.count(question.from, question.to, None, |slot, count| {
            sums[slot.0 as usize] += wanted(count);
        });
        let rows = self.departments.by_name.iter();
        rows.filter_map(|&slot| self.departments.row(slot, sums[slot.0 as usize])).collect()
    }
}

/// Every department that was ever seen, and how many rooms each has now.
#[derive(Debug)]
struct Departments {
    limit: usize,
    /// By slot; the first is none.
    names: Vec<Option<Arc<str>>>,
    rooms: Vec<u64>,
    slots: HashMap<Arc<str>, DepartmentSlot>,
    /// None first, then in the order of the ids' bytes.
    by_name: Vec<DepartmentSlot>,
    /// How many departments have a room now, none aside.
    inhabited: usize,
}

impl Departments {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            names: vec![None],
            rooms: vec![0],
            slots: HashMap::new(),
            by_name: vec![DepartmentSlot::NONE],
            inhabited: 0,
        }
    }

    fn known(&self, name: &str) -> Option<DepartmentSlot> {
        self.slots.get(name).copied()
    }

    fn name(&self, slot: DepartmentSlot) -> Option<&str> {
        self.names[slot.0 as usize].as_deref()
    }

    /// The slot of a department; a new one takes a place, if one is left.
    fn slot(&mut self, id: Option<&DepartmentId<'_>>) -> Option<DepartmentSlot> {
        let Some(id) = id else { return Some(DepartmentSlot::NONE) };
        if let Some(slot) = self.known(id.as_str()) {
            return Some(slot);
        }
        if self.slots.len() >= self.limit {
            return None;
        }
        let slot = DepartmentSlot(u32::try_from(self.names.len()).ok()?);
        let name: Arc<str> = id.as_str().into();
        let place = self.by_name.partition_point(|&other| self.name(other) < Some(id.as_str()));
        self.by_name.insert(place, slot);
        self.names.push(Some(Arc::clone(&name)));
        self.rooms.push(0);
        self.slots.insert(name, slot);
        Some(slot)
    }

    fn enter(&mut self, slot: DepartmentSlot) {
        let rooms = &mut self.rooms[slot.0 as usize];
        *rooms += 1;
        if *rooms == 1 && slot != DepartmentSlot::NONE {
            self.inhabited += 1;
        }
    }

    fn leave(&mut self, slot: DepartmentSlot) {
        let rooms = &mut self.rooms[slot.0 as usize];
        *rooms -= 1;
        if *rooms == 0 && slot != DepartmentSlot::NONE {
            self.inhabited -= 1;
        }
    }

    fn row(&self, slot: DepartmentSlot, rooms: u64) -> Option<Row> {
        (rooms > 0).then(|| Row { department: self.names[slot.0 as usize].clone(), rooms })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use Outcome::{Changed, Counted, Duplicate, Removed, Tombstone, TooManyDepartments, UnknownRoom};

    fn change(room: &'static str, change: Change<'static>) -> RoomChange<'static> {
        RoomChange { room: RoomId::new(room).unwrap(), change }
    }

    #[allow(clippy::unnecessary_wraps, reason = "the tables read better so")]
    fn department(id: &'static str) -> Option<DepartmentId<'static>> {
        Some(DepartmentId::new(id).unwrap())
    }

    fn created(room: &'static str, ts: i64, id: Option<DepartmentId<'static>>) -> RoomChange<'static> {
        let ts = Timestamp::from_millis(ts);
        change(room, Change::Stated { ts, department: id, waiting: true })
    }

    fn answered(room: &'static str) -> RoomChange<'static> {
        change(room, Change::Updated(Update { waiting: Some(false), ..Update::default() }))
    }

    fn moved(room: &'static str, id: Option<DepartmentId<'static>>) -> RoomChange<'static> {
        change(room, Change::Updated(Update { department: Some(id), ..Update::default() }))
    }

    fn shifted(room: &'static str, ts: i64) -> RoomChange<'static> {
        let ts = Some(Timestamp::from_millis(ts));
        change(room, Change::Updated(Update { ts, ..Update::default() }))
    }

    /// Applies the changes one by one, in a tally with two departments' places,
    /// and compares the outcomes and what is left of rooms between 0 and 100.
    #[track_caller]
    fn check(steps: &[(RoomChange<'_>, Outcome)], expected: &[(Option<&str>, u64)]) -> TallyReader {
        let (mut writer, reader) = tally(2);
        for (change, outcome) in steps {
            assert_eq!(writer.batch().apply(change, Apply::Always), *outcome, "{change:?}");
        }
        assert_eq!(rows(&reader, None), expected.iter().map(own).collect::<Vec<_>>());
        reader
    }

    fn own(&(department, rooms): &(Option<&str>, u64)) -> (Option<String>, u64) {
        (department.map(str::to_owned), rooms)
    }

    fn rows(reader: &TallyReader, answered: Option<bool>) -> Vec<(Option<String>, u64)> {
        let (from, to) = (Timestamp::from_millis(0), Timestamp::from_millis(100));
        let rows = reader.count(&Question { from, to, answered, department: None });
        rows.into_iter().map(|row| (row.department.map(|id| id.to_string()), row.rooms)).collect()
    }

    #[test]
    fn a_room_stated_twice_counts_once() {
        check(
            &[
                (created("r", 5, department("a")), Counted),
                (created("r", 5, department("a")), Duplicate),
                (created("s", 5, None), Counted),
            ],
            &[(None, 1), (Some("a"), 1)],
        );
    }

    #[test]
    fn a_transfer_moves_the_room_to_the_other_row() {
        check(
            &[
                (created("r", 5, department("a")), Counted),
                (moved("r", department("")), Changed),
                (moved("r", department("")), Duplicate),
            ],
            &[(Some(""), 1)],
        );
        check(&[(created("r", 5, department("a")), Counted), (moved("r", None), Changed)], &[(None, 1)]);
    }

    #[test]
    fn a_removed_room_counts_no_more_and_can_come_back() {
        check(
            &[
                (created("r", 5, department("a")), Counted),
                (change("r", Change::Removed), Removed),
                (change("r", Change::Removed), UnknownRoom),
                (change("r", Change::Tombstone), Tombstone),
                (created("r", 6, department("a")), Counted),
                (change("r", Change::Tombstone), Removed),
                (created("r", 7, department("a")), Counted),
            ],
            &[(Some("a"), 1)],
        );
    }

    #[test]
    fn an_update_of_an_unknown_room_has_no_effect() {
        let reader = check(
            &[
                (answered("r"), UnknownRoom),
                (moved("r", department("x")), UnknownRoom),
                (created("s", 1, department("a")), Counted),
                // The unknown room's department took no place.
                (created("t", 1, department("b")), Counted),
            ],
            &[(Some("a"), 1), (Some("b"), 1)],
        );
        assert_eq!(reader.departments(), 2);
    }

    #[test]
    fn a_changed_creation_time_moves_the_room_in_time() {
        check(&[(created("r", 5, None), Counted), (shifted("r", 101), Changed)], &[]);
        check(&[(created("r", 101, None), Counted), (shifted("r", 100), Changed)], &[(None, 1)]);
    }

    #[test]
    fn a_department_without_a_place_is_refused_and_changes_nothing() {
        let reader = check(
            &[
                (created("r", 5, department("a")), Counted),
                (created("s", 5, department("b")), Counted),
                (created("t", 5, department("c")), TooManyDepartments),
                (moved("r", department("c")), TooManyDepartments),
                (created("r", 6, department("c")), TooManyDepartments),
                // None is no department, and the empty text would be one.
                (created("u", 5, None), Counted),
                (created("v", 5, department("")), TooManyDepartments),
                // A department keeps its place when its last room has left.
                (moved("r", None), Changed),
                (created("w", 5, department("c")), TooManyDepartments),
            ],
            &[(None, 2), (Some("b"), 1)],
        );
        assert_eq!((reader.rooms(), reader.departments()), (3, 1));
    }

    #[test]
    fn answered_filters_by_the_state_of_now() {
        let reader = check(
            &[
                (created("r", 5, None), Counted),
                (created("s", 5, None), Counted),
                (created("t", 5, department("a")), Counted),
                (answered("s"), Changed),
            ],
            &[(None, 2), (Some("a"), 1)],
        );
        assert_eq!(rows(&reader, Some(true)), [(None, 1)]);
        assert_eq!(rows(&reader, Some(false)), [(None, 1), (Some("a".to_owned()), 1)]);
    }

    #[test]
    fn history_loaded_beside_a_stream_undoes_nothing() {
        let (mut writer, reader) = tally(1);
        let mut batch = writer.batch();
        assert_eq!(batch.apply(&created("r", 5, department("a")), Apply::IfUnknown), Counted);
        assert_eq!(batch.apply(&moved("r", None), Apply::Always), Changed);
        assert_eq!(batch.apply(&created("r", 5, department("b")), Apply::IfUnknown), Duplicate);
        assert_eq!(batch.apply(&change("r", Change::Removed), Apply::IfUnknown), Duplicate);
        assert_eq!(batch.apply(&answered("s"), Apply::IfUnknown), UnknownRoom);
        drop(batch);
        assert_eq!(rows(&reader, None), [(None, 1)]);
        assert_eq!(reader.newest_room(), Some(Timestamp::from_millis(5)));
    }

    #[test]
    fn rows_come_with_none_first_and_then_by_the_bytes_of_the_id() {
        let (mut writer, reader) = tally(10);
        let ids = ["b", "", "é", "B", "aa", "a"];
        for (room, id) in ["1", "2", "3", "4", "5", "6"].into_iter().zip(ids) {
            assert_eq!(writer.batch().apply(&created(room, 1, department(id)), Apply::Always), Counted);
        }
        assert_eq!(writer.batch().apply(&created("7", 1, None), Apply::Always), Counted);
        let order: Vec<_> = rows(&reader, None).into_iter().map(|(id, _)| id).collect();
        let named = |id: &str| Some(id.to_owned());
        assert_eq!(order, [None, named(""), named("B"), named("a"), named("aa"), named("b"), named("é")]);
    }

    #[test]
    fn one_department_is_asked_for_alone() {
        let (mut writer, reader) = tally(10);
        assert_eq!(writer.batch().apply(&created("r", 1, department("a")), Apply::Always), Counted);
        assert_eq!(writer.batch().apply(&created("s", 1, department("b")), Apply::Always), Counted);
        let ask = |department| {
            let (from, to) = (Timestamp::MIN, Timestamp::MAX);
            reader.count(&Question { from, to, answered: None, department: Some(department) })
        };
        assert_eq!(ask("a"), [Row { department: Some("a".into()), rooms: 1 }]);
        assert_eq!(ask("null"), []);
    }
}
