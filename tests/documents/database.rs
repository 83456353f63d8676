//! A collection of rooms, and Rocket.Chat's query over it.
//!
//! Owns the truth: it knows nothing of how rooms are counted. Changes are those that
//! Rocket.Chat makes: rooms begin, are forwarded, answered, waited in, closed and removed,
//! and other rooms live in the same collection.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use crate::campaign::Dice;
use crate::{DEPARTMENTS, FIRST_MS, SPAN_MS};

/// A document, with `ts` in milliseconds.
pub(crate) type Document = Map<String, Value>;

/// What happened to one document.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Inserted(Document),
    /// It was there when a snapshot of all was taken.
    Read(Document),
    Replaced(Document),
    Updated {
        /// As it is now.
        document: Document,
        set: Document,
        unset: Vec<&'static str>,
    },
    Removed(Document),
}

#[derive(Debug, Default)]
pub(crate) struct Database(BTreeMap<String, Document>);

fn object(value: Value) -> Document {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

impl Database {
    pub(crate) fn all(&self) -> impl Iterator<Item = Document> {
        self.0.values().cloned()
    }

    /// The creation of some room.
    pub(crate) fn some_instant(&self, dice: &mut Dice) -> Option<i64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.values().nth(dice.index(self.0.len()))?["ts"].as_i64()
    }

    /// Changes something.
    pub(crate) fn change(&mut self, dice: &mut Dice) -> Vec<Event> {
        let id = format!("room-{}", dice.roll(12));
        let Some(document) = self.0.get(&id).cloned() else {
            let document = new_document(&id, dice);
            self.0.insert(id, document.clone());
            return vec![Event::Inserted(document)];
        };
        match dice.roll(10) {
            0 => {
                self.0.remove(&id);
                vec![Event::Removed(document)]
            }
            1 => {
                let document = new_document(&id, dice);
                self.0.insert(id, document.clone());
                vec![Event::Replaced(document)]
            }
            _ => vec![self.update(&id, document, dice)],
        }
    }

    fn update(&mut self, id: &str, mut document: Document, dice: &mut Dice) -> Event {
        let (set, unset) = match dice.roll(7) {
            0 | 1 => {
                let department = dice.pick(&DEPARTMENTS);
                (json!({"departmentId": department, "departmentAncestors": [department]}), vec![])
            }
            2 => (json!({}), vec!["departmentId", "departmentAncestors"]),
            3 => (json!({"departmentId": null}), vec![]),
            4 => (json!({"v.status": "away", "metrics.servedBy.lr": {"$date": 5}}), vec!["waitingResponse"]),
            5 => (json!({"waitingResponse": true, "msgs": dice.roll(100)}), vec![]),
            _ => (json!({"ts": instant(dice), "_updatedAt": 1, "usersCount": f64::MAX}), vec!["v.token"]),
        };
        let set = object(set);
        for (name, value) in set.iter().filter(|(name, _)| !name.contains('.')) {
            document.insert(name.clone(), value.clone());
        }
        unset.iter().for_each(|&name| drop(document.remove(name)));
        self.0.insert(id.to_owned(), document.clone());
        Event::Updated { document, set, unset }
    }

    /// What Rocket.Chat's own endpoint would say: livechat rooms by their creation, grouped
    /// by department, where a missing one and null are none.
    pub(crate) fn query(
        &self,
        created: RangeInclusive<i64>,
        answered: Option<bool>,
        department: Option<&str>,
    ) -> BTreeMap<Option<String>, u64> {
        let mut rows = BTreeMap::new();
        for document in self.0.values().filter(|document| document["t"] == "l") {
            let waiting = document.get("waitingResponse") == Some(&Value::Bool(true));
            let of = document.get("departmentId").and_then(Value::as_str);
            let is_wanted = created.contains(&document["ts"].as_i64().unwrap())
                && answered.is_none_or(|answered| answered != waiting)
                && department.is_none_or(|wanted| of == Some(wanted));
            if is_wanted {
                *rows.entry(of.map(str::to_owned)).or_default() += 1;
            }
        }
        rows
    }
}

fn instant(dice: &mut Dice) -> i64 {
    FIRST_MS + i64::try_from(dice.roll(u64::try_from(SPAN_MS).unwrap())).unwrap()
}

/// A room at its beginning; those of some ids are channels.
fn new_document(id: &str, dice: &mut Dice) -> Document {
    let kind = if id == "room-0" || id == "room-1" { "c" } else { "l" };
    let mut document = object(
        json!({"_id": id, "t": kind, "ts": instant(dice), "msgs": 7_777_777, "fname": "\u{1f600} \"é\""}),
    );
    if dice.roll(3) > 0 {
        document.insert("departmentId".to_owned(), dice.pick(&DEPARTMENTS).into());
    } else if dice.roll(2) == 0 {
        document.insert("departmentId".to_owned(), Value::Null);
    }
    if dice.roll(2) == 0 {
        document.insert("waitingResponse".to_owned(), dice.pick(&[Some(true), Some(false), None]).into());
    }
    document
}
