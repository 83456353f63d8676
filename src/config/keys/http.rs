//! The keys of `[http]`.
//!
//! Owns their rows of the table of keys.

use crate::config::key::{Key, Kind, Section};
use crate::config::settings::UnauthorizedBody;
use crate::config::syntax;

use super::COUNT_MAX;

/// The section.
pub(super) const SECTION: Section = Section { name: "http", doc: "The HTTP server.", keys: KEYS };

const KEYS: &[Key] = &[
    Key {
        path: "http.listen",
        kind: Kind::Text {
            form: "an IP address and port, such as \"127.0.0.1:3000\", or \"localhost:3000\"",
            store: |c, t| syntax::address(t).map(|v| c.http.listen = v),
        },
        default: r#""127.0.0.1:3000""#,
        flag: Some("--listen"),
        doc: "Address and port to listen on. \"0.0.0.0:3000\" listens on every IPv4 address of \
              the machine; port 0 lets the system choose a free one.",
    },
    Key {
        path: "http.unauthorized_body",
        kind: Kind::Text {
            form: "\"empty\" or \"json\"",
            store: |c, t| {
                let choices = [("empty", UnauthorizedBody::Empty), ("json", UnauthorizedBody::Json)];
                syntax::choice(t, &choices).map(|v| c.http.unauthorized_body = v)
            },
        },
        default: r#""empty""#,
        flag: None,
        doc: "Body of the 401 that answers missing or wrong credentials: \"empty\", as the \
              endpoint's documentation has it, or \"json\", the object that Rocket.Chat sends.",
    },
    Key {
        path: "http.cors_origins",
        kind: Kind::List {
            form: "a list of origins, scheme://host or scheme://host:port, such as \
                   [\"https://chat.example.org\"], or [\"*\"]",
            read: syntax::origin,
            store: |c, v| c.http.cors_origins = v,
        },
        default: "[]",
        flag: None,
        doc: "Origins whose pages may read answers in a browser. Empty: no page of another \
              origin may, and preflight requests are refused with 405. \"*\" stands for every origin.",
    },
    Key {
        path: "http.default_count",
        kind: Kind::Count { min: 1, max: COUNT_MAX, store: |c, n| c.http.default_count = n },
        default: "50",
        flag: None,
        doc: "Rows on a page when the request does not say `count`.",
    },
    Key {
        path: "http.upper_count_limit",
        kind: Kind::Count { min: 1, max: COUNT_MAX, store: |c, n| c.http.upper_count_limit = n },
        default: "100",
        flag: None,
        doc: "Most rows on a page: a larger `count` is cut to it.",
    },
    Key {
        path: "http.allow_infinite_count",
        kind: Kind::Switch { store: |c, on| c.http.allow_infinite_count = on },
        default: "true",
        flag: None,
        doc: "Whether `count=0` asks for all rows at once. If not, it asks for the default count.",
    },
    Key {
        path: "http.max_connections",
        kind: Kind::Count { min: 1, max: 1_000_000, store: |c, n| c.http.max_connections = n },
        default: "1024",
        flag: None,
        doc: "Connections open at one time. Each needs a file descriptor: keep it below what the \
              process may have open.",
    },
    Key {
        path: "http.trusted_proxies",
        kind: Kind::List {
            form: "a list of IP addresses and networks, such as [\"127.0.0.1\", \"10.0.0.0/8\"]",
            read: |text| syntax::network(text).map(|network| network.to_string()),
            store: |c, v| c.http.trusted_proxies = v.iter().filter_map(|text| text.parse().ok()).collect(),
        },
        default: "[]",
        flag: None,
        doc: "Reverse proxies in front of the service. A request from one of them comes from the \
              last address in its X-Forwarded-For that is none of them; without an entry, \
              everybody behind a proxy counts as one address when failed sign-ins are limited.",
    },
];
