//! The configuration while the layers are written over one another.
//!
//! Owns the order of things: each layer's values are checked and stored as they
//! come, so the last one stands and all that are wrong are noted. Invariant: a
//! value is stored together with the layer it came from.

use std::collections::BTreeMap;

use super::key::{Key, Kind};
use super::keys::{check_together, find, keys};
use super::load::{ClientCheck, ClientFault, Loaded, ShownKey};
use super::mistake::{Layer, Mistake, Mistakes, Problem};
use super::node::{Node, Value, quoted};
use super::properties::{self, Given};
use super::secret::HIDDEN;
use super::settings::Config;
use super::users;

/// The path of the properties' table.
pub(super) const PROPERTIES: &str = "kafka.properties";

/// An empty text as TOML.
const EMPTY: &str = "\"\"";

/// What the layers have given so far.
pub(super) struct Draft {
    pub(super) config: Config,
    mistakes: Vec<Mistake>,
    /// By the path of the key.
    shown: BTreeMap<&'static str, ShownKey>,
    /// By the client's name of the property.
    shown_properties: BTreeMap<String, ShownKey>,
}

impl Draft {
    /// The built-in defaults.
    pub(super) fn with_defaults() -> Self {
        let mut draft = Self {
            config: Config::blank(),
            mistakes: Vec::new(),
            shown: BTreeMap::new(),
            shown_properties: BTreeMap::new(),
        };
        for key in keys() {
            match Node::parse_value(key.default) {
                Ok(node) => draft.set(key, &node, &Layer::Default),
                Err(fault) => {
                    draft.problem(key, Problem::new(fault.message), &Layer::Default);
                }
            }
        }
        draft
    }

    /// Notes what the Kafka client refuses, each with the layer that gave it.
    pub(super) fn check_client(&mut self, check: ClientCheck) {
        for ClientFault { property, problem, remedy } in check(&self.config.kafka.properties) {
            let shown = property.as_ref().and_then(|name| self.shown_properties.get(name));
            let (key, layer) = match shown {
                Some(shown) => (shown.key.clone(), shown.layer.clone()),
                None => (PROPERTIES.to_owned(), Layer::Default),
            };
            self.mistakes.push(Mistake { layer, key: Some(key), wrong: problem, remedy });
        }
    }

    /// Notes keys that do not go together, each with the layer that set it.
    pub(super) fn check_together(&mut self) {
        for (path, problem) in check_together(&self.config) {
            let layer = self.shown.get(path).map_or(Layer::Default, |shown| shown.layer.clone());
            // Of a value that was wrong it is known already.
            let is_known = self.mistakes.iter().any(|mistake| mistake.key.as_deref() == Some(path));
            if let Some(key) = find(path).filter(|_| !is_known) {
                self.problem(key, problem, &layer);
            }
        }
    }

    /// The settings with the layer of each, or every mistake.
    pub(super) fn finish(mut self) -> Result<Loaded, Mistakes> {
        if !self.mistakes.is_empty() {
            return Err(Mistakes::new(self.mistakes));
        }
        let mut shown = Vec::new();
        for key in keys() {
            if key.path == PROPERTIES && !self.shown_properties.is_empty() {
                shown.extend(std::mem::take(&mut self.shown_properties).into_values());
            } else {
                shown.extend(self.shown.remove(key.path));
            }
        }
        Ok(Loaded { config: self.config, shown })
    }

    /// Sets a key to the value that a layer gives.
    pub(super) fn set(&mut self, key: &'static Key, node: &Node, layer: &Layer) {
        let stored = match &key.kind {
            Kind::Properties => match properties::flatten(node) {
                Ok(given) => {
                    let given = given.into_iter().map(|given| (given, layer.clone()));
                    self.set_properties(key, given.collect());
                    Ok(())
                }
                Err(problem) => Err(vec![problem]),
            },
            Kind::Users => users::read(node).map(|users| self.config.auth.users = users),
            kind if let Some(twin) = kind.twin() => self.set_secret(key, twin, node, layer),
            kind => kind.store(&mut self.config, node),
        };
        match stored {
            Ok(()) => self.show(key, node, layer),
            Err(problems) => {
                for problem in problems {
                    self.problem(key, problem.at(node.line), layer);
                }
            }
        }
    }

