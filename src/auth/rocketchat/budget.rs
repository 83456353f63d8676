//! How often the server may be asked about credentials.
//!
//! Owns the calls of the last minute, and the pause after one that failed. Invariants: in
//! no minute there are more than the budget; credentials that are not known yet leave up
//! to half of it to users who are, one call for each of these; and an address takes no
//! more than half of what is open to the unknown with calls that have not found a user,
//! those under way among them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::auth::failures::Client;

const MINUTE: Duration = Duration::from_mins(1);

/// The pause after a first failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that we make of ourselves.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Until a call that is under way may have ended.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// For whom the server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A user who was let in before.
    Renewal,
    /// Credentials that came from this client, and let nobody in before.
    New(Client),
}

/// A call that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    number: u64,
    /// When it began.
    pub(super) began: Instant,
}

/// No call may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoCall {
    /// Until one may.
    pub(super) wait: Duration,
    pub(super) why: Why,
}

/// Why no call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The last one failed.
    Paused,
    /// Too many were made.
    Spent,
    /// Too many were made for this address, and found no user.
    InVain,
}

/// The calls that may still be made.
#[derive(Debug)]
pub(super) struct Budget {
    per_minute: usize,
    /// Those of the last minute, in their order.
    calls: VecDeque<Call>,
    taken: u64,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    ticket: Ticket,
    purpose: Purpose,
    found: Found,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    NothingYet,
    Nobody,
    User,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    since: Instant,
    until: Instant,
    length: Duration,
}

impl Budget {
    pub(super) fn new(per_minute: usize) -> Self {
        Self { per_minute, calls: VecDeque::new(), taken: 0, pause: None }
    }

    /// Takes a call, where so many users are known.
    pub(super) fn take(
        &mut self,
        purpose: Purpose,
        known: impl FnOnce() -> usize,
        now: Instant,
    ) -> Result<Ticket, NoCall> {
        if let Some(wait) = self.pause.and_then(|pause| left(pause.until, now)) {
            return Err(NoCall { wait, why: Why::Paused });
        }
        let is_over = |call: &Call| now.saturating_duration_since(call.ticket.began) >= MINUTE;
        while self.calls.front().is_some_and(is_over) {
            self.calls.pop_front();
        }
        self.may_take(purpose, known, now)?;
        self.taken += 1;
        let ticket = Ticket { number: self.taken, began: now };
        self.calls.push_back(Call { ticket, purpose, found: Found::NothingYet });
        Ok(ticket)
    }

    /// Whether there are not too many calls for another one.
    fn may_take(&self, purpose: Purpose, known: impl FnOnce() -> usize, now: Instant) -> Result<(), NoCall> {
        let until_over = |call: &Call| left(call.ticket.began + MINUTE, now).unwrap_or_default();
        let spent = |call: &Call| NoCall { wait: until_over(call), why: Why::Spent };
        let all = self.calls.iter();
        if let Some(call) = first_of(all.clone(), self.per_minute) {
            return Err(spent(call));
        }
        let Purpose::New(client) = purpose else { return Ok(()) };
        let open = self.per_minute - known().min(self.per_minute / 2);
        let new = all.clone().filter(|call| matches!(call.purpose, Purpose::New(_)));
        let in_vain = all.filter(|call| call.purpose == Purpose::New(client) && call.found != Found::User);
        if let Some(call) = first_of(new, open) {
            return Err(spent(call));
        }
        let Some(first) = first_of(in_vain.clone(), open.div_ceil(2)) else { return Ok(()) };
        let is_under_way = in_vain.clone().any(|call| call.found == Found::NothingYet);
        let wait = if is_under_way { UNDER_WAY } else { until_over(first) };
        Err(NoCall { wait, why: Why::InVain })
    }

    /// A call has found a user, or nobody.
    pub(super) fn found(&mut self, ticket: Ticket, a_user: bool) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.ticket == ticket) {
            call.found = if a_user { Found::User } else { Found::Nobody };
        }
    }

    /// A call got an answer; says whether that ends a pause. One that began before the
    /// pause tells nothing of what came after.
    pub(super) fn answered(&mut self, ticket: Ticket) -> bool {
        let ends = self.pause.is_some_and(|pause| ticket.began >= pause.since);
        if ends {
            self.pause = None;
        }
        ends
    }

    /// A call got none: nothing is asked for a while, as the server said or longer each
    /// time; says whether that is the first one.
    pub(super) fn failed(&mut self, ticket: Ticket, wait: Option<Duration>, now: Instant) -> bool {
        let last = self.pause;
        if let Some(pause) = self.pause.as_mut().filter(|pause| ticket.began < pause.since) {
            // Of the same outage, and no further one.
            pause.until = pause.until.max(now + wait.unwrap_or_default());
            return false;
        }
        let length = last.map_or(PAUSE, |last| (last.length * 2).min(PAUSE_MAX));
        self.pause = Some(Pause { since: now, until: now + wait.unwrap_or(length), length });
        last.is_none()
    }
}

