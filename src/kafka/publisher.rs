//! Records that somebody waits for, until Kafka has acknowledged them.
//!
//! Owns a producer that answers for each record by itself, within a few seconds.
//! Invariant: a record counts as written only when every in-sync replica has it. Broker
//! and topic may be away: what is sent meanwhile fails in time, and nothing has to be
//! started anew when they are back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
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
    /// Held while a record is handed over, which waits for nothing, and for a swap.
    current: Arc<Mutex<Current>>,
    connection: Connection,
}

/// The producer that takes records.
struct Current {
    client: ThreadedProducer<Answers>,
    /// It takes nothing more, and another one is being made.
    is_lost: bool,
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
        let current = Current { client: client(&connection)?, is_lost: false };
        Ok(Self { current: Arc::new(Mutex::new(current)), connection })
    }

    /// Hands over a record, which goes out at once, behind those before it.
    ///
    /// # Errors
    /// When the client does not take it.
    pub fn send(&self, record: &Outgoing<'_>) -> Result<Fate, Unwritten> {
        let (sender, fate) = oneshot::channel();
        let mut current = lock(&self.current);
        let sent = current.client.send(record.to(&self.connection.topic, Box::new(sender)));
        let Err((error, _)) = sent else { return Ok(fate) };
        if error == KafkaError::MessageProduction(RDKafkaErrorCode::Fatal) && !current.is_lost {
            current.is_lost = self.begin_anew();
        }
        Err(describe(&error))
    }

    /// An idempotent producer that lost its place takes nothing more: what comes is for a
    /// new one. Making that and ending the old one, which takes up to half a second, are
    /// for a thread of their own: whoever sends answers others, too. Whether it is under way.
    fn begin_anew(&self) -> bool {
        let (current, connection) = (Arc::clone(&self.current), self.connection.clone());
        let thread = thread::Builder::new().name("publisher-anew".to_owned());
        thread.spawn(move || swap(&current, client(&connection))).is_ok()
    }
}

/// Puts the new producer in the place of the lost one; where none could be made, the next
/// record tries again.
fn swap(current: &Mutex<Current>, made: KafkaResult<ThreadedProducer<Answers>>) {
    let mut current = lock(current);
    current.is_lost = false;
    let Ok(new) = made else { return };
    let lost = std::mem::replace(&mut current.client, new);
    drop(current);
    drop(lost);
}

fn lock(current: &Mutex<Current>) -> MutexGuard<'_, Current> {
    current.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::{Duration, Instant};

    use rdkafka::bindings as native;
    use rdkafka::producer::Producer as _;

    use super::*;
    use crate::kafka::{EmbeddedBroker, Properties};

    #[allow(unsafe_code, reason = "rdkafka does not expose how a producer is made to lose its place")]
    fn lose(publisher: &Publisher) {
        let current = lock(&publisher.current);
        let code = native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        // SAFETY: the client lives as long as the guard, and the reason is copied.
        unsafe {
            native::rd_kafka_test_fatal_error(current.client.client().native_ptr(), code, c"lost".as_ptr());
        }
    }

    fn write(publisher: &Publisher) -> Result<(), Unwritten> {
        let record = Outgoing { value: Some(b"x"), ..Outgoing::default() };
        publisher.send(&record)?.blocking_recv().unwrap()
    }

    #[test]
    fn a_producer_that_lost_its_place_is_replaced_each_time() {
        let broker = EmbeddedBroker::start("rooms", 1).unwrap();
        let publisher = Publisher::start(Connection {
            bootstrap_servers: broker.bootstrap_servers(),
            topic: "rooms".to_owned(),
            properties: Properties::default(),
        })
        .unwrap();
        write(&publisher).unwrap();
        for _ in 0..2 {
            lose(&publisher);
            write(&publisher).unwrap_err();
            let deadline = Instant::now() + Duration::from_secs(20);
            while let Err(error) = write(&publisher) {
                assert!(Instant::now() < deadline, "{error}");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
