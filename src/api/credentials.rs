//! Who asks, and whether that user may.
//!
//! Owns the comparison of credentials. Invariant: a clear token lives no longer
//! than its request and is kept, shown or logged nowhere; and how long a
//! comparison takes tells nothing of any user or hash, because every entry is
//! looked at, each in constant time.

use std::fmt;

use axum::http::{HeaderMap, HeaderName};
use subtle::{Choice, ConstantTimeEq};

use crate::config::{Auth, TokenHash, UnauthorizedBody};

use super::refusal::Refusal;

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// What a user needs to ask for counts.
const PERMISSION: &str = "view-livechat-manager";

/// Everybody who is known; one entry per token, so a user may have several.
pub(super) struct Credentials(Vec<Entry>);

struct Entry {
    user_id: Box<[u8]>,
    token_hash: TokenHash,
    may_ask: Choice,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} entries)", self.0.len())
    }
}

impl Credentials {
    pub(super) fn new(auth: &Auth) -> Self {
        let entry = |user: &crate::config::User| Entry {
            user_id: user.id.as_bytes().into(),
            token_hash: user.token_hash.clone(),
            may_ask: Choice::from(u8::from(user.permissions.iter().any(|held| held == PERMISSION))),
        };
        Self(auth.users.iter().map(entry).collect())
    }

    /// Refuses a request without the right credentials, and one of a user who
    /// may not ask.
    pub(super) fn check(&self, headers: &HeaderMap, body: UnauthorizedBody) -> Result<(), Refusal> {
        let unauthorized = Refusal::Unauthorized(body);
        let user_id = only_value(headers, &USER_ID).ok_or(unauthorized)?;
        let token = only_value(headers, &AUTH_TOKEN).ok_or(unauthorized)?;
        let token_hash = TokenHash::of(token);
        let (mut known, mut may_ask) = (Choice::from(0), Choice::from(0));
        for entry in &self.0 {
            let matches = entry.user_id.as_ref().ct_eq(user_id)
                & entry.token_hash.as_bytes().ct_eq(token_hash.as_bytes());
            known |= matches;
            may_ask |= matches & entry.may_ask;
        }
        match (known.into(), may_ask.into()) {
            (false, _) => Err(unauthorized),
            (true, false) => Err(Refusal::Forbidden),
            (true, true) => Ok(()),
        }
    }
}

/// The value of a header that is there once and not empty.
pub(super) fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.as_bytes()),
        _ => None,
    }
}
