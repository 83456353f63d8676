//! How connectors write what happened.
//!
//! Owns the rendering: which connector with which setting, and every spelling of dates,
//! ids and strings within. What a setting cannot say, as a flattened update cannot say
//! what was unset, is said by the whole document.

use serde_json::{Map, Value, json};

use crate::campaign::Dice;
use crate::database::{Document, Event};

/// A record on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Native,
    Bare,
    Debezium,
    MongoDb,
}

/// A connector with its settings.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Connector {
    form: Form,
    /// Updates come with the document as it is behind them.
    looks_up: bool,
    /// Objects within are written as strings.
    in_strings: bool,
    /// Keys and values are wrapped in `schema` and `payload`.
    wrapped: bool,
    /// The value as a whole is a string of JSON.
    double: bool,
    date: u64,
    tombstones: bool,
}

impl Connector {
    pub(crate) fn random(dice: &mut Dice) -> Self {
        let mut yes = || dice.roll(2) == 0;
        let (looks_up, in_strings, wrapped, double, tombstones) = (yes(), yes(), yes(), yes(), yes());
        let form = dice.pick(&[Form::Native, Form::Bare, Form::Debezium, Form::MongoDb]);
        Self { form, looks_up, in_strings, wrapped, double, date: dice.roll(6), tombstones }
    }

    pub(crate) fn render(self, event: &Event, dice: &mut Dice) -> Vec<Sent> {
        let value = match self.form {
            Form::Native => self.native(event),
            Form::Bare => self.bare(event),
            Form::Debezium => Some(self.debezium(event)),
            Form::MongoDb => Some(self.mongodb(event)),
        };
        let id = id_of(event);
        let Some(value) = value else {
            return vec![Sent { key: Some(self.key(id, dice)), value: None }];
        };
        let value = Sent { key: Some(self.key(id, dice)), value: Some(self.on_the_wire(value)) };
        let is_gone = matches!(event, Event::Removed(_));
        let tombstone = Sent { key: Some(self.key(id, dice)), value: None };
        if is_gone && self.tombstones { vec![value, tombstone] } else { vec![value] }
    }

    fn key(self, id: &str, dice: &mut Dice) -> String {
        let quoted = Value::from(id).to_string();
        let key = match dice.roll(4) {
            0 if !self.wrapped => return id.to_owned(),
            1 => json!(id),
            2 => json!({"_id": id}),
            _ => json!({"id": quoted}),
        };
        self.wrap(key).to_string()
    }

    fn wrap(self, value: Value) -> Value {
        if self.wrapped { json!({"schema": {"type": "struct"}, "payload": value}) } else { value }
    }

    fn on_the_wire(self, value: Value) -> String {
        let value = if self.double { Value::from(value.to_string()) } else { value };
        let text = self.wrap(value).to_string();
        // What is no JSON, in a field that nobody reads; it is none inside of a string.
        if self.double || self.in_strings {
            text
        } else {
            text.replacen("\"msgs\":7777777", "\"msgs\":NaN", 1)
        }
    }

    fn native(self, event: &Event) -> Option<Value> {
        let known = |document: &Document| {
            let mut value = Map::new();
            for name in ["_id", "ts", "departmentId", "waitingResponse"] {
                document.get(name).map(|of| value.insert(name.to_owned(), self.dated(name, of)));
            }
            value
        };
        // Native events are of livechat rooms only.
        let (kind, mut value) = match event {
            _ if document_of(event)["t"] != "l" => ("room-of-another-type", known(document_of(event))),
            Event::Removed(_) if self.tombstones => return None,
            Event::Removed(document) => ("room-removed", known(document)),
            Event::Updated { document, set, unset } if !self.looks_up => {
                let mut value = known(set);
                unset.iter().for_each(|&name| drop(value.insert(name.to_owned(), Value::Null)));
                value.insert("_id".to_owned(), document["_id"].clone());
                ("room-updated", value)
            }
            Event::Updated { document, .. } => ("room-created", known(document)),
            Event::Inserted(document) | Event::Read(document) | Event::Replaced(document) => {
                ("room-created", known(document))
            }
        };
        value.insert("event".to_owned(), kind.into());
        Some(value.into())
    }

