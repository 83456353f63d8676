//! All that a topic holds at one instant, read once.
//!
//! Owns a client that reads every partition from its beginning to the end that it had
//! when it was opened. What comes later is not part of it, so that whoever writes while
//! it reads does not read for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use crate::kafka::context::Context;
use crate::kafka::looking::{Looking, offsets};
use crate::kafka::queue::Queue;
use crate::kafka::{Batch, BatchRecord, Connection, LogEvent, OutOfSight};
use crate::log::{NextOffset, Partition};
use crate::room::Timestamp;

/// Records taken at a time.
const BATCH_RECORDS: usize = 1_000;

/// How soon a stop is seen while nothing comes.
const STOP_LOOK: Duration = Duration::from_millis(100);

/// For how long nothing may come; the client itself tries again meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a topic cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// The broker has no such topic.
    #[error("Kafka has no topic {0}; create it, or name another")]
    TopicAbsent(String),
    /// No answer from the broker, or none of use.
    #[error("cannot read topic {topic}: {reason}")]
    Unreadable {
        /// Which topic.
        topic: String,
        /// What the client said.
        reason: String,
    },
}

/// A topic's records.
pub struct Stored {
    queue: Queue,
    topic: String,
    records: u64,
    ends: BTreeMap<Partition, NextOffset>,
    /// Partitions that are not read to their end yet.
    unread: BTreeMap<Partition, NextOffset>,
}

impl Stored {
    /// Looks where the connection's topic begins and ends, and begins to read.
    ///
    /// # Errors
    /// When broker or topic are not there.
    pub fn open(connection: &Connection, now: Timestamp) -> Result<Self, StoredError> {
        let topic = connection.topic.clone();
        let unreadable = |reason: String| StoredError::Unreadable { topic: topic.clone(), reason };
        let failed = |error: KafkaError| unreadable(error.to_string());
        let mut looking = Looking::new(connection.clone()).map_err(failed)?;
        let bounds = match looking.look_settled(now) {
            LogEvent::OutOfSight(OutOfSight::TopicAbsent) => return Err(StoredError::TopicAbsent(topic)),
            LogEvent::OutOfSight(OutOfSight::BrokerAway { reason }) => return Err(unreadable(reason)),
            LogEvent::Sighted(sighting) => sighting.partitions,
            _ => Vec::new(),
        };
        let begins: Vec<_> = bounds.iter().map(|of| (of.partition, of.begin)).collect();
        let consumer = connection.consumer(Context::default()).map_err(failed)?;
        consumer.assign(&offsets(&topic, &begins).map_err(failed)?).map_err(failed)?;
        let ends: BTreeMap<_, _> = bounds.iter().map(|of| (of.partition, of.end)).collect();
        let unread = bounds.iter().filter(|of| of.begin < of.end).map(|of| (of.partition, of.end)).collect();
        let records = bounds.iter().map(|of| of.end.records_since(of.begin)).sum();
        let queue = Queue::new(consumer, BATCH_RECORDS);
        Ok(Self { queue, topic, records, ends, unread })
    }

    /// How many offsets lie between the beginnings and the ends.
    pub fn offsets(&self) -> u64 {
        self.records
    }

    /// Whether a record stood there when the topic was opened.
    pub fn has(&self, record: &BatchRecord<'_>) -> bool {
        let end = self.ends.get(&record.partition);
        end.is_some_and(|&end| NextOffset::at(record.offset) < end)
    }

    /// The next records, among which may be later ones; none when all were given, or on a
    /// stop.
    ///
    /// # Errors
    /// When nothing comes for half a minute, or a partition cannot be read on.
    pub fn next(&mut self, stop: &CancellationToken) -> Result<Option<Batch>, StoredError> {
        let deadline = Instant::now() + PATIENCE;
        let mut last_fault = None;
        while !self.unread.is_empty() && !stop.is_cancelled() {
            let mut batch = Batch::default();
            self.queue.take(STOP_LOOK, &mut batch, |fault| last_fault = Some(fault));
            let damage = last_fault.take_if(|fault| fault.kind.is_damage());
            if Instant::now() >= deadline || damage.is_some() {
                let reason = damage.or(last_fault).map(|fault| fault.message);
                let reason = reason.unwrap_or_else(|| format!("nothing came for {} s", PATIENCE.as_secs()));
                return Err(StoredError::Unreadable { topic: self.topic.clone(), reason });
            }
            for record in batch.records() {
                self.reach(record.partition, NextOffset::at(record.offset + 1));
            }
            for &(partition, end) in batch.ends() {
                self.reach(partition, end);
            }
            if batch.records().next().is_some() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn reach(&mut self, partition: Partition, next: NextOffset) {
        if self.unread.get(&partition).is_some_and(|&end| next >= end) {
            self.unread.remove(&partition);
        }
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored")
            .field("topic", &self.topic)
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}
