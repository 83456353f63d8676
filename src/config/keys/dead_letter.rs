//! The key of `[dead_letter]`.
//!
//! Owns the one rule that takes two keys: refused records do not go where they came from.

use crate::config::key::{Key, Kind, Section};
use crate::config::mistake::Problem;
use crate::config::settings::Config;
use crate::config::syntax;

/// The section.
pub(super) const SECTION: Section =
    Section { name: "dead_letter", doc: "Where records go that are rejected.", keys: KEYS };

const KEYS: &[Key] = &[Key {
    path: PATH,
    kind: Kind::Text {
        form: "a topic's name, another one than kafka.topic, or nothing: \"\"",
        store: |c, t| syntax::optional(t, syntax::topic).map(|v| c.dead_letter.topic = v),
    },
    default: r#""""#,
    flag: None,
    doc: "A topic of the same cluster to which every rejected record is copied, as it was, with \
              the reason in its headers; empty: none. It is never made by itself; make it with \
              retention.ms=-1, since a copy is as old as its record, and a finite one deletes copies of \
              older records at once. `roomtally replay` sends those back that are good by then.",
}];

const PATH: &str = "dead_letter.topic";

/// A dead-letter topic that is the rooms' own is none: what is rejected there would come
/// again for ever.
pub(super) fn check(config: &Config) -> Option<(&'static str, Problem)> {
    let Config { kafka, dead_letter, .. } = config;
    if dead_letter.topic.is_empty() || dead_letter.topic != kafka.topic {
        return None;
    }
    let problem = Problem::new(format!("is kafka.topic itself, {:?}", kafka.topic));
    let remedy = "name another topic: a copy of a rejected record would be read and rejected again";
    Some((PATH, problem.remedy(remedy)))
}
