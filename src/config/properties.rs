//! The Kafka client's properties under `kafka.properties`.
//!
//! Owns which of them are roomtally's own, how nested tables and variables name
//! them, and the `_file` twins of the secret ones. Invariant: what decides what
//! is read and counted cannot be set from outside. Whether a name or value is
//! one that the client knows is the client's to say.

use super::mistake::Problem;
use super::node::{Node, Value, key_text, quoted};
use super::secret::{Property, is_secret_property, read_file};

/// What is behind the name of a twin.
const TWIN: &str = "_file";

/// Properties that roomtally sets itself: name, why not, what to do.
pub(super) const OWNED: &[(&str, &str, &str)] = &[
    ("bootstrap.servers", "has a key of its own", "set kafka.bootstrap_servers"),
    ("metadata.broker.list", "has a key of its own", "set kafka.bootstrap_servers"),
    (
        "enable.auto.commit",
        "cannot be set: roomtally keeps its positions itself, together with its counts",
        "remove it",
    ),
    (
        "enable.auto.offset.store",
        "cannot be set: roomtally keeps its positions itself, together with its counts",
        "remove it",
    ),
    (
        "auto.offset.reset",
        "cannot be set: a position that the log no longer has stops the partition, and nothing \
         is skipped silently",
        "remove it",
    ),
    (
        "enable.partition.eof",
        "cannot be set: the ends of the partitions tell when the counts are complete",
        "remove it",
    ),
    ("isolation.level", "cannot be set: only committed records are read", "remove it"),
    (
        "check.crcs",
        "cannot be set: damaged batches must be found, or wrong counts would be served",
        "remove it",
    ),
    (
        "allow.auto.create.topics",
        "cannot be set: reading must not bring a missing topic into being",
        "remove it",
    ),
    (
        "group.instance.id",
        "cannot be set: roomtally reads every partition itself, without a group's assignments",
        "remove it",
    ),
];

/// One property as a layer gives it.
pub(super) struct Given<'a> {
    /// As it was written, a twin with its `_file`.
    pub(super) name: String,
    pub(super) node: &'a Node,
}

/// A property that was read.
pub(super) struct Entry {
    /// The client's name of it, without `_file`.
    pub(super) name: String,
    pub(super) property: Property,
    /// The key as it was given, and its value as TOML, hidden if it is a secret.
    pub(super) shown_key: String,
    pub(super) shown_value: String,
}

impl Given<'_> {
    /// The client's name of the property.
    pub(super) fn target(&self) -> &str {
        match self.name.strip_suffix(TWIN) {
            Some(stem) if is_secret_property(stem) => stem,
            _ => &self.name,
        }
    }

    fn is_twin(&self) -> bool {
        self.target().len() < self.name.len()
    }

    /// What stands behind `kafka.properties` in the key's path.
    pub(super) fn part(&self) -> String {
        format!(".{}", key_text(&self.name))
    }

    /// What is wrong with giving both of these in one layer.
    pub(super) fn beside(&self, other: &Self) -> Problem {
        let problem = if self.name == other.name {
            Problem::new("is set twice")
        } else {
            Problem::new(format!("is set beside {}", quoted(&other.name)))
        };
        problem.remedy("keep one of the two").part(self.part()).at(self.node.line)
    }

    /// Reads the property.
    pub(super) fn read(&self) -> Result<Entry, Problem> {
        self.read_value().map_err(|problem| problem.part(self.part()).at(self.node.line))
    }

    fn read_value(&self) -> Result<Entry, Problem> {
        let name = self.target().to_owned();
        if name.is_empty() {
            return Err(Problem::new("has no name").remedy("write a property's name before the ="));
        }
        // The client takes the name with this prefix for the same property.
        let plain = name.strip_prefix("topic.").unwrap_or(&name);
        if let Some((_, wrong, remedy)) = OWNED.iter().find(|(owned, ..)| *owned == plain) {
            return Err(Problem::new(*wrong).remedy(*remedy));
        }
        let text = text_of(self.node)?;
        let value = if self.is_twin() { read_file(&text)? } else { text.clone() };
        if value.contains('\0') {
            return Err(Problem::new("contains a zero byte").remedy("remove the zero byte"));
        }
        let property = Property::new(&name, value);
        Ok(Entry {
            shown_key: self.part(),
            shown_value: if self.is_twin() { quoted(&text) } else { quoted(&property.to_string()) },
            name,
            property,
        })
    }
}

