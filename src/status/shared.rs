//! The state behind its lock, and what is read without it.
//!
//! Owns what is published of the state. Invariant: behind each change the published instant is
//! what the state says, before anybody else can change it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::room::Timestamp;
use crate::status::State;

/// The state and what is published of it.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// What [`State::complete_as_of`] was behind the last change, in milliseconds, or
    /// [`INCOMPLETE`]: every answer asks for it twice, and asks no lock for it.
    complete_as_of: AtomicI64,
}

/// An instant that nothing is complete as of.
const INCOMPLETE: i64 = i64::MIN;

impl Default for Shared {
    fn default() -> Self {
        Self { state: Mutex::default(), complete_as_of: AtomicI64::new(INCOMPLETE) }
    }
}

/// The state while it is changed; what is asked most is published at the end.
pub(super) struct Changing<'a> {
    state: MutexGuard<'a, State>,
    complete_as_of: &'a AtomicI64,
}

impl Deref for Changing<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Changing<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let as_of = self.state.complete_as_of().map_or(INCOMPLETE, Timestamp::as_millis);
        self.complete_as_of.store(as_of, Ordering::SeqCst);
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self) -> Changing<'_> {
        Changing { state: self.state(), complete_as_of: &self.complete_as_of }
    }

    /// See [`State::complete_as_of`]; as of the last change.
    pub(super) fn complete_as_of(&self) -> Option<Timestamp> {
        let as_of = self.complete_as_of.load(Ordering::SeqCst);
        (as_of != INCOMPLETE).then(|| Timestamp::from_millis(as_of))
    }
}
