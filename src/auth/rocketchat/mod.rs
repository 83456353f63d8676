//! Users known by a Rocket.Chat server.
//!
//! Owns when the server is asked, and what is answered while it cannot be. Invariants: a
//! credential is asked about once at a time, however many requests carry it; it is asked
//! on behalf of nobody in particular, so it ends well when the request that began it is
//! gone; and what the server does not decide, nobody decides.
//!
//! ```text
//! credentials ── verdicts ── holds ───────────────────────────────▶ verdict
//!                    └─ over, nothing ── budget ── flight ── upstream ─┘
//! ```

mod budget;
mod roles;
mod upstream;
mod verdicts;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;

use crate::auth::failures::Client;
use crate::auth::{Credentials, Verdict};
use crate::config::Auth;
use crate::telemetry::{Sampler, SignInCalls};

use budget::{Budget, NoCall, Purpose, Ticket, Why};
use roles::Roles;
use upstream::{Headers, Me};
use verdicts::{Key, REFUSAL_HOLDS_MAX, Remembered, Verdicts};

pub use upstream::{NoAnswer, Upstream};

/// Longer user ids and tokens are nobody's: Rocket.Chat's have 17 and 43 letters.
const USER_ID_BYTES_MAX: usize = 128;
const TOKEN_BYTES_MAX: usize = 4_096;

/// Nobody can say whose credentials they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecided {
    /// How long it may take until somebody can; none if nobody was asked because the
    /// caller is not to ask.
    pub(super) wait: Option<Duration>,
}

/// Tells users by their server; clones share it.
#[derive(Debug, Clone)]
pub(super) struct RocketChat(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    upstream: Arc<Upstream>,
    verdicts: Verdicts,
    budget: Mutex<Budget>,
    roles: Arc<Roles>,
    /// Credentials that the server is being asked about.
    flights: DashMap<Key, Flight>,
    calls: SignInCalls,
    sampler: Mutex<Sampler>,
}

/// Where the outcome of a question will be.
type Flight = watch::Receiver<Option<Outcome>>;
type Outcome = Result<Verdict, Undecided>;

/// Takes a flight off the list, however it ends.
struct Landing<'a>(&'a Shared, Key);

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.0.flights.remove(&self.1);
    }
}

impl RocketChat {
    pub(super) fn new(upstream: Upstream, auth: &Auth, calls: SignInCalls) -> Self {
        let upstream = Arc::new(upstream);
        // A verdict is as old as the list, so the list is never old.
        let list_holds = (auth.cache_ttl / 4).min(REFUSAL_HOLDS_MAX);
        Self(Arc::new(Shared {
            roles: Arc::new(Roles::new(Arc::clone(&upstream), list_holds)),
            upstream,
            verdicts: Verdicts::new(auth.cache_ttl),
            budget: Mutex::new(Budget::new(auth.calls_per_minute)),
            flights: DashMap::new(),
            calls,
            sampler: Mutex::default(),
        }))
    }

    /// What the server says of them, now or not long ago. Of credentials that were not
    /// good before, it is asked only if that is allowed.
    pub(super) async fn verdict(
        &self,
        given: Credentials<'_>,
        from: IpAddr,
        may_ask: bool,
        now: Instant,
    ) -> Outcome {
        if given.user_id.len() > USER_ID_BYTES_MAX || given.token.len() > TOKEN_BYTES_MAX {
            return Ok(Verdict::Unknown);
        }
        let key = Key::of(given);
        let purpose = match self.0.verdicts.find(&key, now) {
            Remembered::Holds(verdict) => return Ok(verdict),
            Remembered::Aging(verdict) => {
                // Nobody waits for it; if it fails, the verdict holds to its end.
                let _ = self.ask(key, given, Purpose::Renewal, now);
                return Ok(verdict);
            }
            Remembered::Over => Purpose::Renewal,
            Remembered::Nothing if !may_ask => return Err(Undecided { wait: None }),
            Remembered::Nothing => Purpose::New(Client::of(from)),
        };
        let mut flight =
            self.ask(key, given, purpose, now).map_err(|no_call| self.0.without_call(no_call, from))?;
        let outcome = flight.wait_for(Option::is_some).await.ok().and_then(|outcome| *outcome);
        // A flight that crashed decided nothing.
        outcome.unwrap_or(Err(Undecided { wait: Some(Duration::from_secs(1)) }))
    }

