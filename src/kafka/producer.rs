//! Writing room events to the topic, so that none is lost unnoticed.
//!
//! Owns the count of what Kafka has acknowledged. Invariant: a record counts as
//! acknowledged only when every in-sync replica has it, once (the idempotent
//! producer), and the first failure is kept and reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use tokio_util::sync::CancellationToken;

use crate::decode::IF_UNKNOWN_HEADER;
use crate::kafka::connection::Connection;
use crate::kafka::context::{LOG_TARGET, log_line};
use crate::kafka::looking::Looking;
use crate::kafka::{LogEvent, OutOfSight, Outgoing};
use crate::room::Timestamp;

/// How records go out where the user does not say otherwise. The partitioner is
/// the Java clients', so that a key finds the same partition from either side.
const DEFAULTS: [(&str, &str); 3] =
    [("linger.ms", "20"), ("partitioner", "murmur2_random"), ("queue.buffering.max.messages", "500000")];

/// The same for copies, over those.
const COPIES: [(&str, &str); 2] = [("message.max.bytes", "1000000000"), ("compression.codec", "lz4")];

/// How long a stop waits for what is on its way to a broker.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Why records did not all arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// No answer from the broker.
    #[error(
        "cannot reach Kafka at {bootstrap_servers}: {reason}; is the broker running, and the address right?"
    )]
    Unreachable {
        /// The address that was tried.
        bootstrap_servers: String,
        /// What the client said.
        reason: String,
    },
    /// The broker has no such topic.
    #[error(
        "Kafka at {bootstrap_servers} has no topic {topic}; create it first, keyed records want its partitions fixed"
    )]
    TopicAbsent {
        /// The address that was asked.
        bootstrap_servers: String,
        /// The missing topic.
        topic: String,
    },
    /// The client could not be made, or took a record no more.
    #[error("Kafka's client refuses: {0}")]
    Client(String),
    /// The client takes no record of this size.
    #[error(
        "it is larger than message.max.bytes of Kafka's client; raise that under [kafka.properties], and max.message.bytes of the topic"
    )]
    TooLarge,
    /// Told to stop while records were still unacknowledged.
    #[error("{unacknowledged} records were sent and are not acknowledged yet")]
    Stopped {
        /// How many.
        unacknowledged: usize,
    },
    /// Records that were sent and not acknowledged.
    #[error("{failed} records were not acknowledged, the first because: {reason}")]
    NotAcknowledged {
        /// How many.
        failed: u64,
        /// The first failure.
        reason: String,
    },
}

/// Writes records to one topic.
pub struct Producer {
    client: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    topic: String,
}

/// What became of the records so far.
#[derive(Clone, Default)]
struct Deliveries(Arc<DeliveryCounts>);

#[derive(Default)]
struct DeliveryCounts {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
}

impl Producer {
    /// Connects to the topic, which must be there.
    ///
    /// # Errors
    /// When the broker does not answer, the topic is absent, or the client's
    /// properties are refused.
    pub fn connect(connection: &Connection, now: Timestamp) -> Result<Self, ProduceError> {
        Self::connect_with(connection, now, &DEFAULTS)
    }

    /// The same for records that stood in a topic already: the client refuses none for its
    /// size, since the topic's own limit decides.
    ///
    /// # Errors
    /// As [`Producer::connect`].
    pub fn connect_for_copies(connection: &Connection, now: Timestamp) -> Result<Self, ProduceError> {
        Self::connect_with(connection, now, &[&DEFAULTS[..], &COPIES].concat())
    }

    fn connect_with(
        connection: &Connection,
        now: Timestamp,
        defaults: &[(&str, &str)],
    ) -> Result<Self, ProduceError> {
        let refused = |error: KafkaError| ProduceError::Client(error.to_string());
        let mut looking = Looking::new(connection.clone()).map_err(refused)?;
        let bootstrap_servers = connection.bootstrap_servers.clone();
        match looking.look_settled(now) {
            LogEvent::OutOfSight(OutOfSight::TopicAbsent) => {
                return Err(ProduceError::TopicAbsent { bootstrap_servers, topic: connection.topic.clone() });
            }
            LogEvent::OutOfSight(OutOfSight::BrokerAway { reason }) => {
                return Err(ProduceError::Unreachable { bootstrap_servers, reason });
            }
            _ => {}
        }
        let deliveries = Deliveries::default();
        let mut config = connection.client(defaults);
        config.set("enable.idempotence", "true");
        let client = config.create_with_context(deliveries.clone()).map_err(refused)?;
        Ok(Self { client, deliveries, topic: connection.topic.clone() })
    }

    /// Hands a record to the client, which sends it soon; waits while the
    /// client's buffer is full.
    ///
    /// # Errors
    /// When the record is too large, the client takes no more, or an earlier
    /// record was not acknowledged; or on a stop while the buffer is full.
    pub fn send(
        &self,
        key: &str,
        value: &[u8],
        if_unknown: bool,
        stop: &CancellationToken,
    ) -> Result<(), ProduceError> {
        let headers = if if_unknown { vec![(IF_UNKNOWN_HEADER, Some(&b""[..]))] } else { Vec::new() };
        let (key, value) = (Some(key.as_bytes()), Some(value));
        self.send_copy(&Outgoing { key, value, timestamp: None, headers }, stop)
    }

    /// The same for a record with all that it has.
    ///
    /// # Errors
    /// As [`Producer::send`].
    pub fn send_copy(&self, record: &Outgoing<'_>, stop: &CancellationToken) -> Result<(), ProduceError> {
        let mut record = record.to(&self.topic, ());
        loop {
            match self.client.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), unsent)) => {
                    record = unsent;
                    self.client.poll(Duration::from_millis(100));
                    self.failure()?;
                    if stop.is_cancelled() {
                        return Err(self.stopped());
                    }
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => {
                    return Err(ProduceError::TooLarge);
                }
                Err((error, _)) => return Err(ProduceError::Client(error.to_string())),
            }
        }
        self.client.poll(Duration::ZERO);
        self.failure()
    }

    /// Waits until every record sent is acknowledged or given up, which the
    /// client does after `message.timeout.ms` (5 minutes by default); after a stop
    /// for five seconds at most.
    ///
    /// # Errors
    /// When some were not acknowledged.
    pub fn finish(&self, stop: &CancellationToken) -> Result<(), ProduceError> {
        let mut deadline = None;
        while self.client.in_flight_count() > 0 {
            if stop.is_cancelled() && Instant::now() > *deadline.get_or_insert(Instant::now() + STOP_PATIENCE)
            {
                return Err(self.stopped());
            }
            // `flush` sends at once what waits for company, and serves deliveries.
            let _ = self.client.flush(Duration::from_millis(100));
        }
        self.failure()
    }

    fn stopped(&self) -> ProduceError {
        ProduceError::Stopped { unacknowledged: usize::try_from(self.client.in_flight_count()).unwrap_or(0) }
    }

    /// How many records Kafka has acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.0.acknowledged.load(Ordering::Relaxed)
    }

    fn failure(&self) -> Result<(), ProduceError> {
        let counts = &self.deliveries.0;
        let failed = counts.failed.load(Ordering::Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let reason = counts.first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(ProduceError::NotAcknowledged { failed, reason: reason.unwrap_or_default() })
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: LOG_TARGET, %error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
                let mut first = self.0.first_failure.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| error.to_string());
            }
        }
    }
}
