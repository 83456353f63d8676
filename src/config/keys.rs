//! The table of all sections and keys.
//!
//! Owns names, defaults, ranges and documentation. Invariant: nothing else names
//! a key: the defaults, the checks, `config show`, the annotated default file
//! and the reference are all made from this table.

use std::time::Duration;

use super::key::{Key, Kind, Section};
use super::settings::UnauthorizedBody;
use super::{auth, dead_letter, log, syntax, webhook};

/// The largest whole number that every JSON client reads exactly, 2^53.
pub(super) const COUNT_MAX: u64 = 1 << 53;
/// A hundred years: far enough for anyone, and no sum with it overflows.
const DURATION_MAX: Duration = Duration::from_hours(36_500 * 24);
/// Each department costs memory for its counters.
const DEPARTMENTS_MAX: u64 = 16_000_000;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The sections, in the order of the default file.
pub(super) const SECTIONS: &[Section] = &[
    Section { name: "http", doc: "The HTTP server." },
    Section { name: "kafka", doc: "Where the rooms come from." },
    Section { name: "snapshot", doc: "The state on disk: what was counted, and up to where in the log." },
    Section { name: "auth", doc: "Who may ask." },
    Section {
        name: "limits",
        doc: "What a record may be, and how much is kept. Records outside are rejected and \
              counted, and never stop the service.",
    },
    Section { name: "dead_letter", doc: "Where records go that are rejected." },
    Section {
        name: "webhook",
        doc: "Rocket.Chat's livechat webhook, for workspaces without change capture.",
    },
    Section { name: "log", doc: "The program's own log, on standard error." },
];

/// The keys, section by section, in the order of the default file.
pub(super) const KEYS: &[Key] = &[
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
    Key {
        path: "kafka.bootstrap_servers",
        kind: Kind::Text {
            form: "host:port, several with commas between them, such as \"localhost:9092\"",
            store: |c, t| syntax::bootstrap_servers(t).map(|v| c.kafka.bootstrap_servers = v),
        },
        default: r#""localhost:9092""#,
        flag: Some("--bootstrap-servers"),
        doc: "Brokers to find the cluster by, as host:port with commas between them. One that \
              answers is enough; the others are learnt from it.",
    },
    Key {
        path: "kafka.topic",
        kind: Kind::Text {
            form: "a topic's name: 1 to 249 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\", not \".\" or \
                   \"..\" alone",
            store: |c, t| syntax::topic(t).map(|v| c.kafka.topic = v),
        },
        default: r#""livechat.rooms""#,
        flag: Some("--topic"),
        doc: "The topic that carries the rooms. All records of one room must be in one \
              partition, which keys by room id bring about.",
    },
    Key {
        path: "kafka.collection",
        kind: Kind::Text {
            form: "a collection's name, such as \"rocketchat_room\"",
            store: |c, t| syntax::not_empty(t).map(|v| c.kafka.collection = v),
        },
        default: r#""rocketchat_room""#,
        flag: None,
        doc: "The database collection that holds the rooms. Change events of other collections \
              are ignored.",
    },
    Key {
        path: "kafka.unavailable_after",
        kind: Kind::Duration {
            min: Duration::from_millis(1),
            max: DURATION_MAX,
            store: |c, d| c.kafka.unavailable_after = d,
        },
        default: r#""30s""#,
        flag: None,
        doc: "How long the broker may be away before `/health/ready` says so, counted from the first question that failed; an absent topic shows at once. \
              Complete counts go on being answered meanwhile.",
    },
    Key {
        path: "kafka.properties",
        kind: Kind::Properties,
        default: "{}",
        flag: None,
        doc: "Any property of the Kafka client (librdkafka), passed through, with its name in \
              quotes. In the environment, ROOMTALLY_KAFKA__PROPERTIES__SASL_PASSWORD sets \
              \"sasl.password\": lower case, and a dot for each underscore. Names that contain \
              password, passphrase, secret or token, that end in .pem, and \
              sasl.oauthbearer.config and sasl.jaas.config are secrets: they are never shown, and \
              with _file behind the name (\"sasl.password_file\", in the environment \
              ROOMTALLY_KAFKA__PROPERTIES__SASL_PASSWORD_FILE) they are read from a file. \
              Properties that decide what is read and what is counted belong to roomtally and are \
              refused.",
    },
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
    auth::MODE,
    auth::URL,
    auth::CACHE_TTL,
    auth::TIMEOUT,
    auth::CALLS_PER_MINUTE,
    auth::FAILURES_PER_MINUTE,
    auth::USERS,
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
    dead_letter::TOPIC,
    webhook::SECRET,
    webhook::SECRET_FILE,
    log::FORMAT,
    log::LEVEL,
];

/// The key at a path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a section has this name.
pub(super) fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}
