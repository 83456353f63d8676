//! What a key is: its name in every layer, what it takes, where it is stored.
//!
//! Owns how a given value is checked against its key. Invariant: checking and
//! storing are one step, so a value in a [`Config`] was checked by its own key.

use std::time::Duration;

use super::mistake::Problem;
use super::node::{Node, Value};
use super::secret::read_file;
use super::settings::Config;
use super::units;

/// What every setting's variable begins with.
pub(super) const ENV_PREFIX: &str = "ROOMTALLY_";

/// One row of the table of keys.
pub(super) struct Key {
    /// Section and name, such as `http.listen`.
    pub(super) path: &'static str,
    /// What it takes and where that goes.
    pub(super) kind: Kind,
    /// The default as TOML text.
    pub(super) default: &'static str,
    /// The flag that overrides it, with its dashes.
    pub(super) flag: Option<&'static str>,
    /// A paragraph for the default file and the reference.
    pub(super) doc: &'static str,
}

/// One section of the file.
pub(super) struct Section {
    /// As it stands between the brackets.
    pub(super) name: &'static str,
    /// A paragraph for the default file and the reference.
    pub(super) doc: &'static str,
    /// Its keys, in the order of the default file.
    pub(super) keys: &'static [Key],
}

/// What a key takes, and where the value is stored.
pub(super) enum Kind {
    /// A text of some form.
    Text {
        /// What it takes, after "write".
        form: &'static str,
        store: fn(&mut Config, &str) -> Result<(), Problem>,
    },
    /// A list of texts, each of some form.
    List {
        form: &'static str,
        read: fn(&str) -> Result<String, Problem>,
        store: fn(&mut Config, Vec<String>),
    },
    /// A whole number.
    Count { min: u64, max: u64, store: fn(&mut Config, u64) },
    /// `true` or `false`.
    Switch { store: fn(&mut Config, bool) },
    /// A time with its unit.
    Duration { min: Duration, max: Duration, store: fn(&mut Config, Duration) },
    /// A number of bytes with its unit.
    Size { min: u64, max: u64, store: fn(&mut Config, u64) },
    /// A text that is never shown.
    Secret {
        form: &'static str,
        /// The key that names a file with it.
        twin: &'static str,
        store: fn(&mut Config, &str) -> Result<(), Problem>,
    },
    /// The name of a file that holds a secret; empty is none.
    SecretFile {
        /// The secret's own key.
        twin: &'static str,
        store: fn(&mut Config, &str) -> Result<(), Problem>,
    },
    /// `kafka.properties`, whose names are not ours.
    Properties,
    /// `auth.users`, whose fields are in their own table.
    Users,
}

impl Key {
    /// The variable that sets the key.
    pub(super) fn variable(&self) -> String {
        variable_of(self.path)
    }

    /// The section, and the name in it.
    pub(super) fn split(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }
}

/// The variable for a path, such as `ROOMTALLY_HTTP__LISTEN` for `http.listen`.
pub(super) fn variable_of(path: &str) -> String {
    format!("{ENV_PREFIX}{}", path.replacen('.', "__", 1).to_uppercase())
}

impl Kind {
    /// What the key takes, after "write".
    pub(super) fn form(&self) -> String {
        match self {
            Self::Text { form, .. } | Self::List { form, .. } | Self::Secret { form, .. } => {
                (*form).to_owned()
            }
            Self::SecretFile { .. } => {
                "the path of a file that holds the secret, or nothing: \"\"".to_owned()
            }
            Self::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Switch { .. } => "true or false".to_owned(),
            Self::Duration { min, max, .. } => format!(
                "a duration with its unit (ms, s, m, h or d), such as \"10s\", from \"{}\" to \"{}\"",
                units::show_duration(*min),
                units::show_duration(*max)
            ),
            Self::Size { min, max, .. } => format!(
                "a size with its unit (B, KiB, MiB, GiB, KB, MB or GB), such as \"64KiB\", \
                 from \"{}\" to \"{}\"",
                units::show_size(*min),
                units::show_size(*max)
            ),
            Self::Properties => {
                "a table of Kafka client properties, such as \"client.id\" = \"roomtally\"".to_owned()
            }
            Self::Users => "a list of tables, each with id, token_hash and permissions".to_owned(),
        }
    }

