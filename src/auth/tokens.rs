//! The users that the configuration lists.
//!
//! Owns the comparison with them. Invariant: how long it takes tells nothing of any user
//! or hash, because every entry is looked at, each in constant time.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};

use crate::config::{TokenHash, User};

use super::{Credentials, PERMISSION, Verdict};

/// Everybody who is known; one entry per token, so a user may have several.
pub(super) struct Tokens(Vec<Entry>);

struct Entry {
    user_id: Box<[u8]>,
    token_hash: [u64; 4],
    may_ask: Choice,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({} entries)", self.0.len())
    }
}

/// Compared eight bytes at a time, in constant time as well.
fn words(hash: &TokenHash) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.as_bytes().as_chunks().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    words
}

impl Tokens {
    pub(super) fn new(users: &[User]) -> Self {
        let entry = |user: &User| Entry {
            user_id: user.id.as_bytes().into(),
            token_hash: words(&user.token_hash),
            may_ask: Choice::from(u8::from(user.permissions.iter().any(|held| held == PERMISSION))),
        };
        Self(users.iter().map(entry).collect())
    }

    /// What the list says of them.
    pub(super) fn verdict(&self, given: Credentials<'_>) -> Verdict {
        let token_hash = words(&TokenHash::of(given.token));
        let (mut known, mut may_ask) = (Choice::from(0), Choice::from(0));
        for entry in &self.0 {
            let matches =
                entry.user_id.as_ref().ct_eq(given.user_id) & entry.token_hash.as_slice().ct_eq(&token_hash);
            known |= matches;
            may_ask |= matches & entry.may_ask;
        }
        match (known.into(), may_ask.into()) {
            (false, _) => Verdict::Unknown,
            (true, false) => Verdict::Forbidden,
            (true, true) => Verdict::Allowed,
        }
    }
}
