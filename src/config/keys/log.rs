//! The keys of `[log]`.
//!
//! Owns their rows of the table of keys.

use crate::config::key::{Key, Kind, Section};
use crate::config::settings::LogFormat;
use crate::config::syntax;

/// The section.
pub(super) const SECTION: Section =
    Section { name: "log", doc: "The program's own log, on standard error.", keys: KEYS };

const KEYS: &[Key] = &[
    Key {
        path: "log.format",
        kind: Kind::Text {
            form: "\"text\" or \"json\"",
            store: |c, t| {
                let choices = [("text", LogFormat::Text), ("json", LogFormat::Json)];
                syntax::choice(t, &choices).map(|v| c.log.format = v)
            },
        },
        default: r#""text""#,
        flag: Some("--log-format"),
        doc: "How a line is written: \"text\" for people, \"json\" for one object per line.",
    },
    Key {
        path: "log.level",
        kind: Kind::Text {
            form: "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
            store: |c, t| {
                let choices = ["error", "warn", "info", "debug", "trace"].map(|word| (word, word));
                syntax::choice(t, &choices).map(|v| v.clone_into(&mut c.log.level))
            },
        },
        default: r#""info""#,
        flag: Some("--log-level"),
        doc: "The least important lines that are written.",
    },
];
