//! The keys of `[limits]`.
//!
//! Owns their rows of the table of keys.

use std::time::Duration;

use crate::config::key::{Key, Kind, Section};
use crate::config::syntax;

use super::{DURATION_MAX, KIB, MIB};

/// Each department costs memory for its counters.
const DEPARTMENTS_MAX: u64 = 16_000_000;

/// The section.
pub(super) const SECTION: Section = Section {
    name: "limits",
    doc: "What a record may be, and how much is kept. Records outside are rejected and \
              counted, and never stop the service.",
    keys: KEYS,
};

const KEYS: &[Key] = &[
    Key {
        path: "limits.departments",
        kind: Kind::Count {
            min: 1,
            max: DEPARTMENTS_MAX,
            store: |c, n| c.limits.departments = usize::try_from(n).unwrap_or(usize::MAX),
        },
        default: "100000",
        flag: None,
        doc: "Distinct departments. Rooms of further ones are rejected, so that a broken \
              producer cannot fill the memory.",
    },
    Key {
        path: "limits.record_bytes",
        kind: Kind::Size {
            min: KIB,
            max: 64 * MIB,
            store: |c, n| c.limits.record_bytes = usize::try_from(n).unwrap_or(usize::MAX),
        },
        default: r#""1MiB""#,
        flag: None,
        doc: "Largest record, key and value together.",
    },
    Key {
        path: "limits.oldest",
        kind: Kind::Text {
            form: "a date, such as \"2000-01-01T00:00:00Z\"",
            store: |c, t| syntax::instant(t).map(|v| c.limits.oldest = v),
        },
        default: r#""2000-01-01T00:00:00Z""#,
        flag: None,
        doc: "Oldest creation time of a room: older ones are rejected.",
    },
    Key {
        path: "limits.max_future",
        kind: Kind::Duration {
            min: Duration::ZERO,
            max: DURATION_MAX,
            store: |c, d| c.limits.max_future = d,
        },
        default: r#""24h""#,
        flag: None,
        doc: "How far a room's creation time may lie after its record's Kafka timestamp. The \
              clock plays no part, so that a replay decides alike.",
    },
];
