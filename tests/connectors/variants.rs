//! The connectors' settings that are tried.
//!
//! Owns the list, `variants.json`: which of the ready files in `config/connectors` each is
//! made from, and the settings that it changes there. What it does not change is what an
//! operator runs, but for the database's address and the names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scenario::Told;

/// One way to set up a connector.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Variant {
    pub(crate) name: String,
    /// The ready file.
    of: String,
    /// What is set instead, or with null not at all.
    with: BTreeMap<String, Option<String>>,
    /// It cannot say that a field was unset.
    #[serde(default)]
    loses_unset: bool,
}

impl Variant {
    pub(crate) fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("variants.json")).expect("a list of variants")
    }

    /// What its records can tell.
    pub(crate) fn tells(&self) -> Told {
        if self.loses_unset { Told::NothingUnset } else { Told::Everything }
    }

    /// Where its rooms come out. That of the ready file for Debezium is as in the file.
    pub(crate) fn topic(&self) -> String {
        format!("{}.rooms", self.prefix())
    }

    fn prefix(&self) -> &str {
        if self.name == "debezium" { "livechat" } else { &self.name }
    }

    /// Whether it needs a topic of one partition, for its keys name no room.
    pub(crate) fn has_one_partition(&self) -> bool {
        self.with.get("topic.creation.rooms.partitions").is_some_and(|number| number.as_deref() == Some("1"))
    }

    /// The connector, as Kafka Connect takes it.
    pub(crate) fn connector(&self, mongodb: &str) -> Value {
        let mut connector = ready(&self.of);
        let config = connector["config"].as_object_mut().expect("a connector has a config");
        self.change(config);
        for value in config.values_mut() {
            let text = value.as_str().expect("a setting is text");
            let text = if text.starts_with("mongodb://") { mongodb } else { text };
            *value = text.replace("livechat", self.prefix()).into();
        }
        connector["name"] = self.name.clone().into();
        connector
    }

    fn change(&self, config: &mut Map<String, Value>) {
        for (name, value) in &self.with {
            match value {
                Some(value) => drop(config.insert(name.clone(), value.clone().into())),
                None => drop(config.remove(name).expect("what is left out is in the file")),
            }
        }
    }
}

fn ready(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("config/connectors/{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
