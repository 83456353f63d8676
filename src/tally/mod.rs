//! The ledger and the buckets kept equal: the only door to the counts.
//!
//! Owns what a room change does. One [`TallyWriter`] exists and applies changes
//! in batches; any number of [`TallyReader`]s ask, and see none of them half applied.
//! Invariant: the buckets hold exactly the rooms of the ledger, and a
//! department once seen keeps its place for the life of the tally.
//!
//! What was counted can be kept elsewhere and come back: a walk tells all rooms,
//! a few at a time; the changes that were kept tell what happened meanwhile; a
//! [`Loading`] takes both and becomes the tally. The walk's rooms and the
//! changes, each in the order in which they were told, later ones over earlier
//! ones, are exactly the rooms behind the last change.

mod answer;
mod books;
mod departments;
mod digest;
mod journal;
mod loading;
mod names;
mod rooms;

use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::room::{ChangeById, Room, RoomChange, Timestamp};

use books::Books;
use journal::Journal;

pub use crate::buckets::WalkCursor;
pub use crate::room::{StoredId, StoredIdRef};
pub use answer::{Answer, Row};
pub use journal::ChangedRoom;
pub use loading::{DuplicateDepartment, Loading, UnknownDepartment};
pub use names::NearName;

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
    /// A room of another type, not known.
    Ignored,
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

/// Makes an empty tally with room for `departments` distinct departments.
pub fn tally(departments: usize) -> (TallyWriter, TallyReader) {
    let books = Arc::new(RwLock::new(Books::new(departments)));
    (TallyWriter { books: Arc::clone(&books), journal: Journal::default() }, TallyReader(books))
}

/// The one who changes counts.
#[derive(Debug)]
pub struct TallyWriter {
    books: Arc<RwLock<Books>>,
    journal: Journal,
}

/// Asks for counts; as many as wanted.
#[derive(Debug, Clone)]
pub struct TallyReader(Arc<RwLock<Books>>);

/// Changes that readers see together, once this is dropped. Readers wait for
/// as long, so a batch is kept short; and those that wait come before the next one.
#[derive(Debug)]
pub struct Batch<'a> {
    /// There until the batch is dropped.
    books: Option<RwLockWriteGuard<'a, Books>>,
    journal: &'a mut Journal,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        // Left to chance, a writer that begins again at once would have the lock before a
        // reader that is woken for it: where both cores are busy readers would starve.
        self.books.take().into_iter().for_each(RwLockWriteGuard::unlock_fair);
    }
}

impl TallyWriter {
    /// Begins a batch of changes.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch { books: Some(self.books.write()), journal: &mut self.journal }
    }

    /// Keeps every change from now on, until it is drained. Not done unasked:
    /// where nobody drains them, changes would fill the memory.
    pub fn keep_changes(&mut self) {
        self.journal.keep();
    }

    /// Takes what changed since the last time, in the order in which it did:
    /// one for each room counted, changed or removed.
    pub fn drain_changes(&mut self) -> impl Iterator<Item = ChangedRoom> {
        self.journal.drain()
    }

    /// How many rooms count now.
    pub fn rooms(&self) -> usize {
        self.books.read().rooms.ledger.len()
    }

    /// How many departments have a slot, without none.
    pub fn departments_named(&self) -> usize {
        self.books.read().departments.named()
    }

    /// Makes what was loaded the tally, for all readers at once. Changes that
    /// were kept and walks that were begun belong to the one before: the changes
    /// are dropped, the walks are to begin anew.
    pub fn replace(&mut self, loading: Loading) {
        let books = loading.into_books();
        self.journal.drain().for_each(drop);
        let before = std::mem::replace(&mut *self.books.write(), books);
        // Freeing many rooms takes a while, in which no reader is to wait.
        drop(before);
    }
}

impl Batch<'_> {
    /// Applies one change.
    pub fn apply(&mut self, change: &RoomChange<'_>, when: Apply) -> Outcome {
        let mut outcome = Outcome::Ignored;
        self.apply_all(&[change.by_id()], |_| when, |told| outcome = told);
        outcome
    }

    /// Applies changes in their order, which is quicker than one by one. `when` is asked of
    /// those alone whose rooms are known, by their place; `each` is told what every one did.
    pub fn apply_all(
        &mut self,
        changes: &[ChangeById<'_>],
        when: impl Fn(usize) -> Apply,
        each: impl FnMut(Outcome),
    ) {
        if let Some(books) = &mut self.books {
            books.apply_all(changes, self.journal, when, each);
        }
    }
}

