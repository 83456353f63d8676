//! The layer of the configuration file.
//!
//! Owns the walk through the file's tables. Invariant: every entry of the file
//! ends at a key, or as a mistake with its line.

use std::fs;
use std::path::Path;

use super::draft::Draft;
use super::keys::{SECTIONS, find, is_section, keys};
use super::mistake::{Layer, Mistake};
use super::nearest::nearest;
use super::node::{Node, NotToml, Value, key_text};

/// Writes what the file says into the draft.
pub(super) fn apply(path: &Path, draft: &mut Draft) {
    let layer = Layer::File { path: path.to_owned(), line: None };
    match read(path) {
        Ok(text) => match Node::parse_document(&text) {
            Ok(entries) => walk(&entries, &layer, draft),
            Err(faults) => {
                for fault in &faults {
                    draft.mistake(not_toml(&layer, fault));
                }
            }
        },
        Err(Unread::Io(error)) => draft.mistake(Mistake {
            layer,
            key: None,
            wrong: format!("cannot be read: {error}"),
            remedy: "name a file that exists and that the service may read".to_owned(),
        }),
        Err(Unread::NotText(fault)) => draft.mistake(not_toml(&layer, &fault)),
    }
}

enum Unread {
    Io(std::io::Error),
    NotText(NotToml),
}

fn read(path: &Path) -> Result<String, Unread> {
    let bytes = fs::read(path).map_err(Unread::Io)?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        Unread::NotText(NotToml::at(&text, offset, "not UTF-8".to_owned()))
    })
}

fn not_toml(layer: &Layer, fault: &NotToml) -> Mistake {
    Mistake {
        layer: layer.at(Some(fault.line)),
        key: None,
        wrong: format!("is not TOML at column {}: {}", fault.column, fault.message),
        remedy: "correct the line; the other keys of the file are checked after that".to_owned(),
    }
}

fn walk(entries: &[(String, Node)], layer: &Layer, draft: &mut Draft) {
    for (name, node) in entries {
        let section = key_text(name);
        match &node.value {
            Value::Table(keys) if is_section(&section) => {
                walk_section(&section, keys, layer, draft);
            }
            _ if is_section(&section) => draft.mistake(Mistake {
                layer: layer.at(node.line),
                wrong: format!("is {}, and {section} is a section", node.kind()),
                remedy: format!("write [{section}] on a line of its own and its keys below"),
                key: Some(section),
            }),
            Value::Table(_) => draft.mistake(unknown_section(section, node, layer)),
            _ => draft.mistake(unknown_key(section, node, layer)),
        }
    }
}

fn walk_section(section: &str, keys: &[(String, Node)], layer: &Layer, draft: &mut Draft) {
    for (name, node) in keys {
        let path = format!("{section}.{}", key_text(name));
        match find(&path) {
            Some(key) => draft.set(key, node, layer),
            None => draft.mistake(unknown_key(path, node, layer)),
        }
    }
}

fn unknown_section(section: String, node: &Node, layer: &Layer) -> Mistake {
    let known = SECTIONS.iter().map(|section| section.name);
    let meant = nearest(&section, known).unwrap_or_default();
    Mistake {
        layer: layer.at(node.line),
        key: Some(section),
        wrong: "is not a known section".to_owned(),
        remedy: format!("the nearest known section is [{meant}]"),
    }
}

fn unknown_key(path: String, node: &Node, layer: &Layer) -> Mistake {
    let meant = nearest(&path, keys().map(|key| key.path)).unwrap_or_default();
    Mistake {
        layer: layer.at(node.line),
        key: Some(path),
        wrong: "is not a known key".to_owned(),
        remedy: format!("the nearest known key is {meant}"),
    }
}
