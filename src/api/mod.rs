//! The HTTP side: which paths there are and how each request goes its way.
//!
//! Owns the routes, and the order in which a request is looked at: path, method,
//! cross-origin rule, then the endpoint's own checks. Invariant: nothing here
//! writes to what is counted (the webhook writes to the topic), every request is measured exactly once, and an
//! unknown path or method is refused before anything else of a request is read.

mod amount_of_chats;
mod body;
mod cors;
mod credentials;
mod health;
mod metrics;
mod page;
mod peer;
mod query;
mod refusal;
mod server;
mod webhook;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use ipnet::IpNet;
use serde::Serialize;

use crate::auth::Authenticator;
use crate::config::{Auth, Http, TokenHash, UnauthorizedBody};
use crate::room::Timestamp;
use crate::status::Status;
use crate::tally::TallyReader;
use crate::telemetry::metrics::Metrics;
use crate::webhook::Webhook;

use cors::Cors;
use page::Limits;
use refusal::Refusal;

pub use server::serve;
pub use webhook::PATH as WEBHOOK_PATH;

/// Everything that the endpoints answer from; clones share it.
#[derive(Debug, Clone)]
pub struct Api(Arc<Shared>, Option<Arc<webhook::Endpoint>>);

#[derive(Debug)]
struct Shared {
    tally: TallyReader,
    status: Status,
    metrics: Metrics,
    now: fn() -> Timestamp,
    authenticator: Authenticator,
    trusted_proxies: Vec<IpNet>,
    cors: Cors,
    limits: Limits,
    unauthorized_body: UnauthorizedBody,
    connections_max: usize,
}

impl Api {
    /// Answers from `tally` as long as `status` allows it, to the users of
    /// `auth`, and measures each request in `metrics`;
    /// `now` is the wall clock, which lag is measured by.
    pub fn new(
        tally: TallyReader,
        status: Status,
        metrics: Metrics,
        now: fn() -> Timestamp,
        http: &Http,
        auth: &Auth,
    ) -> Self {
        // A first scrape shows the series that rates will be asked of.
        metrics.announce("GET", amount_of_chats::PATH, 200);
        let shared = Shared {
            tally,
            status,
            authenticator: Authenticator::new(auth, &metrics),
            metrics,
            now,
            trusted_proxies: http.trusted_proxies.clone(),
            cors: Cors::new(&http.cors_origins),
            limits: Limits::new(http),
            unauthorized_body: http.unauthorized_body,
            connections_max: usize::try_from(http.max_connections).unwrap_or(usize::MAX),
        };
        Self(Arc::new(shared), None)
    }

    /// Takes Rocket.Chat's webhook too, from who has the secret with this hash.
    #[must_use]
    pub fn with_webhook(mut self, secret: TokenHash, webhook: Webhook) -> Self {
        self.0.metrics.announce("POST", webhook::PATH, 200);
        self.1 = Some(Arc::new(webhook::Endpoint::new(secret, webhook, self.0.now)));
        self
    }

    /// The routes, ready to be served.
    fn router(&self) -> Router {
        let measured = from_fn_with_state(self.clone(), measure);
        let mut counts = get(amount_of_chats::answer).fallback(method_not_allowed);
        if self.0.cors.is_wanted() {
            counts = counts.layer(from_fn_with_state(self.clone(), cors::guard));
        }
        let mut router = Router::new();
        if let Some(endpoint) = &self.1 {
            let taken = post(webhook::receive).fallback(webhook::method_not_allowed);
            router = router.route(webhook::PATH, taken.with_state(Arc::clone(endpoint)));
        }
        router
            .route(amount_of_chats::PATH, counts)
            .route(health::LIVE, get(health::live).fallback(method_not_allowed))
            .route(health::READY, get(health::ready).fallback(method_not_allowed))
            .route(metrics::PATH, get(metrics::scrape).fallback(method_not_allowed))
            .fallback(not_found)
            .layer(measured)
            .with_state(self.clone())
    }
}

async fn not_found() -> Refusal {
    Refusal::NotFound
}

async fn method_not_allowed() -> Refusal {
    Refusal::MethodNotAllowed
}

/// Times the request, whatever becomes of it.
async fn measure(State(api): State<Api>, request: Request, next: Next) -> Response {
    let _in_flight = api.0.metrics.request_begins();
    let began = Instant::now();
    let (method, route) = (method_label(request.method()), route_label(request.uri().path()));
    let response = next.run(request).await;
    api.0.metrics.request_answered(method, route, response.status().as_u16(), began.elapsed());
    response
}

/// A method's name for the metrics; anybody can invent one, so only those of
/// RFC 9110 and PATCH have their own.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "OTHER",
    }
}

/// The route of a path for the metrics, `other` for every path that is none.
fn route_label(path: &str) -> &'static str {
    let routes = [amount_of_chats::PATH, health::LIVE, health::READY, metrics::PATH, webhook::PATH];
    routes.into_iter().find(|&route| route == path).unwrap_or("other")
}

type StaticHeader = (HeaderName, &'static str);

/// Exactly this text: clients compare it.
const JSON: StaticHeader = (header::CONTENT_TYPE, "application/json");
const NO_STORE: StaticHeader = (header::CACHE_CONTROL, "no-store");
const NO_CACHE: StaticHeader = (header::PRAGMA, "no-cache");

/// The value as JSON, its keys in the order of its fields.
#[allow(clippy::expect_used, reason = "numbers, texts and lists of them always have a JSON form")]
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value of numbers and texts")
}
