//! What librdkafka tells beside its answers: log lines and errors.
//!
//! Owns their way into our log. The client repeats itself at every attempt to
//! connect, so its own lines are for `debug`; the last reason it gave is kept
//! for the one clear line that [`super::Watch`] lets be written.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Hears what one client says.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    last_reason: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// What the client complained of last; forgets it.
    pub(super) fn take_reason(&self) -> Option<String> {
        self.last_reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn keep_reason(&self, reason: &str) {
        *self.last_reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            _ => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        // That all brokers are down is the sum of the reasons, not one.
        if !matches!(error.rdkafka_error_code(), Some(rdkafka::types::RDKafkaErrorCode::AllBrokersDown)) {
            self.keep_reason(reason);
        }
    }
}

impl ConsumerContext for Context {}
