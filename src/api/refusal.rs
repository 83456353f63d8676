//! Every answer that is no result, to the byte.
//!
//! Owns status, headers and body of each refusal. Invariant: a body is made of constants
//! and numbers of ours, so nothing that came with a request is ever sent back, and nothing
//! of a refusal may be kept by a cache.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::config::UnauthorizedBody;
use crate::room::Timestamp;

use super::query::Edge;
use super::{JSON, NO_CACHE, NO_STORE, StaticHeader};

/// The methods that every path has.
pub(super) const ALLOW: StaticHeader = (header::ALLOW, "GET, HEAD");
/// When to ask again for an answer that cannot be given yet, in seconds.
const RETRY_AFTER: StaticHeader = (header::RETRY_AFTER, "1");

/// Why a request gets no result; in the order in which the faults are sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such path.
    NotFound,
    /// Neither GET nor HEAD.
    MethodNotAllowed,
    /// No credentials, or wrong ones.
    Unauthorized(UnauthorizedBody),
    /// Too many requests of a kind from one address.
    TooMany(Limited),
    /// A known user without the permission.
    Forbidden,
    /// A required date is not there.
    Missing(Edge),
    /// A text that is repeated or nested.
    NotAString,
    /// A number that is none, too large, repeated or nested.
    NotANumber,
    /// A number below 0.
    Negative,
    /// A date that is none.
    NotADate(Edge),
    /// The counts are not complete.
    Unavailable,
    /// Nobody can say whose the credentials are; it may be worth asking again after so
    /// many seconds.
    Undecided(u64),
}

/// How an address is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limited {
    /// How many are let through in a minute.
    pub(super) limit: u64,
    /// How long until the next one is, in seconds.
    pub(super) wait_seconds: u64,
    /// When that will be.
    pub(super) reset: Timestamp,
}

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Missing(_) | Self::NotAString | Self::NotANumber | Self::Negative | Self::NotADate(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Unavailable | Self::Undecided(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    #[rustfmt::skip]
    fn body(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotFound => r#"{"success":false,"error":"Resource not found"}"#,
            Self::MethodNotAllowed => r#"{"success":false,"error":"Method Not Allowed"}"#,
            Self::Unauthorized(UnauthorizedBody::Empty) => "",
            Self::Unauthorized(UnauthorizedBody::Json) => r#"{"status":"error","message":"You must be logged in to do this."}"#,
            Self::TooMany(limited) => return Cow::Owned(limited.body()),
            Self::Forbidden => r#"{"success":false,"error":"User does not have the permissions required for this action [error-unauthorized]"}"#,
            Self::Missing(Edge::Start) => r#"{"success":false,"error":"must have required property 'start' [invalid-params]","errorType":"invalid-params"}"#,
            Self::Missing(Edge::End) => r#"{"success":false,"error":"must have required property 'end' [invalid-params]","errorType":"invalid-params"}"#,
            Self::NotAString => r#"{"success":false,"error":"must be string [invalid-params]","errorType":"invalid-params"}"#,
            Self::NotANumber => r#"{"success":false,"error":"must be number [invalid-params]","errorType":"invalid-params"}"#,
            Self::Negative => r#"{"success":false,"error":"must be >= 0 [invalid-params]","errorType":"invalid-params"}"#,
            Self::NotADate(Edge::Start) => r#"{"success":false,"error":"The \"start\" query parameter must be a valid date."}"#,
            Self::NotADate(Edge::End) => r#"{"success":false,"error":"The \"end\" query parameter must be a valid date."}"#,
            Self::Unavailable | Self::Undecided(_) => r#"{"success":false,"error":"Service Unavailable"}"#,
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = (self.status(), self.body());
        match self {
            _ if body.is_empty() => (status, [NO_STORE, NO_CACHE]).into_response(),
            Self::MethodNotAllowed => (status, [JSON, NO_STORE, NO_CACHE, ALLOW], body).into_response(),
            Self::Unavailable => (status, [JSON, NO_STORE, NO_CACHE, RETRY_AFTER], body).into_response(),
            Self::Undecided(seconds) => {
                (status, [JSON, NO_STORE, NO_CACHE], [(header::RETRY_AFTER, seconds)], body).into_response()
            }
            Self::TooMany(limited) => {
                (status, [JSON, NO_STORE, NO_CACHE], limited.headers(), body).into_response()
            }
            _ => (status, [JSON, NO_STORE, NO_CACHE], body).into_response(),
        }
    }
}

impl Limited {
    fn body(self) -> String {
        let seconds = self.wait_seconds;
        format!(
            r#"{{"success":false,"error":"Error, too many requests. Please slow down. You must wait {seconds} seconds before trying this endpoint again. [error-too-many-requests]"}}"#
        )
    }

    fn headers(self) -> HeaderMap {
        let Self { limit, wait_seconds, reset } = self;
        let headers = [
            (header::RETRY_AFTER, wait_seconds.into()),
            (HeaderName::from_static("x-ratelimit-limit"), limit.into()),
            (HeaderName::from_static("x-ratelimit-remaining"), 0_u64.into()),
            (HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(reset.as_millis())),
        ];
        headers.into_iter().collect()
    }
}