/// The first of these calls if there are at least so many.
fn first_of<'a>(mut calls: impl Iterator<Item = &'a Call> + Clone, at_least: usize) -> Option<&'a Call> {
    (calls.clone().count() >= at_least).then(|| calls.next()).flatten()
}

/// How long until then; none if it is past.
fn left(until: Instant, now: Instant) -> Option<Duration> {
    Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn new(last: u8) -> Purpose {
        Purpose::New(Client::of(IpAddr::from([192, 0, 2, last])))
    }

    fn spent(wait: Duration) -> Result<Ticket, NoCall> {
        Err(NoCall { wait, why: Why::Spent })
    }

    fn in_vain(wait: Duration) -> Result<Ticket, NoCall> {
        Err(NoCall { wait, why: Why::InVain })
    }

    fn paused(wait: Duration) -> Result<Ticket, NoCall> {
        Err(NoCall { wait, why: Why::Paused })
    }

    /// How many of the purpose get through at once, each of which finds a user or not.
    fn taken(budget: &mut Budget, purpose: Purpose, known: usize, now: Instant, a_user: bool) -> usize {
        let mut take = || budget.take(purpose, || known, now).map(|ticket| budget.found(ticket, a_user));
        (0..1_000).take_while(|_| take().is_ok()).count()
    }

    #[test]
    fn in_no_minute_there_are_more_calls_than_the_budget() {
        let (mut budget, began) = (Budget::new(10), Instant::now());
        let second = |second| began + Duration::from_secs(second);
        assert_eq!(taken(&mut budget, new(1), 0, began, true), 10);
        assert_eq!(budget.take(Purpose::Renewal, || 0, second(20)), spent(Duration::from_secs(40)));
        assert_eq!(taken(&mut budget, Purpose::Renewal, 0, second(60), true), 10);
        assert_eq!(taken(&mut budget, new(1), 0, second(119), true), 0);
    }

    #[test]
    fn known_users_keep_up_to_half_of_it() {
        for (known, open) in [(0, 10), (1, 9), (5, 5), (1_000, 5)] {
            let (mut budget, now) = (Budget::new(10), Instant::now());
            assert_eq!(taken(&mut budget, new(1), known, now, true), open);
            assert_eq!(taken(&mut budget, Purpose::Renewal, known, now, true), 10 - open);
        }
        let (mut budget, now) = (Budget::new(1), Instant::now());
        assert_eq!(taken(&mut budget, new(1), 1_000, now, true), 1, "a budget of one is open to all");
    }

    #[test]
    fn an_address_that_finds_nobody_leaves_half_of_what_is_open() {
        let (mut budget, now) = (Budget::new(10), Instant::now());
        assert_eq!(taken(&mut budget, new(1), 0, now, false), 5);
        assert_eq!(budget.take(new(1), || 0, now), in_vain(MINUTE));
        assert_eq!(taken(&mut budget, new(2), 0, now, false), 5);
    }

    #[test]
    fn calls_under_way_are_held_against_their_address_until_they_find_a_user() {
        let (mut budget, now) = (Budget::new(10), Instant::now());
        let tickets: Vec<_> = (0..5).map(|_| budget.take(new(1), || 0, now).unwrap()).collect();
        assert_eq!(budget.take(new(1), || 0, now), in_vain(UNDER_WAY));
        budget.found(tickets[0], true);
        assert!(budget.take(new(1), || 0, now).is_ok());
        assert!(budget.take(new(2), || 0, now).is_ok());
    }

    #[test]
    fn after_a_failure_nothing_is_asked_for_a_while() {
        let (mut budget, began) = (Budget::new(1_000), Instant::now());
        let mut ticket = budget.take(new(1), || 0, began).unwrap();
        assert!(!budget.answered(ticket));
        let mut now = began;
        for (at, seconds) in [1, 2, 4, 8, 15, 15].into_iter().enumerate() {
            assert_eq!(budget.failed(ticket, None, now), at == 0);
            assert_eq!(budget.take(Purpose::Renewal, || 0, now), paused(Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            ticket = budget.take(Purpose::Renewal, || 0, now).unwrap();
        }
        assert!(!budget.failed(ticket, Some(MINUTE), now), "the server may say how long");
        assert_eq!(budget.take(new(1), || 0, now), paused(MINUTE));
        let ticket = budget.take(new(1), || 0, now + MINUTE).unwrap();
        assert!(budget.answered(ticket));
        assert!(budget.take(new(1), || 0, now + MINUTE).is_ok());
    }

    #[test]
    fn calls_that_began_before_a_pause_neither_end_nor_lengthen_it() {
        let (mut budget, began) = (Budget::new(1_000), Instant::now());
        let second = |second| began + Duration::from_secs(second);
        let [first, slow, last] = [(); 3].map(|()| budget.take(new(1), || 0, began).unwrap());
        assert!(budget.failed(first, Some(MINUTE), second(1)));
        assert!(!budget.answered(slow));
        assert!(!budget.failed(last, None, second(2)));
        assert_eq!(budget.take(Purpose::Renewal, || 0, second(2)), paused(Duration::from_secs(59)));
    }
}
