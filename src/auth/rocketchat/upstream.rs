//! What a Rocket.Chat server is asked.
//!
//! Owns the two requests and how their answers are read. They are those of Rocket.Chat's
//! public API: `GET /api/v1/me` tells whose credentials they are, and
//! `GET /api/v1/permissions.listAll` which roles hold a permission. Invariants: an answer
//! that is not understood decides nothing; no more of it is read than [`BODY_BYTES_MAX`];
//! a redirect is not followed, since the credentials would go with it; and no error has a
//! token in it.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::auth::{Credentials, PERMISSION};
use crate::http_client;

/// The list of permissions has some 50 KB.
const BODY_BYTES_MAX: usize = 4 << 20;

/// After 429 without a time to wait: Rocket.Chat counts calls by the minute.
const RATE_LIMITED_FOR: Duration = Duration::from_mins(1);
/// However long the server says: it may have changed its mind by then.
const RATE_LIMITED_FOR_MAX: Duration = Duration::from_mins(5);

/// A Rocket.Chat server.
#[derive(Debug)]
pub struct Upstream {
    client: Result<Client, NoAnswer>,
    url: Url,
}

/// Whose credentials they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Me {
    /// A user with these roles.
    User {
        /// Their ids, such as `livechat-manager`.
        roles: Vec<String>,
    },
    /// Nobody's.
    Nobody,
}

/// Why the server decided nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// What was seen, and what to do where that can be told.
    pub why: String,
    /// The server asks to be left alone for so long.
    pub wait: Option<Duration>,
    /// Whether it may be these credentials alone that get no answer of use, as where
    /// something in front of the server dislikes them.
    pub is_of_one: bool,
}

/// A user's credentials as the headers that the server wants.
#[derive(Debug, Clone)]
pub(super) struct Headers(HeaderMap);

#[derive(Deserialize)]
struct MeBody {
    #[serde(rename = "_id")]
    id: String,
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct PermissionsBody {
    update: Vec<PermissionBody>,
}

#[derive(Deserialize)]
struct PermissionBody {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    roles: Vec<String>,
}

impl Headers {
    /// None if they cannot be sent.
    pub(super) fn of(credentials: Credentials<'_>) -> Option<Self> {
        let mut headers = HeaderMap::with_capacity(2);
        for (name, value) in [("x-user-id", credentials.user_id), ("x-auth-token", credentials.token)] {
            let mut value = HeaderValue::from_bytes(value).ok()?;
            // It is shown by no Debug text.
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Some(Self(headers))
    }
}

impl Upstream {
    /// The server at this address, which ends with a slash.
    pub fn new(url: &Url, timeout: Duration) -> Self {
        let client =
            http_client::client(timeout).map_err(|why| NoAnswer::of_all(format!("cannot be asked: {why}")));
        Self { client, url: url.clone() }
    }

    /// Its address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whose these credentials are.
    pub(super) async fn me(&self, credentials: &Headers) -> Result<Me, NoAnswer> {
        let sent = credentials.0.get("x-user-id").map_or(&b""[..], HeaderValue::as_bytes);
        match self.get("api/v1/me", credentials.0.clone()).await? {
            (StatusCode::UNAUTHORIZED, _) => Ok(Me::Nobody),
            (StatusCode::OK, body) => match serde_json::from_slice::<MeBody>(&body) {
                Ok(MeBody { id, roles }) if id.as_bytes() == sent => Ok(Me::User { roles }),
                Ok(_) => {
                    let why = "it names another user than the one asked about";
                    Err(NoAnswer { is_of_one: true, ..rubbish("api/v1/me", why) })
                }
                Err(_) => Err(rubbish("api/v1/me", "it names no user with roles")),
            },
            (status, _) => {
                // What a firewall says to a header that it does not like.
                let is_of_one = matches!(status.as_u16(), 400 | 403 | 413 | 431);
                Err(NoAnswer { is_of_one, ..unexpected("api/v1/me", status) })
            }
        }
    }

