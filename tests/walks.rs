//! What leaves a tally and comes back: walks, changes, loading, digests.
//!
//! Random changes happen between the steps of a walk; the rooms walked and the
//! changes kept, in the order in which they were told, are then all there is to
//! know. Only public doors are used.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use roomtally::room::{
    Change, DepartmentId, DepartmentSlot, Room, RoomChange, RoomId, StoredId, StoredIdRef, Timestamp, Update,
};
use roomtally::tally::{
    Apply, DuplicateDepartment, Loading, Outcome, TallyReader, TallyWriter, UnknownDepartment, WalkCursor,
    tally,
};

const HOUR_MS: i64 = 3_600_000;

/// Ids of every form: packed ones and long ones.
fn id(number: u8) -> String {
    match number % 4 {
        0 => format!("room{number}"),
        1 => format!("BtS3XkqN8mY2cQ{number:03}"),
        2 => format!("a room with a long name, number {number}"),
        _ => format!("123e4567-e89b-12d3-a456-426614174{number:03}"),
    }
}

fn change() -> impl Strategy<Value = RoomChange<'static>> {
    // Few hours, so that many rooms share one, and some of them far apart.
    let ts = prop_oneof![0..HOUR_MS, 0..3 * HOUR_MS, -60 * 24 * HOUR_MS..60 * 24 * HOUR_MS]
        .prop_map(Timestamp::from_millis);
    let department = prop::option::of((0..5_u8).prop_map(|n| DepartmentId::new(format!("d{n}")).unwrap()));
    let stated = (ts.clone(), department.clone(), any::<bool>())
        .prop_map(|(ts, department, waiting)| Change::Stated { ts, department, waiting });
    let updated = (prop::option::weighted(0.2, ts), prop::option::of(department), any::<Option<bool>>())
        .prop_map(|(ts, department, waiting)| Change::Updated(Update { ts, department, waiting }));
    let change =
        prop_oneof![5 => stated, 2 => updated, 2 => Just(Change::Removed), 1 => Just(Change::Tombstone)];
    (any::<u8>(), change)
        .prop_map(|(room, change)| RoomChange { room: RoomId::new(id(room)).unwrap(), change })
}

fn changes(most: usize) -> impl Strategy<Value = Vec<RoomChange<'static>>> {
    prop::collection::vec(change(), 0..most)
}

fn apply(writer: &mut TallyWriter, changes: &[RoomChange<'_>]) -> usize {
    let mut batch = writer.batch();
    let outcomes = changes.iter().map(|change| batch.apply(change, Apply::Always));
    outcomes
        .filter(|outcome| matches!(outcome, Outcome::Counted | Outcome::Changed | Outcome::Removed))
        .count()
}

fn walked(reader: &TallyReader) -> BTreeMap<StoredId, Room> {
    let mut rooms = BTreeMap::new();
    let is_done = reader.walk(&mut WalkCursor::default(), usize::MAX, |id, room| {
        assert_eq!(rooms.insert(id.into_owned(), room), None, "a room told twice though nothing changed");
    });
    assert!(is_done);
    rooms
}

/// A tally with these names and rooms.
fn loaded(reader: &TallyReader, rooms: &BTreeMap<StoredId, Room>) -> (TallyWriter, TallyReader) {
    let mut loading = Loading::new(3);
    for name in reader.departments_since(0) {
        loading.department(&name).unwrap();
    }
    for (id, room) in rooms {
        loading.put(id.as_ref(), *room).unwrap();
    }
    assert_eq!(loading.rooms(), rooms.len());
    let (mut writer, reader) = tally(3);
    writer.replace(loading);
    (writer, reader)
}

proptest! {
    #[test]
    fn a_walk_and_the_changes_meanwhile_are_the_rooms_of_now(
        before in changes(400),
        steps in prop::collection::vec((1..40_usize, changes(30)), 1..30),
    ) {
        let (mut writer, reader) = tally(10);
        apply(&mut writer, &before);
        writer.keep_changes();
        let (mut told, mut cursor) = (BTreeMap::new(), WalkCursor::default());
        let (mut is_done, mut steps) = (false, steps.iter().cycle());
        // The changes of all steps are repeated, so it is the walk that ends.
        while !is_done {
            let (max, changes) = steps.next().unwrap();
            let mut seen = 0;
            is_done = reader.walk(&mut cursor, *max, |id, room| {
                told.insert(id.into_owned(), room);
                seen += 1;
            });
            prop_assert!(seen <= *max);
            let effects = apply(&mut writer, changes);
            let mut kept = 0;
            for changed in writer.drain_changes() {
                match changed.room {
                    Some(room) => drop(told.insert(changed.id, room)),
                    None => drop(told.remove(&changed.id)),
                }
                kept += 1;
            }
            prop_assert_eq!(kept, effects);
        }
        prop_assert_eq!(&told, &walked(&reader));
        prop_assert_eq!(reader.rooms(), told.len());
        let (_, again) = loaded(&reader, &told);
        prop_assert_eq!(again.digest(), reader.digest());
        prop_assert_eq!(again.departments(), reader.departments());
        prop_assert_eq!(again.departments_since(0), reader.departments_since(0));
        prop_assert_eq!(again.newest_room(), reader.newest_room());
    }

    #[test]
    fn changes_can_be_loaded_one_by_one(history in changes(600)) {
        let (mut writer, reader) = tally(10);
        writer.keep_changes();
        apply(&mut writer, &history);
        let mut loading = Loading::new(10);
        loading.expect(100);
        for name in reader.departments_since(0) {
            loading.department(&name).unwrap();
        }
        for changed in writer.drain_changes() {
            match changed.room {
                Some(room) if room.waiting => loading.put(changed.id.as_ref(), room).unwrap(),
                room => loading.change(changed.id.as_ref(), room).unwrap(),
            }
        }
        let (mut again_writer, again) = tally(10);
        again_writer.replace(loading);
        prop_assert_eq!(walked(&again), walked(&reader));
        prop_assert_eq!(again.digest(), reader.digest());
        // The two go on alike.
        apply(&mut writer, &history[..history.len() / 2]);
        apply(&mut again_writer, &history[..history.len() / 2]);
        prop_assert_eq!(again.digest(), reader.digest());
    }
}

fn created(room: &'static str, department: Option<&'static str>) -> RoomChange<'static> {
    let (ts, waiting) = (Timestamp::from_millis(5), true);
    let department = department.map(|name| DepartmentId::new(name).unwrap());
    RoomChange { room: RoomId::new(room).unwrap(), change: Change::Stated { ts, department, waiting } }
}

