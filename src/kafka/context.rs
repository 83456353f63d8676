//! What librdkafka tells beside its answers: log lines and errors.
//!
//! Owns their way into our log. The client repeats itself at every attempt to
//! connect, so its own lines are for `debug`; the last reason it gave is kept
//! for the one clear line that [`super::Watch`] lets be written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{ClientContext, TopicPartitionList};

/// What the client's own lines are filtered by.
pub(super) const LOG_TARGET: &str = "kafka_client";

/// Up to which of syslog's levels a line is an error for us too: emergency,
/// alert and critical. What the client calls an error it repeats at every
/// attempt to connect.
const SEVERE: i32 = 2;

/// Between two lines about offsets that were not committed, which matter to
/// nobody here.
const REMINDER: Duration = Duration::from_mins(1);

/// Writes one line of the client's, with its syslog level.
pub(super) fn log_line(level: i32, facility: &str, message: &str) {
    if level <= SEVERE {
        tracing::error!(target: LOG_TARGET, facility, "{message}");
    } else {
        tracing::debug!(target: LOG_TARGET, facility, "{message}");
    }
}

/// Hears what one client says.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    last_reason: Arc<Mutex<Option<String>>>,
    said_uncommitted: Arc<Mutex<Option<Instant>>>,
}

impl Context {
    /// What the client complained of last; forgets it.
    pub(super) fn take_reason(&self) -> Option<String> {
        self.last_reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Offsets were not committed; says so once in a while.
    pub(super) fn cannot_commit(&self, error: &KafkaError) {
        let mut said = self.said_uncommitted.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= REMINDER) {
            *said = Some(Instant::now());
            tracing::debug!(%error, "offsets are not committed, so tools do not see how far the topic is read");
        }
    }

    fn keep_reason(&self, reason: &str) {
        // How long an attempt took, and how often it failed alike, is for debug.
        let reason = reason.split(" (after ").next().unwrap_or(reason);
        *self.last_reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: LOG_TARGET, %error, "{reason}");
        // That all brokers are down is the sum of the reasons, not one.
        if !matches!(error.rdkafka_error_code(), Some(rdkafka::types::RDKafkaErrorCode::AllBrokersDown)) {
            self.keep_reason(reason);
        }
    }
}

impl ConsumerContext for Context {
    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            self.cannot_commit(&error);
        }
    }
}
