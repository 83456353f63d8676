//! The table that one would write with the standard library's hash map.
//!
//! Owns the rooms by id, and how many there are by hour and department. Invariant: the sums
//! equal the rooms; one without a room is not there.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails with the reason")]

use std::collections::HashMap;

use roomtally::room::{Change, DepartmentId, RoomChange, Timestamp};
use roomtally::tally::Outcome;

const HOUR_MS: i64 = 3_600_000;

/// Rooms, and how many there are.
#[derive(Default)]
pub(crate) struct Plain {
    departments: HashMap<String, u32>,
    rooms: HashMap<String, PlainRoom>,
    /// Rooms and those waiting, by hour and department.
    sums: HashMap<(i64, u32), (u32, u32)>,
}

/// Creation, department, whether it waits.
type PlainRoom = (i64, u32, bool);

impl Plain {
    fn department(&mut self, id: Option<&DepartmentId<'_>>) -> u32 {
        let Some(id) = id else { return 0 };
        if let Some(&number) = self.departments.get(id.as_str()) {
            return number;
        }
        let number = u32::try_from(self.departments.len()).unwrap() + 1;
        self.departments.insert(id.as_str().to_owned(), number);
        number
    }

    fn put(&mut self, id: &str, room: PlainRoom) -> Outcome {
        let (ts, department, waiting) = room;
        let known = self.rooms.get_mut(id).map(|known| std::mem::replace(known, room));
        match known {
            Some(known) if known == room => return Outcome::Duplicate,
            Some(known) => self.subtract(known),
            None => drop(self.rooms.insert(id.to_owned(), room)),
        }
        let sum = self.sums.entry((ts.div_euclid(HOUR_MS), department)).or_default();
        *sum = (sum.0 + 1, sum.1 + u32::from(waiting));
        if known.is_some() { Outcome::Changed } else { Outcome::Counted }
    }

    fn remove(&mut self, id: &str) -> Outcome {
        let Some(known) = self.rooms.remove(id) else { return Outcome::UnknownRoom };
        self.subtract(known);
        Outcome::Removed
    }

    fn subtract(&mut self, (ts, department, waiting): PlainRoom) {
        let hour = (ts.div_euclid(HOUR_MS), department);
        let sum = self.sums.get_mut(&hour).unwrap();
        *sum = (sum.0 - 1, sum.1 - u32::from(waiting));
        if sum.0 == 0 {
            self.sums.remove(&hour);
        }
    }

    /// Applies a change; what it did.
    pub(crate) fn change(&mut self, change: &RoomChange<'_>) -> Outcome {
        let id = change.room.as_str();
        match &change.change {
            Change::Stated { ts, department, waiting } => {
                let department = self.department(department.as_ref());
                self.put(id, (ts.as_millis(), department, *waiting))
            }
            Change::Updated(update) => {
                let Some(&(ts, department, waiting)) = self.rooms.get(id) else {
                    return Outcome::UnknownRoom;
                };
                let ts = update.ts.map_or(ts, Timestamp::as_millis);
                let department = match &update.department {
                    Some(other) => self.department(other.as_ref()),
                    None => department,
                };
                self.put(id, (ts, department, update.waiting.unwrap_or(waiting)))
            }
            Change::Removed | Change::Tombstone | Change::OtherKind => self.remove(id),
        }
    }

    /// How many rooms there are, and how many of them wait.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let add = |(rooms, waiting), sum: &(u32, u32)| (rooms + u64::from(sum.0), waiting + u64::from(sum.1));
        self.sums.values().fold((0, 0), add)
    }
}
