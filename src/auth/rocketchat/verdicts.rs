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
pub(super) const REFUSAL_HOLDS_MAX: Duration = Duration::from_mins(1);
/// How long a user is known whose verdict is over.
const KNOWN_FOR: Duration = Duration::from_hours(24);

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
    /// The user was let in, but the verdict holds no more.
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

    /// How many users are let in, or were not long ago, and so may want to be again.
    pub(super) fn in_use(&self, now: Instant) -> usize {
        let is_lately = |given: &Given| now.saturating_duration_since(given.at) < self.holds * 2;
        self.users.iter().filter(|given| given.verdict == Verdict::Allowed && is_lately(given)).count()
    }

    /// What is remembered of these credentials.
    pub(super) fn find(&self, key: &Key, now: Instant) -> Remembered {
        let given = self.users.get(key).or_else(|| self.wrong.get(key));
        let Some(given) = given.map(|given| *given) else { return Remembered::Nothing };
        let age = now.saturating_duration_since(given.at);
        match given.verdict {
            Verdict::Allowed if age < self.holds / 2 => Remembered::Holds(given.verdict),
            Verdict::Allowed if age < self.holds => Remembered::Aging(given.verdict),
            Verdict::Allowed if age < self.holds + KNOWN_FOR => Remembered::Over,
            verdict if age < self.holds.min(REFUSAL_HOLDS_MAX) => Remembered::Holds(verdict),
            _ => Remembered::Nothing,
        }
    }

    /// Remembers a verdict, which is as old as the oldest of what it was made of, instead of
    /// the one before.
    pub(super) fn keep(&self, key: Key, verdict: Verdict, at: Instant) {
        let (table, other) = match verdict {
            Verdict::Allowed | Verdict::Forbidden => (&self.users, &self.wrong),
            Verdict::Unknown => (&self.wrong, &self.users),
        };
        other.remove(&key);
        if table.len() >= self.remembered_max && !table.contains_key(&key) {
            forget_oldest(table);
        }
        match table.entry(key) {
            Entry::Occupied(mut entry) => *entry.get_mut() = Given { verdict, at },
            Entry::Vacant(entry) => {
                entry.insert(Given { verdict, at });
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
            (Allowed, 300, 300 + 86_399, Over),
            (Allowed, 300, 300 + 86_400, Nothing),
            (Forbidden, 300, 59, Holds(Forbidden)),
            (Forbidden, 300, 60, Nothing),
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
        assert_eq!(verdicts.in_use(now), 0);
    }

    #[test]
    fn who_was_let_in_lately_is_in_use() {
        let (verdicts, began) = (Verdicts::new(Duration::from_mins(1)), Instant::now());
        verdicts.keep(key("a"), Verdict::Allowed, began);
        verdicts.keep(key("b"), Verdict::Allowed, began + Duration::from_mins(1));
        verdicts.keep(key("c"), Verdict::Forbidden, began + Duration::from_mins(1));
        for (minutes, in_use) in [(1, 2), (2, 1), (3, 0)] {
            assert_eq!(verdicts.in_use(began + Duration::from_mins(minutes)), in_use, "{minutes}");
        }
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