    /// The roles that hold the permission; any user may ask.
    pub(super) async fn allowed_roles(&self, credentials: &Headers) -> Result<Vec<String>, NoAnswer> {
        const PATH: &str = "api/v1/permissions.listAll";
        let (status, body) = self.get(PATH, credentials.0.clone()).await?;
        if status != StatusCode::OK {
            return Err(unexpected(PATH, status));
        }
        let body: PermissionsBody =
            serde_json::from_slice(&body).map_err(|_| rubbish(PATH, "it lists no permissions"))?;
        let held = body.update.into_iter().find(|permission| permission.id == PERMISSION);
        let held = held.ok_or_else(|| rubbish(PATH, "the permission view-livechat-manager is not in it"))?;
        Ok(held.roles)
    }

    /// Asks who one is without saying so, which a Rocket.Chat server answers with 401:
    /// whether it is one, and can be reached.
    ///
    /// # Errors
    /// What is in the way.
    pub async fn greet(&self) -> Result<(), NoAnswer> {
        match self.get("api/v1/me", HeaderMap::new()).await? {
            (StatusCode::UNAUTHORIZED, _) => Ok(()),
            (status, _) => Err(unexpected("api/v1/me", status)),
        }
    }

    async fn get(&self, path: &str, headers: HeaderMap) -> Result<(StatusCode, Vec<u8>), NoAnswer> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        // A path of ours always joins an address that the configuration let through.
        let url =
            self.url.join(path).map_err(|error| NoAnswer::of_all(format!("cannot be asked: {error}")))?;
        let mut answer = client.get(url).headers(headers).send().await.map_err(|error| failed(&error))?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(rate_limited(path, answer.headers()));
        }
        if status.is_redirection() {
            return Err(redirected(path, status, answer.headers()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + part.len() > BODY_BYTES_MAX {
                return Err(rubbish(path, "it has more than 4 MiB"));
            }
            body.extend_from_slice(&part);
        }
        Ok((status, body))
    }
}

impl NoAnswer {
    /// Nobody gets an answer.
    pub(super) fn of_all(why: String) -> Self {
        Self { why, wait: None, is_of_one: false }
    }
}

fn unexpected(path: &str, status: StatusCode) -> NoAnswer {
    NoAnswer::of_all(format!(
        "answers {path} with {status}; is auth.url the address of a Rocket.Chat server?"
    ))
}

fn rubbish(path: &str, why: &str) -> NoAnswer {
    NoAnswer::of_all(format!(
        "gives an answer to {path} that is not understood: {why}; is auth.url the address of a Rocket.Chat server?"
    ))
}

fn redirected(path: &str, status: StatusCode, headers: &HeaderMap) -> NoAnswer {
    let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
    // No more of it than an address has, and nothing that a terminal would take for orders.
    let to: String = to.chars().filter(|c| !c.is_control()).take(200).collect();
    NoAnswer::of_all(format!(
        "redirects {path} to {to:?} ({status}), where credentials are not taken; write the address behind it as auth.url"
    ))
}

fn rate_limited(path: &str, headers: &HeaderMap) -> NoAnswer {
    let told = headers.get(RETRY_AFTER).and_then(|told| told.to_str().ok()?.parse().ok());
    let wait = told.map_or(RATE_LIMITED_FOR, Duration::from_secs).min(RATE_LIMITED_FOR_MAX);
    let why = format!(
        "is asked too often ({path}: 429); raise its rate limit for this service's address, or lower auth.calls_per_minute"
    );
    NoAnswer { wait: Some(wait), ..NoAnswer::of_all(why) }
}

fn failed(error: &reqwest::Error) -> NoAnswer {
    if error.is_timeout() {
        return NoAnswer::of_all("does not answer within auth.timeout".to_owned());
    }
    NoAnswer::of_all(format!("cannot be asked: {}", http_client::cause(error)))
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
