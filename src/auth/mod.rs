//! Who asks, and whether that user may.
//!
//! Owns the two ways in which users are known: a list of ours, and a Rocket.Chat server
//! that is asked. Invariants: a clear token lives no longer than its request and is kept,
//! shown or logged nowhere; and right credentials are let in however many wrong ones
//! came from the same address.

mod failures;
mod rocketchat;
mod tokens;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::config::{Auth, AuthMode};
use crate::telemetry::metrics::Metrics;

use failures::Failures;
use rocketchat::RocketChat;
use tokens::Tokens;

pub use rocketchat::{NoAnswer, Upstream};

/// What a user needs to ask for counts.
const PERMISSION: &str = "view-livechat-manager";

/// What came with a request: a user's id and a token, neither of them empty.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// `X-User-Id`.
    pub user_id: &'a [u8],
    /// `X-Auth-Token`, in clear.
    pub token: &'a [u8],
}

/// What is known of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A user who may ask.
    Allowed,
    /// A user who may not.
    Forbidden,
    /// Nobody's.
    Unknown,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Credentials are missing or wrong.
    Unauthorized,
    /// A known user without the permission.
    Forbidden,
    /// Too many wrong ones came from the address.
    TooManyFailures {
        /// How many are let through in a minute.
        limit: u64,
        /// Until the next one is.
        wait: Duration,
    },
    /// Nobody can say now; it may be worth asking again after so long.
    Undecided {
        /// How long.
        wait: Duration,
    },
}

/// Tells who may ask.
#[derive(Debug)]
pub struct Authenticator {
    users: Users,
    failures: Failures,
}

#[derive(Debug)]
enum Users {
    Listed(Tokens),
    OfServer(RocketChat),
}

impl Authenticator {
    /// As configured; counts in `metrics` what a server was asked.
    pub fn new(auth: &Auth, metrics: &Metrics) -> Self {
        let users = match (auth.mode, &auth.url) {
            (AuthMode::RocketChat, Some(url)) => {
                let upstream = Upstream::new(url, auth.timeout);
                Users::OfServer(RocketChat::new(upstream, auth, metrics.sign_in_calls()))
            }
            // The configuration lets no mode "rocketchat" through without its server; if it
            // did, nobody would be known.
            (AuthMode::RocketChat, None) => Users::Listed(Tokens::new(&[])),
            (AuthMode::Tokens, _) => Users::Listed(Tokens::new(&auth.users)),
        };
        Self { users, failures: Failures::new(auth.failures_per_minute) }
    }

    /// Lets a request from this address in, or says why not.
    pub async fn check(&self, given: Option<Credentials<'_>>, from: IpAddr) -> Result<(), Denied> {
        let now = Instant::now();
        let Some(given) = given else {
            // Nothing was tried, so nothing failed.
            return Err(self
                .failures
                .wait(from, now)
                .map_or(Denied::Unauthorized, |wait| self.too_many(wait)));
        };
        let verdict = match &self.users {
            Users::Listed(tokens) => tokens.verdict(given),
            Users::OfServer(server) => {
                let wait = self.failures.wait(from, now);
                match server.verdict(given, from, wait.is_none(), now).await {
                    Ok(verdict) => verdict,
                    Err(rocketchat::Undecided { wait: Some(wait) }) => {
                        return Err(Denied::Undecided { wait });
                    }
                    Err(rocketchat::Undecided { wait: None }) => {
                        return Err(self.too_many(wait.unwrap_or_default()));
                    }
                }
            }
        };
        match verdict {
            Verdict::Allowed => Ok(()),
            Verdict::Forbidden => Err(Denied::Forbidden),
            Verdict::Unknown => match self.failures.add(from, now) {
                None => Err(Denied::Unauthorized),
                Some(wait) => Err(self.too_many(wait)),
            },
        }
    }

    fn too_many(&self, wait: Duration) -> Denied {
        Denied::TooManyFailures { limit: self.failures.limit(), wait }
    }
}
