//! The layer of the environment.
//!
//! Owns which variables are settings. Invariant: a variable `ROOMTALLY_…` with
//! `__` in it sets a key or is a mistake; every other variable is left alone.

use super::draft::{Draft, PROPERTIES};
use super::key::{ENV_PREFIX, variable_of};
use super::keys::keys;
use super::mistake::{Layer, Mistake};
use super::nearest::nearest;
use super::properties;

/// What a section and its key have between them.
const BETWEEN: &str = "__";

/// Whether a variable is meant to set a key.
pub(super) fn is_setting(name: &str) -> bool {
    name.strip_prefix(ENV_PREFIX).is_some_and(|rest| rest.contains(BETWEEN))
}

/// Writes what the variables say into the draft, in the order of their names.
pub(super) fn apply(variables: &[(String, String)], draft: &mut Draft) {
    let mut settings: Vec<_> = variables.iter().filter(|(name, _)| is_setting(name)).collect();
    settings.sort();
    let property_prefix = format!("{}{BETWEEN}", variable_of(PROPERTIES));
    let mut property_texts = Vec::new();
    for (name, value) in settings {
        let layer = Layer::Env(name.clone());
        if let Some(end) = name.strip_prefix(&property_prefix) {
            property_texts.push((properties::name_of_variable(end), value.clone(), layer));
        } else if let Some(key) = keys().find(|key| key.variable() == *name) {
            draft.set_text(key, value, &layer);
        } else {
            draft.mistake(unknown(name, layer));
        }
    }
    draft.set_property_texts(property_texts);
}

fn unknown(name: &str, layer: Layer) -> Mistake {
    let rest = name.strip_prefix(ENV_PREFIX).unwrap_or(name);
    let path = rest.to_lowercase().replace(BETWEEN, ".");
    let meant = nearest(&path, keys().map(|key| key.path)).unwrap_or_default();
    let mut variable = variable_of(meant);
    if meant == PROPERTIES {
        variable.push_str("__<PROPERTY>");
    }
    Mistake {
        layer,
        key: Some(path),
        wrong: "is not a known key".to_owned(),
        remedy: format!("the nearest known variable is {variable}"),
    }
}
