//! The series of what a Rocket.Chat server is asked about credentials.
//!
//! Owns their name and label.

use std::fmt;

use metrics::{Counter, Key, Label, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::metrics::METADATA;

const CALLS: &str = "roomtally_sign_in_calls_total";

/// Calls so far, by what came of them.
#[derive(Clone)]
pub struct SignInCalls {
    /// The credentials are a user's.
    pub accepted: Counter,
    /// They are nobody's.
    pub refused: Counter,
    /// The server gave no answer of use.
    pub failed: Counter,
}

impl SignInCalls {
    pub(super) fn of(recorder: &PrometheusRecorder) -> Self {
        let help = "Calls of the Rocket.Chat server about credentials, by what came of them.";
        recorder.describe_counter(CALLS.into(), None, help.into());
        let counter = |result| {
            let key = Key::from_parts(CALLS, vec![Label::from_static_parts("result", result)]);
            let counter = recorder.register_counter(&key, &METADATA);
            counter.increment(0);
            counter
        };
        Self { accepted: counter("accepted"), refused: counter("refused"), failed: counter("failed") }
    }
}

impl fmt::Debug for SignInCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInCalls").finish_non_exhaustive()
    }
}
