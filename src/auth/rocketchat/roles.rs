//! The roles that hold the permission.
//!
//! Owns how old the list may be, and who asks for it. Invariant: it is asked for once at a
//! time, and all who wait for it hear the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::upstream::{Headers, NoAnswer, Upstream};

/// A list that was asked for at an instant.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// The roles' ids.
    pub(super) roles: Arc<[String]>,
    /// When it was asked for.
    pub(super) at: Instant,
}

/// The newest list.
#[derive(Debug)]
pub(super) struct Roles {
    upstream: Arc<Upstream>,
    holds: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    list: Option<List>,
    asked: Option<Answer>,
}

/// Where the answer will be.
type Answer = watch::Receiver<Option<Result<List, NoAnswer>>>;

impl Roles {
    /// Lists that hold for so long.
    pub(super) fn new(upstream: Arc<Upstream>, holds: Duration) -> Self {
        Self { upstream, holds, state: Mutex::default() }
    }

    /// The list, asked for with these credentials if there is none or it is too old.
    pub(super) async fn list(self: &Arc<Self>, credentials: &Headers) -> Result<List, NoAnswer> {
        let mut answer = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(list) = state.list.as_ref().filter(|list| list.at.elapsed() < self.holds) {
                return Ok(list.clone());
            }
            match &state.asked {
                // One that crashed gives no answer any more.
                Some(asked) if asked.has_changed().is_ok() => asked.clone(),
                _ => state.asked.insert(self.ask(credentials.clone())).clone(),
            }
        };
        let answer = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        answer.unwrap_or_else(|| Err(NoAnswer::of_all("was not asked to the end".to_owned())))
    }

    fn ask(self: &Arc<Self>, credentials: Headers) -> Answer {
        let (sender, answer) = watch::channel(None);
        let roles = Arc::clone(self);
        tokio::spawn(async move {
            let at = Instant::now();
            let answer = roles.upstream.allowed_roles(&credentials).await;
            let answer = answer.map(|roles| List { roles: roles.into(), at });
            let mut state = roles.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.asked = None;
            if let Ok(list) = &answer {
                state.list = Some(list.clone());
            }
            drop(state);
            sender.send_replace(Some(answer));
        });
        answer
    }
}