fn room(department: u32) -> Room {
    Room { ts: Timestamp::from_millis(5), department: DepartmentSlot(department), waiting: true }
}

#[test]
fn nothing_is_kept_unasked_and_nothing_is_told_twice() {
    let (mut writer, _) = tally(10);
    apply(&mut writer, &[created("r", None)]);
    assert_eq!(writer.drain_changes().count(), 0);
    writer.keep_changes();
    apply(&mut writer, &[created("r", None), created("s", None)]);
    assert_eq!(writer.drain_changes().count(), 1);
    assert_eq!(writer.drain_changes().count(), 0);
    apply(&mut writer, &[created("t", None)]);
    writer.replace(Loading::new(10));
    assert_eq!(writer.drain_changes().count(), 0);
    apply(&mut writer, &[created("t", None)]);
    assert_eq!(writer.drain_changes().count(), 1);
}

#[test]
fn digests_do_not_depend_on_order_or_slots_and_on_nothing_less() {
    let digest = |rooms: &[RoomChange<'static>]| {
        let (mut writer, reader) = tally(10);
        apply(&mut writer, rooms);
        reader.digest()
    };
    let one = digest(&[created("r", Some("a")), created("s", Some("b")), created("t", None)]);
    assert_eq!(one, digest(&[created("t", None), created("s", Some("b")), created("r", Some("a"))]));
    for other in [
        digest(&[created("r", Some("b")), created("s", Some("a")), created("t", None)]),
        digest(&[created("r", Some("a")), created("s", Some("b")), created("t", Some(""))]),
        digest(&[created("r", Some("a")), created("s", Some("b"))]),
        digest(&[created("r", Some("a")), created("s", Some("b")), created("u", None)]),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn a_department_keeps_its_slot_when_it_is_empty_and_through_loading() {
    let (mut writer, reader) = tally(2);
    apply(&mut writer, &[created("r", Some("z")), created("r", Some("a"))]);
    let names = |reader: &TallyReader, known| {
        reader.departments_since(known).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(&reader, 0), ["z", "a"]);
    assert_eq!(names(&reader, 1), ["a"]);
    assert!(names(&reader, 2).is_empty());
    let (mut writer, reader) = loaded(&reader, &walked(&reader));
    assert_eq!(names(&reader, 0), ["z", "a"]);
    assert_eq!(reader.departments(), 1);
    apply(&mut writer, &[created("s", Some("b"))]);
    assert_eq!(names(&reader, 0), ["z", "a", "b"]);
}

#[test]
fn what_is_loaded_is_refused_where_it_contradicts_itself_but_not_for_a_lower_limit() {
    let mut loading = Loading::new(1);
    assert_eq!(loading.department("a"), Ok(()));
    assert_eq!(loading.department("b"), Ok(()));
    assert_eq!(loading.department("a"), Err(DuplicateDepartment));
    assert_eq!(loading.put(StoredIdRef::of("r"), room(2)), Ok(()));
    assert_eq!(loading.put(StoredIdRef::of("r"), room(3)), Err(UnknownDepartment));
    // The same id, whoever says that it is long.
    assert_eq!(loading.put(StoredIdRef::Long("r"), room(0)), Ok(()));
    assert_eq!(loading.rooms(), 1);
    assert_eq!(loading.change(StoredIdRef::of("s"), None), Ok(()));
    assert_eq!(loading.change(StoredIdRef::of("s"), Some(room(3))), Err(UnknownDepartment));
    assert_eq!(loading.rooms(), 1);
    let (mut writer, reader) = tally(1);
    writer.replace(loading);
    assert_eq!((reader.rooms(), reader.departments()), (1, 0));
    let mut batch = writer.batch();
    assert_eq!(batch.apply(&created("s", Some("b")), Apply::Always), Outcome::Counted);
    assert_eq!(batch.apply(&created("t", Some("c")), Apply::Always), Outcome::TooManyDepartments);
}
