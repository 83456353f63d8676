//! The keys of `[log]`.
//!
//! Owns their rows of the table of keys.

use super::key::{Key, Kind};
use super::settings::LogFormat;
use super::syntax;

/// How lines look.
pub(super) const FORMAT: Key = Key {
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
};

/// Which lines there are.
pub(super) const LEVEL: Key = Key {
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
};
