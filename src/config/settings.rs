//! The settings as the rest of the program reads them.
//!
//! Owns the typed form of the configuration. Invariant: a value that came
//! through [`load`](fn@super::load) is within the range its key states, so nobody
//! behind it checks again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::draft::Draft;
use super::secret::{Property, TokenHash};

/// Everything that can be configured, one field per section.
///
/// `Config::default()` holds the built-in defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[http]`: the server.
    pub http: Http,
    /// `[kafka]`: where the rooms come from.
    pub kafka: Kafka,
    /// `[snapshot]`: the state on disk.
    pub snapshot: Snapshot,
    /// `[auth]`: who may ask.
    pub auth: Auth,
    /// `[limits]`: what a record may be and how much is kept.
    pub limits: Limits,
    /// `[dead_letter]`: where refused records go.
    pub dead_letter: DeadLetter,
    /// `[webhook]`: Rocket.Chat's livechat webhook.
    pub webhook: Webhook,
    /// `[log]`: the program's own log.
    pub log: Log,
}

/// `[http]`: the server.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port to listen on; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// Body of the answer to missing or wrong credentials.
    pub unauthorized_body: UnauthorizedBody,
    /// Origins whose pages may read answers, in lower case, or `*`; empty: none.
    pub cors_origins: Vec<String>,
    /// Rows on a page when the request does not say `count`; at least 1.
    pub default_count: u64,
    /// Most rows that `count` can ask for; at least 1.
    pub upper_count_limit: u64,
    /// Whether `count=0` means "all rows".
    pub allow_infinite_count: bool,
    /// Connections open at one time; at least 1.
    pub max_connections: u64,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Body of a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnauthorizedBody {
    /// No body, as the endpoint's documentation has it.
    #[default]
    Empty,
    /// The JSON object that Rocket.Chat itself sends.
    Json,
}

/// `[kafka]`: where the rooms come from.
#[derive(Debug, Clone, Default)]
pub struct Kafka {
    /// `host:port`, comma separated, without blanks.
    pub bootstrap_servers: String,
    /// The topic to read.
    pub topic: String,
    /// The database collection whose change events are counted.
    pub collection: String,
    /// How long the broker may be away before health says so.
    pub unavailable_after: Duration,
    /// Properties for the Kafka client by their own names, passed through; none
    /// that roomtally sets itself.
    pub properties: BTreeMap<String, Property>,
}

/// `[snapshot]`: the state on disk.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The data directory; relative to the working directory unless absolute.
    pub dir: PathBuf,
    /// Time between two snapshots; at least one second.
    pub interval: Duration,
    /// Generations kept; at least 1.
    pub keep: usize,
}

/// `[auth]`: who may ask.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    /// How users are known.
    pub mode: AuthMode,
    /// One entry per token; several may have the same id. Empty unless the mode is
    /// [`AuthMode::Tokens`].
    pub users: Vec<User>,
    /// Where the Rocket.Chat server is; there if the mode is [`AuthMode::RocketChat`].
    pub url: Option<Url>,
    /// How long a verdict of the server's holds.
    pub cache_ttl: Duration,
    /// How long the server may take for an answer.
    pub timeout: Duration,
    /// How often the server is asked about credentials in any one minute, at most.
    pub calls_per_minute: usize,
    /// Failed sign-ins of one address in one minute before it is told to wait.
    pub failures_per_minute: u64,
}

/// How users are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// By the entries of `auth.users`.
    #[default]
    Tokens,
    /// By a Rocket.Chat server.
    RocketChat,
}

/// One token of one user.
#[derive(Debug, Clone)]
pub struct User {
    /// What the `X-User-Id` header must say; not empty.
    pub id: String,
    /// SHA-256 of the token that the `X-Auth-Token` header must carry.
    pub token_hash: TokenHash,
    /// Names of the permissions held, such as `view-livechat-manager`.
    pub permissions: Vec<String>,
}

/// `[limits]`: what a record may be and how much is kept.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Distinct departments.
    pub departments: usize,
    /// Bytes of key and value of one record together.
    pub record_bytes: usize,
    /// Oldest creation time of a room, in epoch milliseconds.
    pub oldest: i64,
    /// How far a room's creation time may lie after its record's timestamp.
    pub max_future: Duration,
}

/// `[dead_letter]`: where refused records go.
#[derive(Debug, Clone, Default)]
pub struct DeadLetter {
    /// The topic, another one than that of the rooms; empty: nowhere.
    pub topic: String,
}

/// `[webhook]`: Rocket.Chat's livechat webhook.
#[derive(Debug, Clone, Default)]
pub struct Webhook {
    /// SHA-256 of the secret that requests must carry; without one there is no webhook.
    pub secret: Option<TokenHash>,
}

/// `[log]`: the program's own log.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// How a line is written.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Draft::with_defaults().config
    }
}

impl Config {
    /// The shape without values: what the defaults are written into.
    pub(super) fn blank() -> Self {
        Self {
            http: Http {
                listen: SocketAddr::from(([127, 0, 0, 1], 0)),
                unauthorized_body: UnauthorizedBody::default(),
                cors_origins: Vec::new(),
                default_count: 0,
                upper_count_limit: 0,
                allow_infinite_count: false,
                max_connections: 0,
                trusted_proxies: Vec::new(),
            },
            kafka: Kafka::default(),
            snapshot: Snapshot::default(),
            auth: Auth::default(),
            limits: Limits::default(),
            dead_letter: DeadLetter::default(),
            webhook: Webhook::default(),
            log: Log::default(),
        }
    }
}
