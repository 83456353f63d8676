//! How often the server may be asked about credentials.
//!
//! Owns the calls of the last minute, and the pause after one that failed. Invariants: in
//! no minute there are more than the budget; credentials that are not known yet leave up
//! to half of it to users who are, one call for each of these; and an address whose
//! credentials were wrong takes no more than half of what is open to the unknown.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::auth::failures::Client;

const MINUTE: Duration = Duration::from_mins(1);

/// The pause after a first failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that we make of ourselves.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// For whom the server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A user who was known before.
    Renewal,
    /// Credentials that came from this client for the first time.
    New(Client),
}

/// No call may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoCall {
    /// Until one may.
    pub(super) wait: Duration,
    /// Whether that is because too many were made, and not because the last one failed.
    pub(super) is_spent: bool,
}

/// The calls that may still be made.
#[derive(Debug)]
pub(super) struct Budget {
    per_minute: usize,
    calls: VecDeque<(Instant, Purpose)>,
    /// Calls that found wrong credentials, and who had sent them.
    wrong: VecDeque<(Instant, Client)>,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Budget {
    pub(super) fn new(per_minute: usize) -> Self {
        Self { per_minute, calls: VecDeque::new(), wrong: VecDeque::new(), pause: None }
    }

    /// Takes a call, where so many users are known.
    pub(super) fn take(&mut self, purpose: Purpose, known: usize, now: Instant) -> Result<(), NoCall> {
        if let Some(wait) = self.pause.and_then(|pause| left(pause.until, now)) {
            return Err(NoCall { wait, is_spent: false });
        }
        self.forget(now);
        if let Some(first) = self.first_of_too_many(purpose, known) {
            let wait = left(first + MINUTE, now).unwrap_or_default();
            return Err(NoCall { wait, is_spent: true });
        }
        self.calls.push_back((now, purpose));
        Ok(())
    }

    /// When the first of those calls was that are too many for another one.
    fn first_of_too_many(&self, purpose: Purpose, known: usize) -> Option<Instant> {
        let all = self.calls.iter().map(|&(at, _)| at);
        let Purpose::New(client) = purpose else { return first_of(all, self.per_minute) };
        let open = self.per_minute - known.min(self.per_minute / 2);
        let new = self.calls.iter().filter(|(_, purpose)| matches!(purpose, Purpose::New(_)));
        let wrong = self.wrong.iter().filter(|(_, of)| *of == client);
        first_of(all, self.per_minute)
            .or_else(|| first_of(new.map(|&(at, _)| at), open))
            .or_else(|| first_of(wrong.map(|&(at, _)| at), open.div_ceil(2)))
    }

    /// The credentials that this client had sent were wrong.
    pub(super) fn was_wrong(&mut self, client: Client, now: Instant) {
        self.wrong.push_back((now, client));
    }

    /// A call got an answer; says whether one before it had not.
    pub(super) fn answered(&mut self) -> bool {
        self.pause.take().is_some()
    }

    /// A call got none: nothing is asked for a while, as the server said or longer each
    /// time; says whether the one before it had got one.
    pub(super) fn failed(&mut self, wait: Option<Duration>, now: Instant) -> bool {
        let last = self.pause;
        let own = last.map_or(PAUSE, |last| (last.length * 2).min(PAUSE_MAX));
        self.pause = Some(Pause { until: now + wait.unwrap_or(own), length: own });
        last.is_none()
    }

    fn forget(&mut self, now: Instant) {
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= MINUTE;
        while self.calls.front().is_some_and(|(at, _)| is_over(at)) {
            self.calls.pop_front();
        }
        while self.wrong.front().is_some_and(|(at, _)| is_over(at)) {
            self.wrong.pop_front();
        }
    }
}

/// The first of these calls if there are at least so many.
fn first_of(mut calls: impl Iterator<Item = Instant> + Clone, at_least: usize) -> Option<Instant> {
    (calls.clone().count() >= at_least).then(|| calls.next()).flatten()
}

/// How long until then; none if it is past.
fn left(until: Instant, now: Instant) -> Option<Duration> {
    Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn new(last: u8) -> Purpose {
        Purpose::New(client(last))
    }

    fn client(last: u8) -> Client {
        Client::of(IpAddr::from([192, 0, 2, last]))
    }

    fn spent(wait: Duration) -> Result<(), NoCall> {
        Err(NoCall { wait, is_spent: true })
    }

    fn paused(wait: Duration) -> Result<(), NoCall> {
        Err(NoCall { wait, is_spent: false })
    }

    /// How many of the purpose get through at once.
    fn taken(budget: &mut Budget, purpose: Purpose, known: usize, now: Instant) -> usize {
        (0..1_000).take_while(|_| budget.take(purpose, known, now).is_ok()).count()
    }

    #[test]
    fn in_no_minute_there_are_more_calls_than_the_budget() {
        let (mut budget, began) = (Budget::new(10), Instant::now());
        let second = |second| began + Duration::from_secs(second);
        assert_eq!(taken(&mut budget, new(1), 0, began), 10);
        assert_eq!(budget.take(Purpose::Renewal, 0, second(20)), spent(Duration::from_secs(40)));
        assert_eq!(taken(&mut budget, Purpose::Renewal, 0, second(60)), 10);
        assert_eq!(taken(&mut budget, new(1), 0, second(119)), 0);
    }

    #[test]
    fn known_users_keep_up_to_half_of_it() {
        for (known, open) in [(0, 10), (1, 9), (5, 5), (1_000, 5)] {
            let (mut budget, now) = (Budget::new(10), Instant::now());
            assert_eq!(taken(&mut budget, new(1), known, now), open);
            assert_eq!(taken(&mut budget, Purpose::Renewal, known, now), 10 - open);
        }
        let (mut budget, now) = (Budget::new(1), Instant::now());
        assert_eq!(taken(&mut budget, new(1), 1_000, now), 1, "a budget of one is open to all");
    }

    #[test]
    fn an_address_with_wrong_credentials_leaves_half_of_what_is_open() {
        let (mut budget, now) = (Budget::new(10), Instant::now());
        for _ in 0..5 {
            assert_eq!(budget.take(new(1), 0, now), Ok(()));
            budget.was_wrong(client(1), now);
        }
        assert_eq!(budget.take(new(1), 0, now), spent(MINUTE));
        assert_eq!(taken(&mut budget, new(2), 0, now), 5);
    }

    #[test]
    fn after_a_failure_nothing_is_asked_for_a_while() {
        let (mut budget, began) = (Budget::new(1_000), Instant::now());
        assert!(!budget.answered());
        let mut now = began;
        for (at, seconds) in [1, 2, 4, 8, 15, 15].into_iter().enumerate() {
            assert_eq!(budget.failed(None, now), at == 0);
            assert_eq!(budget.take(Purpose::Renewal, 0, now), paused(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            assert_eq!(budget.take(Purpose::Renewal, 0, now), Ok(()));
        }
        assert!(!budget.failed(Some(MINUTE), now), "the server may say how long");
        assert_eq!(budget.take(new(1), 0, now), paused(MINUTE));
        assert!(budget.answered());
        assert_eq!(budget.take(new(1), 0, now), Ok(()));
    }
}