    /// The other name of a secret.
    pub(super) fn twin(&self) -> Option<&'static str> {
        match self {
            Self::Secret { twin, .. } | Self::SecretFile { twin, .. } => Some(twin),
            _ => None,
        }
    }

    /// The value that a variable or a flag gives: texts as they are, all else as
    /// it would stand in the file.
    pub(super) fn read_text(&self, text: &str) -> Result<Node, Problem> {
        match self {
            Self::Text { .. }
            | Self::Secret { .. }
            | Self::SecretFile { .. }
            | Self::Duration { .. }
            | Self::Size { .. } => Ok(Node::new(Value::Text(text.to_owned()))),
            Self::Properties => Err(Problem::new("sets no property by itself").remedy(format!(
                "set one variable for each property, such as {}__CLIENT_ID for \"client.id\"",
                variable_of("kafka.properties")
            ))),
            _ if text.trim().is_empty() => Err(Problem::new("is empty")),
            Self::Count { .. } => {
                Node::parse_value(text).map_err(|_| Problem::new(format!("{text:?} is not a whole number")))
            }
            Self::Switch { .. } => Node::parse_value(text)
                .map_err(|_| Problem::new(format!("{text:?} is neither true nor false"))),
            // Not quoted: users have secrets in them.
            Self::List { .. } | Self::Users => Node::parse_value(text)
                .map_err(|fault| Problem::new(format!("is not a TOML list: {}", fault.message))),
        }
    }

    /// Checks the value of a key that has a single value, and stores it.
    pub(super) fn store(&self, config: &mut Config, node: &Node) -> Result<(), Vec<Problem>> {
        match (self, &node.value) {
            (Self::Text { store, .. } | Self::Secret { store, .. }, Value::Text(text)) => {
                store(config, text).map_err(one)
            }
            (Self::SecretFile { store, .. }, Value::Text(path)) => {
                read_file(path).and_then(|secret| store(config, &secret)).map_err(one)
            }
            (Self::List { read, store, .. }, Value::List(items)) => {
                store(config, read_list(items, *read)?);
                Ok(())
            }
            (Self::Count { min, max, store }, Value::Integer(number)) => {
                let count = u64::try_from(*number).ok();
                let count = within(count, *min, *max).ok_or_else(|| outside(number))?;
                store(config, count);
                Ok(())
            }
            (Self::Count { .. }, Value::Number(number)) => {
                Err(one(Problem::new(format!("{number} is not such a number"))))
            }
            (Self::Switch { store }, Value::Switch(on)) => {
                store(config, *on);
                Ok(())
            }
            (Self::Duration { min, max, store }, Value::Text(text)) => {
                let read = units::duration(text).map_err(one)?;
                store(config, within(Some(read), *min, *max).ok_or_else(|| outside(text))?);
                Ok(())
            }
            (Self::Size { min, max, store }, Value::Text(text)) => {
                let read = units::size(text).map_err(one)?;
                store(config, within(Some(read), *min, *max).ok_or_else(|| outside(text))?);
                Ok(())
            }
            (Self::Duration { .. }, Value::Integer(_) | Value::Number(_)) => {
                Err(one(units::no_unit(&node.to_toml(|_| false), "10s")))
            }
            (Self::Size { .. }, Value::Integer(_) | Value::Number(_)) => {
                Err(one(units::no_unit(&node.to_toml(|_| false), "64KiB")))
            }
            (Self::Text { .. }, Value::Date(_)) => {
                Err(one(Problem::new("is a date without quotes").remedy("put it in quotes")))
            }
            _ => Err(one(Problem::new(format!("is {}", node.kind())))),
        }
    }
}

fn one(problem: Problem) -> Vec<Problem> {
    vec![problem]
}

fn outside(value: impl std::fmt::Display) -> Vec<Problem> {
    one(Problem::new(format!("{value} is out of range")))
}

fn within<T: PartialOrd>(value: Option<T>, min: T, max: T) -> Option<T> {
    value.filter(|value| (min..=max).contains(value))
}

/// Reads a list of texts; every item that is wrong is a problem of its own.
pub(super) fn read_list(
    items: &[Node],
    read: fn(&str) -> Result<String, Problem>,
) -> Result<Vec<String>, Vec<Problem>> {
    let mut texts = Vec::with_capacity(items.len());
    let mut problems = Vec::new();
    for item in items {
        let text = match &item.value {
            Value::Text(text) => read(text),
            _ => Err(Problem::new(format!("has {} in it", item.kind()))),
        };
        match text {
            Ok(text) => texts.push(text),
            Err(problem) => problems.push(problem.at(item.line)),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}