/// All properties of a table; nested tables are names with dots.
pub(super) fn flatten(node: &Node) -> Result<Vec<Given<'_>>, Problem> {
    let Value::Table(entries) = &node.value else {
        return Err(Problem::new(format!("is {}", node.kind())));
    };
    let mut given = Vec::new();
    flatten_into(&mut given, "", entries);
    // So that of two that name one property the later line is told.
    given.sort_by_key(|given| given.node.line);
    Ok(given)
}

fn flatten_into<'a>(given: &mut Vec<Given<'a>>, prefix: &str, entries: &'a [(String, Node)]) {
    for (name, node) in entries {
        let name = format!("{prefix}{name}");
        match &node.value {
            Value::Table(inner) => flatten_into(given, &format!("{name}."), inner),
            _ => given.push(Given { name, node }),
        }
    }
}

/// The property that a variable's end names: `SASL_PASSWORD` is `sasl.password`,
/// and `SASL_PASSWORD_FILE` its twin.
pub(super) fn name_of_variable(end: &str) -> String {
    let name = end.to_ascii_lowercase();
    if let Some(stem) = name.strip_suffix(TWIN) {
        let stem = stem.replace('_', ".");
        if is_secret_property(&stem) {
            return format!("{stem}{TWIN}");
        }
    }
    name.replace('_', ".")
}

fn text_of(node: &Node) -> Result<String, Problem> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Number(number) => Ok(number.clone()),
        Value::Switch(on) => Ok(on.to_string()),
        Value::Date(_) | Value::List(_) | Value::Table(_) => Err(Problem::new(format!("is {}", node.kind()))
            .remedy("write the value as the Kafka client takes it, in quotes")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_names_a_property_with_a_dot_for_each_underscore() {
        for (end, name) in [
            ("SASL_PASSWORD", "sasl.password"),
            ("SASL_PASSWORD_FILE", "sasl.password_file"),
            ("SSL_KEY_PEM_FILE", "ssl.key.pem_file"),
            ("SECURITY_PROTOCOL", "security.protocol"),
            ("SOME_FILE", "some.file"),
        ] {
            assert_eq!(name_of_variable(end), name, "{end}");
        }
    }

    #[test]
    fn nested_tables_are_names_with_dots() {
        let node = Node::parse_value("{ sasl.password = 'x', 'client.id' = 'y', a.b = { c = 1 } }");
        let node = node.ok().unwrap();
        let names: Vec<_> = flatten(&node).ok().unwrap().into_iter().map(|g| g.name).collect();
        assert_eq!(names, ["a.b.c", "client.id", "sasl.password"]);
    }

    #[test]
    fn numbers_and_switches_become_text() {
        for (toml, text) in [("5", "5"), ("0.5", "0.5"), ("true", "true"), ("'x y'", "x y"), ("''", "")] {
            let node = Node::parse_value(toml).ok().unwrap();
            assert_eq!(text_of(&node).ok().as_deref(), Some(text));
        }
        for toml in ["['x']", "{}", "2020-01-01"] {
            let node = Node::parse_value(toml).ok().unwrap();
            assert!(text_of(&node).is_err(), "{toml}");
        }
    }

    #[test]
    fn the_properties_that_are_ours_say_what_to_do() {
        for (name, _, remedy) in OWNED {
            let node = Node::parse_value("'hunter2'").ok().unwrap();
            let given = Given { name: (*name).to_owned(), node: &node };
            let problem = given.read().err().unwrap();
            assert_eq!(problem.part, format!(".{name:?}"));
            assert_eq!(problem.remedy.as_deref(), Some(*remedy));
            assert!(!problem.wrong.contains("hunter2"));
        }
    }
}
