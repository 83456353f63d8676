//! Rocket.Chat's livechat webhook.
//!
//! Owns the path, who may post there, and the answers, none of which has a body: the
//! sender would keep it with the room. Invariant: 200 is said only when nothing is left
//! to be done, so that whatever else happens comes again; and the secret is compared in
//! constant time and logged nowhere.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Limited};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::config::TokenHash;
use crate::room::Timestamp;
use crate::telemetry::Sampler;
use crate::webhook::{Fault, NotPublished, Said, Webhook};

use super::credentials::only_value;
use super::{NO_CACHE, NO_STORE, StaticHeader};

/// Where Rocket.Chat is told to post.
pub const PATH: &str = "/webhooks/rocketchat";

const SECRET: HeaderName = HeaderName::from_static("x-rocketchat-livechat-token");
const ALLOW_POST: StaticHeader = (header::ALLOW, "POST");

/// From a request's head to its answer: the sender itself waits for five seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// The sender tries again by itself after 20 seconds.
const RETRY_AFTER: StaticHeader = (header::RETRY_AFTER, "20");
/// Largest body. A closed chat comes with all of its messages, some hundred bytes each.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Requests whose bodies are held at one time; with the largest bodies 256 MiB.
const IN_FLIGHT_MAX: usize = 32;

/// What answers there.
pub(super) struct Endpoint {
    secret: TokenHash,
    webhook: Webhook,
    now: fn() -> Timestamp,
    places: Semaphore,
    sampler: Mutex<Sampler>,
}

/// Why a request is not done with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Undone {
    /// No secret, a wrong one, or several.
    Secret,
    /// Too many others are being answered.
    Busy,
    /// The body is too large.
    TooLarge,
    /// The body did not come in time, or its connection broke.
    NoBody,
    /// The body is not what a webhook sends.
    Bad(Fault),
    /// The events are not in the topic, as far as is known.
    NotPublished(String),
}

impl Endpoint {
    pub(super) fn new(secret: TokenHash, webhook: Webhook, now: fn() -> Timestamp) -> Self {
        let (places, sampler) = (Semaphore::new(IN_FLIGHT_MAX), Mutex::default());
        Self { secret, webhook, now, places, sampler }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let secret = only_value(headers, &SECRET).map(TokenHash::of);
        secret.is_some_and(|secret| secret.as_bytes().ct_eq(self.secret.as_bytes()).into())
    }

    async fn take(&self, request: Request) -> Result<(), Undone> {
        let by = Instant::now() + ANSWER_WITHIN;
        let (head, body) = request.into_parts();
        if !self.knows(&head.headers) {
            return Err(Undone::Secret);
        }
        let _place = self.places.try_acquire().map_err(|_| Undone::Busy)?;
        let body = timeout_at(by, whole(body)).await.unwrap_or(Err(Undone::NoBody))?;
        match self.webhook.read(&body, (self.now)()).map_err(Undone::Bad)? {
            Said::Room(events) => match timeout_at(by, self.webhook.publish(events)).await {
                Ok(published) => published.map_err(|NotPublished(why)| Undone::NotPublished(why)),
                Err(_) => {
                    Err(Undone::NotPublished(format!("no answer within {} s", ANSWER_WITHIN.as_secs())))
                }
            },
            Said::Test => {
                tracing::info!(
                    "Rocket.Chat's test of the webhook has arrived: it works; nothing is counted of it"
                );
                Ok(())
            }
            Said::Nothing(kind) => {
                tracing::debug!(kind, "a webhook request that says nothing of a room");
                Ok(())
            }
        }
    }

    /// Says what is wrong, unless it was said a moment ago.
    fn tell(&self, undone: &Undone) {
        let kind = undone.kind();
        let unsaid = self.sampler.lock().unwrap_or_else(PoisonError::into_inner).sample(kind);
        if let Some(unsaid) = unsaid {
            tracing::warn!(unsaid, "a webhook request was refused: {undone}");
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("webhook", &self.webhook).finish_non_exhaustive()
    }
}

/// The body, up to the largest one.
async fn whole(body: Body) -> Result<Vec<u8>, Undone> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(Undone::TooLarge);
    }
    match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes().into()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Undone::TooLarge),
        Err(_) => Err(Undone::NoBody),
    }
}

impl Undone {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Secret => StatusCode::UNAUTHORIZED,
            Self::Busy | Self::NotPublished(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoBody => StatusCode::REQUEST_TIMEOUT,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What its log lines are sampled by.
    fn kind(&self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::NoBody => "no_body",
            Self::Bad(fault) => fault.name(),
            Self::NotPublished(_) => "not_published",
        }
    }
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => f.write_str(
                "its header X-RocketChat-Livechat-Token is not webhook.secret, or is missing; give Rocket.Chat the \
                 same secret (Omnichannel, Webhooks, Secret Token)",
            ),
            Self::Busy => f.write_str("too many at a time; Rocket.Chat sends it again"),
            Self::TooLarge => write!(f, "its body is larger than {} MiB", BODY_BYTES_MAX >> 20),
            Self::NoBody => f.write_str("its body did not arrive; Rocket.Chat may send it again"),
            Self::Bad(fault) => write!(f, "{fault}"),
            Self::NotPublished(why) => {
                write!(f, "Kafka has not acknowledged it ({why}); Rocket.Chat sends it again")
            }
        }
    }
}

/// Answers a request.
pub(super) async fn receive(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let Err(undone) = endpoint.take(request).await else {
        return (StatusCode::OK, [NO_STORE, NO_CACHE]).into_response();
    };
    endpoint.tell(&undone);
    let status = undone.status();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return (status, [NO_STORE, NO_CACHE, RETRY_AFTER]).into_response();
    }
    (status, [NO_STORE, NO_CACHE]).into_response()
}

/// Nothing but POST is answered here.
pub(super) async fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [ALLOW_POST, NO_STORE, NO_CACHE]).into_response()
}
