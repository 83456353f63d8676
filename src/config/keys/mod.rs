//! The table of all sections and keys, one file a section.
//!
//! Owns names, defaults, ranges and documentation. Invariant: nothing else names
//! a key: the defaults, the checks, `config show`, the annotated default file
//! and the reference are all made from this table.

mod auth;
mod dead_letter;
mod http;
mod kafka;
mod limits;
mod log;
mod snapshot;
mod webhook;

use std::time::Duration;

use super::key::{Key, Section};
use super::mistake::Problem;
use super::settings::Config;

/// The largest whole number that every JSON client reads exactly, 2^53.
const COUNT_MAX: u64 = 1 << 53;
/// A hundred years: far enough for anyone, and no sum with it overflows.
const DURATION_MAX: Duration = Duration::from_hours(36_500 * 24);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The sections, in the order of the default file.
pub(super) const SECTIONS: &[Section] = &[
    http::SECTION,
    kafka::SECTION,
    snapshot::SECTION,
    auth::SECTION,
    limits::SECTION,
    dead_letter::SECTION,
    webhook::SECTION,
    log::SECTION,
];

/// The keys, section by section, in the order of the default file.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> + Clone {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The key at a path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    keys().find(|key| key.path == path)
}

/// Whether a section has this name.
pub(super) fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}

/// What is wrong with keys that do not go together, each by the key to change.
pub(super) fn check_together(config: &Config) -> Vec<(&'static str, Problem)> {
    [auth::check(config), dead_letter::check(config)].into_iter().flatten().collect()
}