impl TallyReader {
    /// The rooms of each department that has some: none first, then by id,
    /// byte by byte.
    pub fn count(&self, question: &Question<'_>) -> Answer {
        self.books().count(question)
    }

    /// How many rooms count now.
    pub fn rooms(&self) -> usize {
        self.books().rooms.ledger.len()
    }

    /// How many departments have a room now; none is not one of them.
    pub fn departments(&self) -> usize {
        self.books().departments.inhabited()
    }

    /// The names of departments in the order of their slots, from slot 1 on,
    /// without the first `known`. A name keeps its slot, so those that were told
    /// once need not be told again.
    pub fn departments_since(&self, known: usize) -> Vec<Arc<str>> {
        self.books().departments.since(known)
    }

    /// The creation of the newest room that counts.
    pub fn newest_room(&self) -> Option<Timestamp> {
        self.books().rooms.buckets.newest()
    }

    /// Calls `each` with the next `max` rooms at most, by hour, and moves the
    /// cursor behind them; whether all were told. The writer waits as long as
    /// this takes, so both are to be small. Between two steps rooms may change:
    /// one that does not is told at least once, see [`WalkCursor`]; for the
    /// others there is [`TallyWriter::drain_changes`].
    pub fn walk(
        &self,
        cursor: &mut WalkCursor,
        max: usize,
        mut each: impl FnMut(StoredIdRef<'_>, Room),
    ) -> bool {
        let books = self.books();
        let ledger = &books.rooms.ledger;
        books.rooms.buckets.walk(cursor, max, |key, room| each(ledger.id(key), room))
    }

    /// A number that is equal for equal rooms, whatever happened in which order
    /// and whatever slots their departments have. It looks at all rooms while
    /// the writer waits: for tests and for looking at files.
    pub fn digest(&self) -> u128 {
        self.books().digest()
    }

    fn books(&self) -> RwLockReadGuard<'_, Books> {
        self.0.read()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::{Change, DepartmentId, DepartmentSlot, RoomId, Update};
    use Outcome::{
        Changed, Counted, Duplicate, Ignored, Removed, Tombstone, TooManyDepartments, UnknownRoom,
    };

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
        let answer = reader.count(&Question { from, to, answered, department: None });
        answer.rows().map(|row| (row.department.map(str::to_owned), row.rooms)).collect()
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
    fn a_room_that_turns_out_to_be_of_another_type_counts_no_more() {
        check(
            &[
                (created("r", 5, department("a")), Counted),
                (created("s", 5, None), Counted),
                (change("r", Change::OtherKind), Removed),
                (change("r", Change::OtherKind), Ignored),
            ],
            &[(None, 1)],
        );
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
    fn an_answer_keeps_its_names_while_departments_come() {
        fn told(answer: &Answer) -> Vec<(Option<&str>, u64)> {
            answer.rows().map(|row| (row.department, row.rooms)).collect()
        }
        let (mut writer, reader) = tally(10);
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let ask = |department| reader.count(&Question { from, to, answered: None, department });
        let mut count = |room, id| {
            assert_eq!(writer.batch().apply(&created(room, 1, department(id)), Apply::Always), Counted);
        };
        count("1", "b");
        let (before, of_b) = (ask(None), ask(Some("b")));
        // One in front of it, and one behind.
        count("2", "a");
        count("3", "c");
        assert_eq!(told(&ask(None)), [(Some("a"), 1), (Some("b"), 1), (Some("c"), 1)]);
        for name in ["a", "b", "c"] {
            assert_eq!(told(&ask(Some(name))), [(Some(name), 1)]);
        }
        assert_eq!((told(&before), told(&of_b)), (vec![(Some("b"), 1)], vec![(Some("b"), 1)]));
        let held = ask(None);
        let mut loading = Loading::new(10);
        for (slot, name) in (1..).zip(["z", "c"]) {
            loading.department(name).unwrap();
            let room = Room { ts: from, department: DepartmentSlot(slot), waiting: false };
            loading.put(StoredIdRef::of(name), room).unwrap();
        }
        writer.replace(loading);
        assert_eq!(told(&ask(None)), [(Some("c"), 1), (Some("z"), 1)]);
        assert_eq!(told(&held), [(Some("a"), 1), (Some("b"), 1), (Some("c"), 1)]);
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
        let near = NearName::of("a");
        let row = Row { department: Some("a"), rooms: 1, near: near.as_ref() };
        assert_eq!(ask("a").rows().collect::<Vec<_>>(), [row]);
        assert!(ask("null").is_empty());
    }
}
