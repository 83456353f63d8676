//! Copies of refused records, in a topic of their own.
//!
//! Owns the producer that sends them and the count of what became of them. Invariant:
//! nobody ever waits for it. A copy that finds no room, no topic or no broker is given
//! up and counted, and what is counted of rooms does not depend on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};

use crate::kafka::connection::Connection;
use crate::kafka::context::{LOG_TARGET, log_line};
use crate::kafka::under_way::UnderWay;
use crate::kafka::{Header, Outgoing};
use crate::log::Partition;
use crate::room::Timestamp;

/// Why it was refused.
const REASON: &str = "roomtally-reason";
/// The topic in which it stands.
const TOPIC: &str = "roomtally-topic";
/// Its partition there, as decimal digits.
const PARTITION: &str = "roomtally-partition";
/// Its offset there, as decimal digits.
const OFFSET: &str = "roomtally-offset";

/// What a copy has beside the headers of the record.
const ADDED: [&str; 4] = [REASON, TOPIC, PARTITION, OFFSET];

/// How copies go out where the user does not say otherwise. What waits is bounded, to a
/// hundred thousand records and 64 MiB, the largest that one may be configured to
/// be. The client itself refuses none for its size, since the topic's own limit decides;
/// and they are packed, for a record that came packed is to fit again. A large one goes
/// by itself, since a topic that refuses it refuses all that it is sent with. A topic that
/// is not there is given up after ten seconds, a broker that is away after five minutes.
const DEFAULTS: [(&str, &str); 9] = [
    ("linger.ms", "20"),
    ("partitioner", "murmur2_random"),
    ("compression.codec", "lz4"),
    ("queue.buffering.max.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
    ("message.max.bytes", "1000000000"),
    ("batch.size", "65536"),
    ("topic.metadata.propagation.max.ms", "10000"),
    ("message.timeout.ms", "300000"),
];

/// Whatever the user says: a copy stands once, and no topic comes into being by it.
const OURS: [(&str, &str); 3] =
    [("enable.idempotence", "true"), ("acks", "all"), ("allow.auto.create.topics", "false")];

/// A refused record.
#[derive(Debug, Clone)]
pub struct DeadLetter<'a> {
    /// Why it was refused.
    pub reason: &'static str,
    /// Where it stands.
    pub partition: Partition,
    /// Its offset there.
    pub offset: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Kafka's timestamp of it.
    pub timestamp: Option<Timestamp>,
    /// Its headers.
    pub headers: Vec<Header<'a>>,
}

/// What became of the copies so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// They stand in the dead-letter topic.
    pub acknowledged: u64,
    /// They were given up.
    pub failed: u64,
}

/// Why a copy was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCopied {
    /// What the client said.
    pub why: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Sends copies of refused records.
pub struct DeadLetters {
    client: ThreadedProducer<Fates>,
    connection: Connection,
    topic: String,
    fates: Fates,
    /// How many marks there were: a copy belongs to the era in which it was sent.
    era: usize,
}

/// What became of the copies, as the client's thread tells.
#[derive(Clone, Default)]
struct Fates(Arc<Told>);

#[derive(Default)]
struct Told {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    /// Copies neither acknowledged nor given up.
    under_way: UnderWay,
    last_failure: Mutex<Option<NotCopied>>,
}

impl DeadLetters {
    /// Copies what is refused of the connection's topic to `topic`, which need not be
    /// there yet.
    ///
    /// # Errors
    /// When the client cannot be made from its properties.
    pub fn start(connection: Connection, topic: String) -> Result<Self, KafkaError> {
        let fates = Fates::default();
        let client = client(&connection, &fates)?;
        Ok(Self { client, connection, topic, fates, era: 0 })
    }

    /// The dead-letter topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Hands over a copy, which is sent soon, or gives it up at once.
    pub fn send(&mut self, letter: &DeadLetter<'_>) {
        let (partition, offset) = (letter.partition.to_string(), letter.offset.to_string());
        let copy = copy(letter, [letter.reason, &self.connection.topic, &partition, &offset]);
        self.fates.0.under_way.sent(self.era);
        let Err(error) = self.try_send(&copy) else { return };
        self.fates.settle(self.era, Err(&error));
        if error == KafkaError::MessageProduction(RDKafkaErrorCode::Fatal) {
            self.begin_anew();
        }
    }

    /// What became of the copies so far.
    pub fn counts(&self) -> Copied {
        let Told { acknowledged, failed, .. } = &*self.fates.0;
        Copied { acknowledged: acknowledged.load(Ordering::Relaxed), failed: failed.load(Ordering::Acquire) }
    }

    /// Why a copy was given up, the last one that was.
    pub fn last_failure(&self) -> Option<NotCopied> {
        self.fates.last_failure().clone()
    }

    /// Whoever asks [`DeadLetters::is_settled`] means the copies sent up to now.
    pub fn mark(&mut self) {
        self.era += 1;
    }

    /// Whether every copy that was sent before the last mark is acknowledged or given
    /// up.
    pub fn is_settled(&self) -> bool {
        self.fates.0.under_way.is_none_before(self.era)
    }

    /// No more copies come: waits until `by` for those under way, and gives up the others.
    pub fn end(&self, by: Instant) {
        let left = by.saturating_duration_since(Instant::now());
        if self.client.flush(left).is_err() {
            self.client.purge(PurgeConfig::default().queue().inflight());
            // What was purged is told by the client's thread, which `flush` waits for.
            let _ = self.client.flush(std::time::Duration::from_millis(500));
        }
    }

    fn try_send(&self, copy: &Outgoing<'_>) -> Result<(), KafkaError> {
        self.client.send(copy.to(&self.topic, self.era)).map_err(|(error, _)| error)
    }

