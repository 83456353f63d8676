//! What the server said of credentials, for as long as it holds.
//!
//! Owns the verdicts, by user id and the token's hash, never by the token. Invariants:
//! the tables are bounded, and wrong credentials, of which anybody can send many, take no
//! place from those of users.

use std::time::{Duration, Instant};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;

use crate::auth::{Credentials, Verdict};
use crate::config::TokenHash;

/// Users and wrong credentials that are remembered, each; one takes about 200 bytes.
const REMEMBERED_MAX: usize = 10_000;
/// The longest that a refusal holds: a permission may just have been given.
const REFUSAL_HOLDS_MAX: Duration = Duration::from_mins(1);

/// Credentials as they are remembered.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    user_id: Box<[u8]>,
    token_hash: [u8; 32],
}

/// What is remembered of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remembered {
    /// A verdict that holds.
    Holds(Verdict),
    /// One that holds, and more than half of its time is over.
    Aging(Verdict),
    /// The user was known, but the verdict holds no more.
    Over,
    /// Nothing.
    Nothing,
}

/// The verdicts.
#[derive(Debug)]
pub(super) struct Verdicts {
    users: DashMap<Key, Given>,
    wrong: DashMap<Key, Given>,
    holds: Duration,
    remembered_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Given {
    verdict: Verdict,
    at: Instant,
}

impl Key {
    pub(super) fn of(credentials: Credentials<'_>) -> Self {
        let token_hash = *TokenHash::of(credentials.token).as_bytes();
        Self { user_id: credentials.user_id.into(), token_hash }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl Verdicts {
    /// Verdicts that hold for so long.
    pub(super) fn new(holds: Duration) -> Self {
        Self { users: DashMap::new(), wrong: DashMap::new(), holds, remembered_max: REMEMBERED_MAX }
    }

    /// How many users are known.
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    /// What is remembered of these credentials.
    pub(super) fn find(&self, key: &Key, now: Instant) -> Remembered {
        let (given, is_user) = match self.users.get(key) {
            Some(given) => (*given, true),
            None => match self.wrong.get(key) {
                Some(given) => (*given, false),
                None => return Remembered::Nothing,
            },
        };
        let age = now.saturating_duration_since(given.at);
        let holds = match given.verdict {
            Verdict::Allowed => self.holds,
            Verdict::Forbidden | Verdict::Unknown => self.holds.min(REFUSAL_HOLDS_MAX),
        };
        match given.verdict {
            _ if age >= holds && is_user => Remembered::Over,
            _ if age >= holds => Remembered::Nothing,
            Verdict::Allowed if age >= holds / 2 => Remembered::Aging(given.verdict),
            verdict => Remembered::Holds(verdict),
        }
    }

    /// Remembers a verdict instead of the one before.
    pub(super) fn keep(&self, key: Key, verdict: Verdict, now: Instant) {
        let (table, other) = match verdict {
            Verdict::Allowed | Verdict::Forbidden => (&self.users, &self.wrong),
            Verdict::Unknown => (&self.wrong, &self.users),
        };
        other.remove(&key);
        if table.len() >= self.remembered_max && !table.contains_key(&key) {
            forget_oldest(table);
        }
        match table.entry(key) {
            // Two answers may come in either order.
            Entry::Occupied(entry) if entry.get().at > now => {}
            Entry::Occupied(mut entry) => *entry.get_mut() = Given { verdict, at: now },
            Entry::Vacant(entry) => {
                entry.insert(Given { verdict, at: now });
            }
        }
    }
}

/// Makes a place. A look at all of them is no more often than the server is asked.
fn forget_oldest(table: &DashMap<Key, Given>) {
    let oldest = table.iter().min_by_key(|given| given.at).map(|given| given.key().clone());
    if let Some(oldest) = oldest {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user_id: &str) -> Key {
        Key::of(Credentials { user_id: user_id.as_bytes(), token: b"token" })
    }

    #[test]
    fn a_verdict_holds_for_its_time_and_a_refusal_for_a_minute_at_most() {
        use Remembered::{Aging, Holds, Nothing, Over};
        use Verdict::{Allowed, Forbidden, Unknown};
        for (verdict, holds, at, expected) in [
            (Allowed, 300, 0, Holds(Allowed)),
            (Allowed, 300, 149, Holds(Allowed)),
            (Allowed, 300, 150, Aging(Allowed)),
            (Allowed, 300, 299, Aging(Allowed)),
            (Allowed, 300, 300, Over),
            (Forbidden, 300, 59, Holds(Forbidden)),
            (Forbidden, 300, 60, Over),
            (Unknown, 300, 59, Holds(Unknown)),
            (Unknown, 300, 60, Nothing),
            (Unknown, 30, 30, Nothing),
        ] {
            let (verdicts, began) = (Verdicts::new(Duration::from_secs(holds)), Instant::now());
            verdicts.keep(key("a"), verdict, began);
            let found = verdicts.find(&key("a"), began + Duration::from_secs(at));
            assert_eq!(found, expected, "{verdict:?} of {holds} s after {at} s");
            assert_eq!(verdicts.find(&key("b"), began), Nothing);
        }
    }

    #[test]
    fn a_later_verdict_takes_the_place_of_an_earlier_one() {
        let (verdicts, now) = (Verdicts::new(Duration::from_mins(1)), Instant::now());
        for verdict in [Verdict::Unknown, Verdict::Allowed, Verdict::Forbidden, Verdict::Unknown] {
            verdicts.keep(key("a"), verdict, now);
            assert_eq!(verdicts.find(&key("a"), now), Remembered::Holds(verdict));
        }
        assert_eq!(verdicts.users(), 0);
    }

    #[test]
    fn however_many_are_wrong_users_keep_their_places() {
        let verdicts = Verdicts { remembered_max: 2, ..Verdicts::new(Duration::from_mins(1)) };
        let began = Instant::now();
        let second = |second| began + Duration::from_secs(second);
        verdicts.keep(key("user"), Verdict::Allowed, began);
        for (at, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            verdicts.keep(key(id), Verdict::Unknown, second(at as u64));
        }
        assert_eq!(verdicts.find(&key("user"), began), Remembered::Holds(Verdict::Allowed));
        assert_eq!(verdicts.find(&key("b"), second(4)), Remembered::Nothing, "the oldest are forgotten");
        assert_eq!(verdicts.find(&key("c"), second(4)), Remembered::Holds(Verdict::Unknown));
    }
}
