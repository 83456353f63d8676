//! Whether a page of another origin may read the answers.
//!
//! Owns the cross-origin headers of the counts' endpoint. Invariant: an origin
//! that is not configured is treated as if it had not been named: its preflight
//! is a method that is not allowed, its answers carry no such header.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::refusal::ALLOW;

/// What a page may read of an answer's headers, beside those that every page may.
const READABLE: &str =
    "x-roomtally-as-of, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";

/// The configured origins.
#[derive(Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
}

impl Cors {
    pub(super) fn new(origins: &[String]) -> Self {
        Self { origins: origins.to_vec() }
    }

    /// Whether any other origin may read answers.
    pub(super) fn is_wanted(&self) -> bool {
        !self.origins.is_empty()
    }

    /// What an allowed request is told of who may read its answer.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let (Some(origin), None) = (named.next(), named.next()) else { return None };
        if self.origins.iter().any(|known| known == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// Answers preflights of allowed origins, and names the origin in every other
/// answer to one.
pub(super) async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Some(origin) = api.0.cors.allowed(request.headers()) else { return next.run(request).await };
    let asks_before = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && asks_before {
        preflight()
    } else {
        let mut response = next.run(request).await;
        let readable = HeaderValue::from_static(READABLE);
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// The methods and headers that the endpoint reads, good for ten minutes.
fn preflight() -> Response {
    let headers = [
        ALLOW,
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "x-user-id, x-auth-token, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
