//! What the answers must be, counted in the plainest way there is.
//!
//! Owns the last state of every room and a recount of all of them for each
//! question; it shares no code with the program.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The creation of the first room of a workload, in epoch milliseconds.
pub(crate) const FIRST_TS: i64 = 1_599_610_282_345;

/// One native event, or a tombstone.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) room: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Created { ts: i64, department: Option<String>, waiting: bool },
    Transferred { department: Option<String> },
    Waits { waiting: bool },
    Removed,
    Tombstone,
}

impl Event {
    pub(crate) fn created(room: &str, ts: i64, department: Option<&str>) -> Self {
        let department = department.map(str::to_owned);
        Self { room: room.to_owned(), kind: Kind::Created { ts, department, waiting: false } }
    }

    pub(crate) fn transferred(room: &str, department: Option<&str>) -> Self {
        let department = department.map(str::to_owned);
        Self { room: room.to_owned(), kind: Kind::Transferred { department } }
    }

    pub(crate) fn tombstone(room: &str) -> Self {
        Self { room: room.to_owned(), kind: Kind::Tombstone }
    }

    /// The record's value.
    pub(crate) fn value(&self) -> Option<String> {
        let room = &self.room;
        let value = match &self.kind {
            Kind::Created { ts, department, waiting } => json!({
                "event": "room-created", "_id": room, "ts": iso(*ts),
                "departmentId": department, "waitingResponse": waiting,
            }),
            Kind::Transferred { department } => {
                json!({"event": "room-updated", "_id": room, "departmentId": department})
            }
            Kind::Waits { waiting } => {
                json!({"event": "room-updated", "_id": room, "waitingResponse": waiting})
            }
            Kind::Removed => json!({"event": "room-removed", "_id": room}),
            Kind::Tombstone => return None,
        };
        Some(value.to_string())
    }
}

/// Events of so many rooms: all created, then repeated, transferred, answered,
/// deleted and created again in an order that the seed decides.
pub(crate) fn workload(seed: u64, rooms: u64) -> Vec<Event> {
    let mut random = Random(seed);
    let departments = ["GgYvrkAF63aeQmsh4", "qajzu7WaBRoQBpq6Z", "", "Z2KWYBJQFR7AzfmQL"];
    let department =
        move |random: &mut Random| departments.get(random.below(5)).map(|&department| department.to_owned());
    let mut events = Vec::new();
    for number in 0..rooms * 2 {
        let id = if number < rooms { number } else { random.below(rooms) as u64 };
        let room = format!("{seed}-room-{id}");
        let ts = FIRST_TS + i64::try_from(id).unwrap() / 2 * 1_000;
        let created =
            Kind::Created { ts, department: department(&mut random), waiting: random.below(2) == 0 };
        let kind = match if number < rooms { 0 } else { random.below(6) } {
            0 => created,
            1 | 2 => Kind::Transferred { department: department(&mut random) },
            3 => Kind::Waits { waiting: random.below(2) == 0 },
            4 => Kind::Removed,
            _ => Kind::Tombstone,
        };
        let event = Event { room, kind };
        // Every tenth is delivered twice.
        if random.below(10) == 0 {
            events.push(event.clone());
        }
        events.push(event);
    }
    events
}

/// Numbers that a seed decides.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: impl TryInto<u64>) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let limit = limit.try_into().ok().unwrap();
        usize::try_from((self.0 >> 33) % limit).unwrap()
    }
}

/// An instant as the endpoint reads it.
pub(crate) fn iso(ms: i64) -> String {
    let instant = chrono::DateTime::from_timestamp_millis(ms).expect("an instant");
    instant.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[derive(Debug, Clone)]
struct Room {
    ts: i64,
    department: Option<String>,
    waiting: bool,
}

/// The last state of every room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model(BTreeMap<String, Room>);

/// One question to the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    start: i64,
    end: i64,
    answered: Option<bool>,
    department: Option<String>,
}

impl Model {
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut model = Self::default();
        model.take(events);
        model
    }

    pub(crate) fn take(&mut self, events: &[Event]) {
        for Event { room, kind } in events {
            match kind.clone() {
                Kind::Created { ts, department, waiting } => {
                    self.0.insert(room.clone(), Room { ts, department, waiting });
                }
                Kind::Transferred { department } => {
                    self.0.entry(room.clone()).and_modify(|room| room.department = department);
                }
                Kind::Waits { waiting } => {
                    self.0.entry(room.clone()).and_modify(|room| room.waiting = waiting);
                }
                Kind::Removed | Kind::Tombstone => {
                    self.0.remove(room);
                }
            }
        }
    }

    pub(crate) fn rooms(&self) -> usize {
        self.0.len()
    }

    /// Questions that every difference would show in: whole, by state, by
    /// department, and ranges that begin and end on a room and a millisecond
    /// beside it.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let mut instants: Vec<_> = self.0.values().map(|room| room.ts).collect();
        instants.sort_unstable();
        let at = |part: usize| instants.get(instants.len() * part / 4).copied().unwrap_or(FIRST_TS);
        let (from, to) = (at(1), at(3));
        let (first, last) = (FIRST_TS - 1_000_000_000, FIRST_TS + 1_000_000_000_000);
        let ranges = [
            (first, last),
            (from, to),
            (from + 1, to),
            (from, to - 1),
            (from, from),
            (from + 1, last),
            (to, from),
        ];
        let mut questions = Vec::new();
        for (start, end) in ranges {
            for answered in [None, Some(true), Some(false)] {
                questions.push(Question { start, end, answered, department: None });
            }
        }
        let mut departments: Vec<_> = self.0.values().filter_map(|room| room.department.clone()).collect();
        departments.sort_unstable();
        departments.dedup();
        departments.push("no-such-department".to_owned());
        for department in departments.into_iter().filter(|department| !department.is_empty()) {
            questions.push(Question { start: from, end: last, answered: None, department: Some(department) });
        }
        questions
    }

    /// The whole answer.
    pub(crate) fn answer(&self, question: &Question) -> Value {
        let Question { start, end, answered, department } = question;
        let mut rows: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for room in self.0.values() {
            let asked = (*start..=*end).contains(&room.ts)
                && answered.is_none_or(|answered| answered != room.waiting)
                && department.as_ref().is_none_or(|department| Some(department) == room.department.as_ref());
            if asked {
                *rows.entry(room.department.as_deref()).or_default() += 1;
            }
        }
        let departments: Vec<_> = rows.iter().map(|(id, rooms)| json!({"rooms": rooms, "_id": id})).collect();
        json!({
            "departments": departments, "count": rows.len(), "offset": 0, "total": rows.len(), "success": true,
        })
    }
}

impl Question {
    /// Where to ask it.
    pub(crate) fn path(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("start", &iso(self.start)).append_pair("end", &iso(self.end));
        query.append_pair("count", "0");
        if let Some(answered) = self.answered {
            query.append_pair("answered", if answered { "true" } else { "false" });
        }
        if let Some(department) = &self.department {
            query.append_pair("departmentId", department);
        }
        format!("/api/v1/livechat/analytics/departments/amount-of-chats?{}", query.finish())
    }
}
