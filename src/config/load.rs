//! From the sources to the configuration.
//!
//! Owns the order of the layers. Invariant: all layers are read whatever is
//! wrong in one of them, so that every mistake is told at once.

use std::collections::BTreeMap;
use std::path::Path;

use super::draft::Draft;
use super::keys::find;
use super::mistake::{Layer, Mistake, Mistakes};
use super::secret::Property;
use super::settings::Config;
use super::{env, file};

/// Where values can come from besides the built-in defaults.
///
/// Not `Debug`: the environment has secrets in it.
#[derive(Default)]
pub struct Sources<'a> {
    /// The file that `--config` names.
    pub file: Option<&'a Path>,
    /// All variables of the environment, settings or not.
    pub env: Vec<(String, String)>,
    /// The names of those whose value is no Unicode text.
    pub env_not_text: Vec<String>,
    /// The flags given: the path of the key each one sets, such as
    /// `http.listen`, and the value.
    pub flags: Vec<(&'static str, String)>,
    /// What the Kafka client has to say of the properties that were given.
    pub client_check: Option<ClientCheck>,
}

/// Has the Kafka client look at its properties, without reaching a broker.
pub type ClientCheck = fn(&BTreeMap<String, Property>) -> Vec<ClientFault>;

/// What the Kafka client refuses of its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFault {
    /// The property, if it is one alone.
    pub property: Option<String>,
    /// What is wrong, without the value.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// A configuration without a mistake.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Every key and every Kafka client property, in the order of the
    /// reference, for `config show`.
    pub shown: Vec<ShownKey>,
}

/// A key in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownKey {
    /// The key's path, such as `http.listen`.
    pub key: String,
    /// The value as it was given, as one line of TOML; secrets are
    /// `"(hidden)"`.
    pub value: String,
    /// The layer that set it.
    pub layer: Layer,
}

/// Reads all layers, each over the one before it: built-in defaults, file,
/// environment, flags.
///
/// # Errors
///
/// Every mistake of every layer, also in values that a higher layer overrides.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Mistakes> {
    let mut draft = Draft::with_defaults();
    if let Some(path) = sources.file {
        file::apply(path, &mut draft);
    }
    env::apply(&sources.env, &mut draft);
    for name in sources.env_not_text.iter().filter(|name| env::is_setting(name)) {
        draft.mistake(Mistake {
            layer: Layer::Env(name.clone()),
            key: None,
            wrong: "is no text in UTF-8".to_owned(),
            remedy: "write its value in UTF-8".to_owned(),
        });
    }
    for (path, value) in &sources.flags {
        apply_flag(path, value, &mut draft);
    }
    draft.check_together();
    if let Some(check) = sources.client_check {
        draft.check_client(check);
    }
    draft.finish()
}

fn apply_flag(path: &'static str, value: &str, draft: &mut Draft) {
    match find(path) {
        Some(key) => draft.set_text(key, value, &Layer::Flag(key.flag.unwrap_or(path))),
        None => draft.mistake(Mistake {
            layer: Layer::Flag(path),
            key: Some(path.to_owned()),
            wrong: "is not a known key".to_owned(),
            remedy: "set a key of the reference".to_owned(),
        }),
    }
}
