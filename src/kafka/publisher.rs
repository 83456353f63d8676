//! Records that somebody waits for, until Kafka has acknowledged them.
//!
//! Owns a producer that answers for each record by itself, within a few seconds.
//! Invariant: a record counts as written only when every in-sync replica has it. Broker
//! and topic may be away: what is sent meanwhile fails in time, and nothing has to be
//! started anew when they are back.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use crate::kafka::connection::Connection;
use crate::kafka::context::{LOG_TARGET, log_line};
use crate::kafka::outgoing::Outgoing;

/// How records go out where the user does not say otherwise. Somebody waits for each, so
/// it waits for no company; what is under way is bounded, though whoever waits is too.
const DEFAULTS: [(&str, &str); 4] = [
    ("linger.ms", "1"),
    ("partitioner", "murmur2_random"),
    ("queue.buffering.max.messages", "10000"),
    ("queue.buffering.max.kbytes", "16384"),
];

/// Whatever the user says. Nobody waits for longer than four seconds: a record is given
/// up a little earlier, so that it is not written behind an answer that says it was not;
/// and a connection that gives no answer for as long is given up as well.
const OURS: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("allow.auto.create.topics", "false"),
    ("message.timeout.ms", "3500"),
    ("socket.timeout.ms", "3500"),
];

/// Why a record is not in the topic, in the client's words.
pub type Unwritten = String;

/// What becomes of one record.
pub type Fate = oneshot::Receiver<Result<(), Unwritten>>;

/// Writes records to one topic.
pub struct Publisher {
    client: Mutex<Arc<ThreadedProducer<Answers>>>,
    connection: Connection,
}

/// Tells whoever waits.
#[derive(Clone)]
struct Answers;

impl Publisher {
    /// Writes to the connection's topic, which need not be there yet.
    ///
    /// # Errors
    /// When the client cannot be made from its properties.
    pub fn start(connection: Connection) -> Result<Self, KafkaError> {
        let client = Mutex::new(Arc::new(client(&connection)?));
        Ok(Self { client, connection })
    }

    /// Hands over a record, which goes out at once, behind those before it.
    ///
    /// # Errors
    /// When the client does not take it.
    pub fn send(&self, record: &Outgoing<'_>) -> Result<Fate, Unwritten> {
        let (sender, fate) = oneshot::channel();
        let client = Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner));
        let sent = client.send(record.to(&self.connection.topic, Box::new(sender)));
        let Err((error, _)) = sent else { return Ok(fate) };
        if error == KafkaError::MessageProduction(RDKafkaErrorCode::Fatal) {
            self.begin_anew(&client);
        }
        Err(describe(&error))
    }

    /// An idempotent producer that lost its place takes nothing more: the next record is
    /// for a new one.
    fn begin_anew(&self, lost: &Arc<ThreadedProducer<Answers>>) {
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, lost)
            && let Ok(new) = client(&self.connection)
        {
            *current = Arc::new(new);
        }
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("topic", &self.connection.topic).finish_non_exhaustive()
    }
}

fn client(connection: &Connection) -> Result<ThreadedProducer<Answers>, KafkaError> {
    let mut config = connection.client(&DEFAULTS);
    for (name, value) in OURS {
        config.set(name, value);
    }
    config.create_with_context(Answers)
}

fn describe(error: &KafkaError) -> String {
    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string())
}

impl ClientContext for Answers {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: LOG_TARGET, %error, "{reason}");
    }
}

impl ProducerContext for Answers {
    type DeliveryOpaque = Box<oneshot::Sender<Result<(), Unwritten>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, waiting: Self::DeliveryOpaque) {
        // Whoever waited may have gone.
        let _ = waiting.send(result.as_ref().map(|_| ()).map_err(|(error, _)| describe(error)));
    }
}
