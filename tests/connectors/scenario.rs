//! The scenario that the connectors are shown, and what it comes to.
//!
//! Owns a recount in the plainest way there is: documents in a map, changed as the
//! scenario says, and Rocket.Chat's query over them. It shares no code with the program
//! nor with the scripted MongoDB.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value};

/// What the database holds at first, and what happens to it.
const SCENARIO: &str = include_str!("scenario.json");

/// Which changes reach the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Everything,
    /// All but that a field is there no more, which flattened updates cannot say.
    NothingUnset,
}

/// The documents of the rooms' collection, by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rooms(BTreeMap<String, Map<String, Value>>);

/// One question to the endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) answered: Option<bool>,
    pub(crate) department: Option<String>,
}

/// Rooms by department.
pub(crate) type Rows = BTreeMap<Option<String>, u64>;

/// The id of the room that is inserted last.
pub(crate) fn last_room() -> String {
    let scenario = parsed();
    let last = scenario["changes"].as_array().unwrap().last().unwrap();
    text(&last["insert"]["_id"])
}

impl Rooms {
    /// At the end of the scenario.
    pub(crate) fn at_the_end(told: Told) -> Self {
        let scenario = parsed();
        let mut rooms = Self::default();
        let collection = scenario["collection"].as_str().unwrap();
        scenario["documents"][collection].as_array().unwrap().iter().for_each(|of| rooms.put(of));
        for change in scenario["changes"].as_array().unwrap() {
            if change.get("collection").is_none_or(|other| other == collection) {
                rooms.change(change, told);
            }
        }
        rooms
    }

    fn put(&mut self, document: &Value) {
        self.0.insert(text(&document["_id"]), document.as_object().unwrap().clone());
    }

    fn change(&mut self, change: &Value, told: Told) {
        if let Some(document) = change.get("insert").or(change.get("replace")) {
            self.put(document);
        } else if let Some(id) = change.get("delete") {
            self.0.remove(&text(id)).expect("what is deleted was there");
        } else if let Some(id) = change.get("update") {
            let document = self.0.get_mut(&text(id)).expect("what is updated is there");
            let set = change["set"].as_object().unwrap().iter().filter(|(name, _)| !name.contains('.'));
            set.for_each(|(name, value)| drop(document.insert(name.clone(), value.clone())));
            if told == Told::Everything {
                let unset = change.get("unset").and_then(Value::as_array).into_iter().flatten();
                unset.for_each(|name| drop(document.remove(name.as_str().unwrap())));
            }
        }
    }

    fn livechat(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.0.values().filter(|document| document["t"] == "l")
    }

    /// How many are counted.
    pub(crate) fn count(&self) -> usize {
        self.livechat().count()
    }

    /// What Rocket.Chat's endpoint would say: a missing department and null are none.
    pub(crate) fn rows(&self, question: &Question) -> Rows {
        let Question { start, end, answered, department } = question;
        let mut rows = Rows::new();
        for document in self.livechat() {
            let waiting = document.get("waitingResponse") == Some(&Value::Bool(true));
            let of = department_of(document);
            let is_wanted = (*start..=*end).contains(&creation(document))
                && answered.is_none_or(|answered| answered != waiting)
                && department.as_ref().is_none_or(|wanted| of.as_ref() == Some(wanted));
            if is_wanted {
                *rows.entry(of).or_default() += 1;
            }
        }
        rows
    }

    /// Questions that every difference shows in: from, to, on and beside each creation,
    /// and each department.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let instants: Vec<_> = self.livechat().map(creation).collect();
        let (first, last) = (instants.iter().min().unwrap() - 1, instants.iter().max().unwrap() + 1);
        let mut asked = vec![((first, last), None)];
        for &ts in &instants {
            asked.extend(
                [(ts, ts), (ts, last), (ts + 1, last), (first, ts), (first, ts - 1)].map(|of| (of, None)),
            );
        }
        let mut departments: Vec<_> = self.livechat().filter_map(department_of).collect();
        departments.push("no-such-department".to_owned());
        departments.retain(|department| !department.is_empty());
        departments.sort_unstable();
        departments.dedup();
        asked.extend(departments.into_iter().map(|department| ((first, last), Some(department))));
        let all = asked.into_iter().flat_map(|((start, end), department)| {
            [None, Some(true), Some(false)].map(|answered| {
                let department = department.clone();
                Question { start, end, answered, department }
            })
        });
        all.collect()
    }
}

fn parsed() -> Value {
    serde_json::from_str(SCENARIO).expect("the scenario is JSON")
}

/// An id's text.
fn text(id: &Value) -> String {
    id.as_str().or(id["$oid"].as_str()).unwrap_or_else(|| panic!("no id: {id}")).to_owned()
}

fn department_of(document: &Map<String, Value>) -> Option<String> {
    document.get("departmentId").filter(|of| !of.is_null()).map(text)
}

fn creation(document: &Map<String, Value>) -> i64 {
    let date = document["ts"]["$date"].as_str().expect("a room has a date");
    DateTime::parse_from_rfc3339(date).unwrap().timestamp_millis()
}