    /// Has the server asked, unless it is being asked already.
    fn ask(
        &self,
        key: Key,
        given: Credentials<'_>,
        purpose: Purpose,
        now: Instant,
    ) -> Result<Flight, NoCall> {
        let flight = match self.0.flights.entry(key.clone()) {
            Entry::Occupied(flight) => return Ok(flight.get().clone()),
            Entry::Vacant(flight) => flight,
        };
        // The one before may have ended since the verdicts were looked at.
        if let Remembered::Holds(verdict) = self.0.verdicts.find(&key, now) {
            return Ok(watch::channel(Some(Ok(verdict))).1);
        }
        let Some(headers) = Headers::of(given) else {
            return Ok(watch::channel(Some(Ok(Verdict::Unknown))).1);
        };
        let in_use = || self.0.verdicts.in_use(now);
        let ticket = self.0.budget().take(purpose, in_use, now)?;
        let (sender, receiver) = watch::channel(None);
        flight.insert(receiver.clone());
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let landing = Landing(&shared, key.clone());
            let decided = shared.decide(&headers, ticket).await;
            let outcome = decided.map(|(verdict, at)| {
                shared.verdicts.keep(key, verdict, at);
                verdict
            });
            drop(landing);
            sender.send_replace(Some(outcome));
        });
        Ok(receiver)
    }
}

impl Shared {
    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server may not be asked now for this address.
    fn without_call(&self, NoCall { wait, why }: NoCall, from: IpAddr) -> Undecided {
        match why {
            // That was said when it began.
            Why::Paused => {}
            Why::Spent => {
                if let Some(unsaid) = self.sample("spent") {
                    tracing::warn!(
                        unsaid,
                        "more sign-ins than auth.calls_per_minute lets be asked about: this one gets 503; raise it, \
                         and Rocket.Chat's own rate limit, if these are users"
                    );
                }
            }
            Why::InVain => {
                if let Some(unsaid) = self.sample("in vain") {
                    tracing::warn!(
                        %from,
                        unsaid,
                        "sign-ins from this address that found no user have used up its share of \
                         auth.calls_per_minute: new ones get 503 for a while; if it is a proxy, name it in \
                         http.trusted_proxies"
                    );
                }
            }
        }
        Undecided { wait: Some(wait) }
    }

    /// Asks the server, and notes how that went; the verdict and how old it is.
    async fn decide(&self, headers: &Headers, ticket: Ticket) -> Result<(Verdict, Instant), Undecided> {
        match self.asked(headers, ticket.began).await {
            Ok((verdict, at)) => {
                let is_user = verdict != Verdict::Unknown;
                let calls = if is_user { &self.calls.accepted } else { &self.calls.refused };
                calls.increment(1);
                let ends_pause = {
                    let mut budget = self.budget();
                    budget.found(ticket, is_user);
                    budget.answered(ticket)
                };
                if ends_pause {
                    tracing::info!(url = %self.upstream.url(), "Rocket.Chat decides on sign-ins again");
                }
                Ok((verdict, at))
            }
            Err(no_answer) => {
                self.calls.failed.increment(1);
                Err(self.without_answer(&no_answer, ticket))
            }
        }
    }

    /// The server was asked and decided nothing.
    fn without_answer(&self, NoAnswer { why, wait, is_of_one }: &NoAnswer, ticket: Ticket) -> Undecided {
        let url = self.upstream.url();
        if *is_of_one {
            self.budget().found(ticket, false);
            if let Some(unsaid) = self.sample("of one") {
                tracing::warn!(%url, unsaid, "Rocket.Chat {why} This sign-in gets 503; others go on");
            }
        } else if self.budget().failed(ticket, *wait, Instant::now()) {
            tracing::warn!(
                %url,
                "Rocket.Chat {why}; who signed in lately goes on, others get 503 until it answers"
            );
        } else {
            tracing::debug!(%url, "Rocket.Chat {why}");
        }
        Undecided { wait: Some(wait.unwrap_or(Duration::from_secs(1))) }
    }

    fn sample(&self, kind: &'static str) -> Option<u64> {
        self.sampler.lock().unwrap_or_else(PoisonError::into_inner).sample(kind)
    }

    /// What the server says, and since when.
    async fn asked(&self, headers: &Headers, now: Instant) -> Result<(Verdict, Instant), NoAnswer> {
        let Me::User { roles } = self.upstream.me(headers).await? else { return Ok((Verdict::Unknown, now)) };
        let list = self.roles.list(headers).await?;
        let may_ask = roles.iter().any(|role| list.roles.contains(role));
        Ok((if may_ask { Verdict::Allowed } else { Verdict::Forbidden }, list.at.min(now)))
    }
}