    /// An idempotent producer that lost its place takes nothing more: the next copy is for
    /// a new one.
    fn begin_anew(&mut self) {
        let Ok(new) = client(&self.connection, &self.fates) else { return };
        let old = std::mem::replace(&mut self.client, new);
        // Its end takes up to half a second, for which counting does not wait.
        std::thread::spawn(move || drop(old));
    }
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetters").field("topic", &self.topic).finish_non_exhaustive()
    }
}

fn client(connection: &Connection, fates: &Fates) -> Result<ThreadedProducer<Fates>, KafkaError> {
    let mut config = connection.client(&DEFAULTS);
    for (name, value) in OURS {
        config.set(name, value);
    }
    config.create_with_context(fates.clone())
}

/// The record as it was, with our headers behind its own. Those of an earlier copy, which
/// was replayed and refused again, are replaced.
fn copy<'a>(letter: &DeadLetter<'a>, added: [&'a str; 4]) -> Outgoing<'a> {
    let mut headers = original_headers(letter.headers.iter().copied());
    headers.extend(ADDED.into_iter().zip(added).map(|(name, value)| (name, Some(value.as_bytes()))));
    Outgoing { key: letter.key, value: letter.value, timestamp: letter.timestamp, headers }
}

/// The headers that a record had before it was copied.
pub fn original_headers<'a>(headers: impl Iterator<Item = Header<'a>>) -> Vec<Header<'a>> {
    headers.filter(|(name, _)| !ADDED.contains(name)).collect()
}

/// The topic that a copied record stood in, and why it was refused; none where the record is
/// no copy of ours.
pub fn copied_from<'a>(headers: impl Iterator<Item = Header<'a>>) -> Option<(&'a str, &'a str)> {
    let (mut topic, mut reason) = (None, None);
    for (name, value) in headers {
        let text = || value.and_then(|value| std::str::from_utf8(value).ok());
        match name {
            TOPIC => topic = text(),
            REASON => reason = text(),
            _ => {}
        }
    }
    topic.zip(reason)
}

/// What to do about it.
fn remedy(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => "create the topic of dead_letter.topic, it is never made by itself",
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
            "raise max.message.bytes of the dead-letter topic above that of the rooms' topic"
        }
        Some(RDKafkaErrorCode::QueueFull) => {
            "more is refused than the dead-letter topic takes; look at its brokers, and at what is refused"
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
            "allow this user to write to the dead-letter topic"
        }
        Some(RDKafkaErrorCode::InvalidRecord) => {
            "the dead-letter topic wants other records: set its cleanup.policy to delete, and look at its limits of \
             timestamps"
        }
        _ => "look at the brokers of the dead-letter topic",
    }
}

impl Fates {
    fn settle(&self, era: usize, fate: Result<(), &KafkaError>) {
        match fate {
            Ok(()) => {
                self.0.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let why =
                    error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
                *self.last_failure() = Some(NotCopied { why, remedy: remedy(error) });
                // Whoever sees the count finds its reason.
                self.0.failed.fetch_add(1, Ordering::Release);
            }
        }
        self.0.under_way.settled(era);
    }

    fn last_failure(&self) -> MutexGuard<'_, Option<NotCopied>> {
        self.0.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Fates {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level as i32, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: LOG_TARGET, %error, "{reason}");
    }
}

impl ProducerContext for Fates {
    /// The era in which it was sent.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, era: usize) {
        self.settle(era, result.as_ref().map(|_| ()).map_err(|(error, _)| error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDED_VALUES: [&str; 4] = ["not_json", "rooms", "3", "17"];

    fn letter<'a>(headers: &[Header<'a>]) -> DeadLetter<'a> {
        DeadLetter {
            reason: "not_json",
            partition: Partition(3),
            offset: 17,
            key: None,
            value: Some(b"\xff"),
            timestamp: Some(Timestamp::from_millis(5)),
            headers: headers.to_vec(),
        }
    }

    fn added() -> Vec<Header<'static>> {
        ADDED.into_iter().zip(ADDED_VALUES.map(|value| Some(value.as_bytes()))).collect()
    }

    #[test]
    fn a_copy_has_everything_of_the_record_and_ours_behind() {
        let own = [("trace", Some(&b"\x00\xff"[..])), ("roomtally-if-unknown", Some(b"")), ("trace", None)];
        let copy = copy(&letter(&own), ADDED_VALUES);
        assert_eq!(copy.headers, [&own[..], &added()].concat());
        assert_eq!((copy.key, copy.value), (None, Some(&b"\xff"[..])));
        assert_eq!(copy.timestamp, Some(Timestamp::from_millis(5)));
    }

    #[test]
    fn a_copy_of_a_copy_has_the_headers_of_one() {
        let earlier = [
            ("roomtally-offset", Some(&b"1"[..])),
            ("own", Some(b"1")),
            ("roomtally-reason", Some(b"too_large")),
            ("roomtally-topic", None),
            ("roomtally-partition", Some(b"9")),
        ];
        let copy = copy(&letter(&earlier), ADDED_VALUES);
        assert_eq!(copy.headers, [&earlier[1..2], &added()].concat());
        assert_eq!(original_headers(copy.headers.iter().copied()), earlier[1..2]);
        assert_eq!(copied_from(copy.headers.into_iter()), Some(("rooms", "not_json")));
    }

    #[test]
    fn a_record_that_is_no_copy_is_known_by_its_headers() {
        assert_eq!(copied_from([].into_iter()), None);
        assert_eq!(copied_from([("roomtally-topic", Some(&b"t"[..]))].into_iter()), None);
        assert_eq!(copied_from([(REASON, Some(&b"r"[..])), (TOPIC, Some(b"\xff"))].into_iter()), None);
    }
}
