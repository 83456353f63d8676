//! The keys of `[snapshot]`.
//!
//! Owns their rows of the table of keys.

use std::time::Duration;

use crate::config::key::{Key, Kind, Section};
use crate::config::syntax;

use super::DURATION_MAX;

/// The section.
pub(super) const SECTION: Section = Section {
    name: "snapshot",
    doc: "The state on disk: what was counted, and up to where in the log.",
    keys: KEYS,
};

const KEYS: &[Key] = &[
    Key {
        path: "snapshot.dir",
        kind: Kind::Text {
            form: "a directory's path, such as \"data\"",
            store: |c, t| syntax::directory(t).map(|v| c.snapshot.dir = v),
        },
        default: r#""data""#,
        flag: Some("--data-dir"),
        doc: "The data directory, relative to the working directory unless it is absolute. It must \
              be there, so that a volume that is not mounted is noticed, and is one process's alone.",
    },
    Key {
        path: "snapshot.interval",
        kind: Kind::Duration {
            min: Duration::from_secs(1),
            max: DURATION_MAX,
            store: |c, d| c.snapshot.interval = d,
        },
        default: r#""10s""#,
        flag: None,
        doc: "Time between two snapshots. Nothing is written while no record comes.",
    },
    Key {
        path: "snapshot.keep",
        kind: Kind::Count {
            min: 1,
            max: 10_000,
            store: |c, n| c.snapshot.keep = usize::try_from(n).unwrap_or(usize::MAX),
        },
        default: "3",
        flag: None,
        doc: "Generations of snapshots to keep, beside those that they build upon.",
    },
];
