//! Waiting for a condition, with a deadline; no test sleeps for a fixed time.

use std::thread;
use std::time::{Duration, Instant};

/// For what takes a moment on an idle machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `look` finds something.
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// The same for what has to come in a time of its own.
#[track_caller]
pub(crate) fn within<T>(time: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {time:?}: {what}");
        thread::sleep(PAUSE);
    }
}
