//! The keys of `[auth]`.
//!
//! Owns their rows of the table of keys, and which of them go together.

use std::time::Duration;

use crate::config::key::{Key, Kind, Section};
use crate::config::mistake::Problem;
use crate::config::settings::{AuthMode, Config};
use crate::config::syntax;

use super::COUNT_MAX;

/// The section.
pub(super) const SECTION: Section = Section { name: "auth", doc: "Who may ask.", keys: KEYS };

const KEYS: &[Key] = &[
    Key {
        path: "auth.mode",
        kind: Kind::Text {
            form: "\"tokens\" or \"rocketchat\"",
            store: |c, t| {
                let choices = [("tokens", AuthMode::Tokens), ("rocketchat", AuthMode::RocketChat)];
                syntax::choice(t, &choices).map(|v| c.auth.mode = v)
            },
        },
        default: r#""tokens""#,
        flag: None,
        doc: "How users are known. \"tokens\": by the entries of `auth.users`. \"rocketchat\": by the \
              Rocket.Chat server at `auth.url`, with the user ids and tokens that it gave out; who \
              holds `view-livechat-manager` there may ask.",
    },
    Key {
        path: "auth.url",
        kind: Kind::Text {
            form: "the server's address, such as \"https://chat.example.org\"",
            store: |c, t| {
                c.auth.url = if t.is_empty() { None } else { Some(syntax::base_url(t)?) };
                Ok(())
            },
        },
        default: r#""""#,
        flag: None,
        doc: "Where the Rocket.Chat server is, with its path if it has one. Required with the mode \
              \"rocketchat\". A certificate is checked against those that the system trusts; \
              SSL_CERT_FILE names others.",
    },
    Key {
        path: "auth.cache_ttl",
        kind: Kind::Duration {
            min: Duration::from_secs(1),
            max: Duration::from_hours(24),
            store: |c, d| c.auth.cache_ttl = d,
        },
        default: r#""5m""#,
        flag: None,
        doc: "How long a verdict of the Rocket.Chat server holds: so long may a user go on who \
              has signed out, and so long do known users go on while the server is away. A user \
              in use is asked about again after half of it; a refusal holds for a minute at most.",
    },
    Key {
        path: "auth.timeout",
        kind: Kind::Duration {
            min: Duration::from_millis(100),
            max: Duration::from_mins(1),
            store: |c, d| c.auth.timeout = d,
        },
        default: r#""5s""#,
        flag: None,
        doc: "How long the Rocket.Chat server may take for an answer.",
    },
    Key {
        path: "auth.calls_per_minute",
        kind: Kind::Count {
            min: 1,
            max: 100_000,
            store: |c, n| c.auth.calls_per_minute = usize::try_from(n).unwrap_or(usize::MAX),
        },
        default: "10",
        flag: None,
        doc: "How often the Rocket.Chat server is asked about credentials in any one minute. Its own \
              limit is 10 unless its administrator raised it. Up to half is kept for users who are \
              known already.",
    },
    Key {
        path: "auth.failures_per_minute",
        kind: Kind::Count { min: 1, max: COUNT_MAX, store: |c, n| c.auth.failures_per_minute = n },
        default: "100",
        flag: None,
        doc: "Failed sign-ins of one address (of one /64 network with IPv6) in one minute; further \
              ones are answered 429 until the minute is over. Right credentials pass even then, those that a Rocket.Chat server knows if they were let in \
              before.",
    },
    Key {
        path: "auth.users",
        kind: Kind::Users,
        default: "[]",
        flag: None,
        doc: "The users of the mode \"tokens\", one entry per token; several entries may have the \
              same id. Without an entry nobody gets an answer. `roomtally token USER_ID` makes a token and prints its \
              entry. In the environment: a TOML list of tables, which replaces that of the file.",
    },
];

/// What does not go together, if anything does not.
pub(super) fn check(config: &Config) -> Option<(&'static str, Problem)> {
    let auth = &config.auth;
    if auth.mode != AuthMode::RocketChat {
        return None;
    }
    if !auth.users.is_empty() {
        let problem = Problem::new("is given beside the mode \"rocketchat\", which knows no listed users");
        return Some(("auth.users", problem.remedy("leave the users out, or write mode = \"tokens\"")));
    }
    let missing = || Problem::new("is missing, and the mode \"rocketchat\" needs it");
    auth.url.is_none().then(|| ("auth.url", missing()))
}