    /// Sets a secret by one of its two names. The other one in the same layer is a mistake,
    /// that of a lower layer is overridden; a name that stands empty beside it is none.
    fn set_secret(
        &mut self,
        key: &Key,
        twin: &'static str,
        node: &Node,
        layer: &Layer,
    ) -> Result<(), Vec<Problem>> {
        let is_empty = |shown: &ShownKey| shown.value == EMPTY;
        let beside = self.shown.get(twin).filter(|shown| shown.layer.is_same(layer) && !is_empty(shown));
        if matches!(&node.value, Value::Text(text) if text.is_empty()) {
            let clears = matches!(key.kind, Kind::Secret { .. }) && beside.is_none();
            return if clears { key.kind.store(&mut self.config, node) } else { Ok(()) };
        }
        if beside.is_some() {
            return Err(vec![Problem::new(format!("is set beside {twin}")).remedy("keep one of the two")]);
        }
        key.kind.store(&mut self.config, node)?;
        if let Some(overridden) = self.shown.get_mut(twin) {
            (overridden.value, overridden.layer) = (EMPTY.to_owned(), Layer::Default);
        }
        Ok(())
    }

    /// Sets a key to the text that a variable or a flag gives.
    pub(super) fn set_text(&mut self, key: &'static Key, text: &str, layer: &Layer) {
        match key.kind.read_text(text) {
            Ok(node) => self.set(key, &node, layer),
            Err(problem) => self.problem(key, problem, layer),
        }
    }

    /// Sets the properties that one layer gives, each with its variable or file.
    pub(super) fn set_properties(&mut self, key: &'static Key, all: Vec<(Given<'_>, Layer)>) {
        let mut seen: BTreeMap<String, Given<'_>> = BTreeMap::new();
        for (given, layer) in all {
            if let Some(first) = seen.get(given.target()) {
                self.problem(key, given.beside(first), &layer);
                continue;
            }
            match given.read() {
                Ok(entry) => {
                    let shown = ShownKey {
                        key: format!("{}{}", key.path, entry.shown_key),
                        value: entry.shown_value,
                        layer: layer.at(given.node.line),
                    };
                    self.shown_properties.insert(entry.name.clone(), shown);
                    self.config.kafka.properties.insert(entry.name, entry.property);
                }
                Err(problem) => self.problem(key, problem, &layer),
            }
            seen.insert(given.target().to_owned(), given);
        }
    }

    /// Sets the properties that variables give, by their names and values.
    pub(super) fn set_property_texts(&mut self, texts: Vec<(String, String, Layer)>) {
        let Some(key) = find(PROPERTIES) else { return };
        let nodes: Vec<_> = texts
            .into_iter()
            .map(|(name, text, layer)| (name, Node::new(Value::Text(text)), layer))
            .collect();
        let given = nodes.iter().map(|(name, node, layer)| {
            let name = name.clone();
            (Given { name, node }, layer.clone())
        });
        self.set_properties(key, given.collect());
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    fn show(&mut self, key: &'static Key, node: &Node, layer: &Layer) {
        let value = match &key.kind {
            // Each property is shown by itself.
            Kind::Properties => "{}".to_owned(),
            Kind::Users => users::shown(node),
            Kind::Secret { .. } if node.to_toml(|_| false) != EMPTY => quoted(HIDDEN),
            _ => node.to_toml(|_| false),
        };
        let shown = ShownKey { key: key.path.to_owned(), value, layer: layer.at(node.line) };
        self.shown.insert(key.path, shown);
    }

    fn problem(&mut self, key: &Key, problem: Problem, layer: &Layer) {
        let remedy = problem.remedy.unwrap_or_else(|| format!("write {}", key.kind.form()));
        self.mistakes.push(Mistake {
            layer: layer.at(problem.line),
            key: Some(format!("{}{}", key.path, problem.part)),
            wrong: problem.wrong,
            remedy,
        });
    }
}
