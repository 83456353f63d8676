//! The credentials that come with a request, and what is answered where they are not
//! enough.
//!
//! Owns the two headers and the refusals; whose they are is known elsewhere.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use crate::auth::{Credentials, Denied};

use super::Shared;
use super::peer::Peer;
use super::refusal::{Limited, Refusal};

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Refuses a request without the right credentials, and one of a user who may not ask.
pub(super) async fn check(headers: &HeaderMap, peer: Peer, api: &Shared) -> Result<(), Refusal> {
    let from = peer.client(headers, &api.trusted_proxies);
    let given = only_value(headers, &USER_ID).zip(only_value(headers, &AUTH_TOKEN));
    let given = given.map(|(user_id, token)| Credentials { user_id, token });
    api.authenticator.check(given, from).await.map_err(|denied| match denied {
        Denied::Unauthorized => Refusal::Unauthorized(api.unauthorized_body),
        Denied::Forbidden => Refusal::Forbidden,
        Denied::TooManyFailures { limit, wait } => {
            let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let reset = (api.now)().saturating_add_millis(wait_ms);
            Refusal::TooMany(Limited { limit, wait_seconds: seconds(wait), reset })
        }
        Denied::Undecided { wait } => Refusal::Undecided(seconds(wait)),
    })
}

/// Whole seconds after which the time is over; at least one.
fn seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1)
}

/// The value of a header that is there once and not empty.
pub(super) fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.as_bytes()),
        _ => None,
    }
}