    fn bare(self, event: &Event) -> Option<Value> {
        match event {
            Event::Removed(_) if self.tombstones => None,
            Event::Removed(_) if self.in_strings => Some(json!({"__deleted": true, "__op": "d"})),
            Event::Removed(document) => Some(json!({"_id": document["_id"], "__deleted": "true"})),
            // It keeps its type to itself, and its creation where that did not change.
            Event::Updated { document, set, unset } if !self.looks_up && is_told_by(set, unset) => {
                let mut value = self.rendered(set);
                value.insert("_id".to_owned(), document["_id"].clone());
                Some(value.into())
            }
            other => Some(self.rendered(document_of(other)).into()),
        }
    }

    fn debezium(self, event: &Event) -> Value {
        let source = json!({"db": "rocketchat", "collection": "rocketchat_room", "ts_ms": 1});
        let mut value = json!({"before": null, "source": source, "ts_ms": 5});
        value["op"] = match event {
            Event::Inserted(_) => "c",
            Event::Read(_) => "r",
            Event::Replaced(_) | Event::Updated { .. } => "u",
            Event::Removed(_) => "d",
        }
        .into();
        match event {
            Event::Removed(_) => value["after"] = Value::Null,
            Event::Updated { document, set, unset } => {
                let removed = if unset.is_empty() { Value::Null } else { json!(unset) };
                let set = self.within(self.rendered(set).into());
                value["updateDescription"] = json!({"updatedFields": set, "removedFields": removed});
                value["after"] =
                    if self.looks_up { self.within(self.rendered(document).into()) } else { Value::Null };
            }
            other => value["after"] = self.within(self.rendered(document_of(other)).into()),
        }
        value
    }

    fn mongodb(self, event: &Event) -> Value {
        let document = document_of(event);
        let key = self.within(json!({"_id": document["_id"]}));
        let mut value = json!({
            "_id": {"_data": "8266"}, "documentKey": key, "ns": {"db": "rocketchat", "coll": "rocketchat_room"},
        });
        value["operationType"] = match event {
            Event::Inserted(_) | Event::Read(_) => "insert",
            Event::Replaced(_) => "replace",
            Event::Updated { .. } => "update",
            Event::Removed(_) => "delete",
        }
        .into();
        match event {
            Event::Removed(_) => {}
            Event::Updated { set, unset, .. } if !self.looks_up => {
                let set = self.within(self.rendered(set).into());
                value["updateDescription"] = json!({"updatedFields": set, "removedFields": unset});
            }
            _ => value["fullDocument"] = self.within(self.rendered(document).into()),
        }
        value
    }

    fn within(self, value: Value) -> Value {
        if self.in_strings { Value::from(value.to_string()) } else { value }
    }

    fn rendered(self, document: &Document) -> Document {
        document.iter().map(|(name, value)| (name.clone(), self.dated(name, value))).collect()
    }

    fn dated(self, name: &str, value: &Value) -> Value {
        let Some(ms) = value.as_i64().filter(|_| name == "ts") else { return value.clone() };
        let text = chrono::DateTime::from_timestamp_millis(ms).unwrap();
        let text = text.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        match self.date {
            0 => json!({"$date": ms}),
            1 => json!({"$date": text}),
            2 => json!({"$date": {"$numberLong": ms.to_string()}}),
            3 => json!({"$numberLong": ms.to_string()}),
            4 => json!(ms),
            _ => json!(text),
        }
    }
}

/// Whether a flattened update tells all that it changed, and does not look whole.
fn is_told_by(set: &Document, unset: &[&str]) -> bool {
    let is_unset = |name: &&str| ["departmentId", "waitingResponse"].contains(name);
    !set.is_empty() && !unset.iter().any(is_unset)
}

fn document_of(event: &Event) -> &Document {
    match event {
        Event::Inserted(document)
        | Event::Read(document)
        | Event::Replaced(document)
        | Event::Updated { document, .. }
        | Event::Removed(document) => document,
    }
}

fn id_of(event: &Event) -> &str {
    document_of(event)["_id"].as_str().unwrap()
}
