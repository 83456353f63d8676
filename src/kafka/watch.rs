//! The thread that looks after broker and topic.
//!
//! Owns a client of its own, so that its questions never wait behind a fetch.
//! Every second it asks which partitions there are and where they begin and
//! end, before the first open transaction as the reader sees it. What it
//! reports as an end could be read at the instant that stands beside it.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use crate::kafka::context::Context;
use crate::kafka::{Connection, LogEvent, OutOfSight, PartitionBounds, Sighting};
use crate::log::{NextOffset, Partition};
use crate::room::Timestamp;

/// Between two looks. `x-roomtally-as-of` is at most 5 s old, so there is room
/// for an answer that comes late.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long one question waits for its answer. A connection that takes longer
/// to be made goes on being made, and the next look finds it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long the client's queue is listened to after a look.
const HEARING: Duration = Duration::from_millis(10);

/// Looks after broker and topic.
#[derive(Debug)]
pub struct Watch(());

impl Watch {
    /// Starts the thread. It reports until `stop` or until nobody receives; it
    /// is not waited for, since a question to a broker that is away takes long.
    ///
    /// # Errors
    /// When the client cannot be made from its properties.
    pub fn start(
        connection: Connection,
        events: SyncSender<LogEvent>,
        stop: CancellationToken,
        now: fn() -> Timestamp,
    ) -> Result<Self, KafkaError> {
        let looking = Looking::new(connection)?;
        let watch = move || {
            // A panic here must not leave the service with a watch that sees nothing.
            let _ends_the_service = stop.clone().drop_guard();
            while !stop.is_cancelled() {
                if events.send(looking.look(now())).is_err() {
                    break;
                }
                thread::sleep(INTERVAL);
            }
        };
        let thread = thread::Builder::new().name("kafka-watch".to_owned()).spawn(watch);
        thread.map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self(()))
    }
}

/// A client that looks at a topic.
pub(super) struct Looking {
    connection: Connection,
    consumer: BaseConsumer<Context>,
    context: Context,
}

impl Looking {
    pub(super) fn new(connection: Connection) -> KafkaResult<Self> {
        let context = Context::default();
        let consumer = connection.consumer(context.clone())?;
        Ok(Self { connection, consumer, context })
    }

    /// Looks once.
    pub(super) fn look(&self, at: Timestamp) -> LogEvent {
        let seen = self.sight(at);
        // Errors of the connection, and their reasons, wait in the client's queue
        // among its log lines until it is polled.
        while self.consumer.poll(HEARING).is_some() {}
        let reason = self.context.take_reason();
        match seen {
            Ok(Some(sighting)) => LogEvent::Sighted(sighting),
            Ok(None) => LogEvent::OutOfSight(OutOfSight::TopicAbsent),
            Err(error) => {
                let reason = reason.unwrap_or_else(|| error.to_string());
                LogEvent::OutOfSight(OutOfSight::BrokerAway { reason })
            }
        }
    }

    /// The topic as it is, or none when there is no such topic.
    fn sight(&self, at: Timestamp) -> KafkaResult<Option<Sighting>> {
        let Some(partitions) = self.partitions()? else { return Ok(None) };
        let begins = self.offsets(&partitions, Offset::Beginning)?;
        let ends = self.offsets(&partitions, Offset::End)?;
        let bounds = partitions.into_iter().zip(begins.into_iter().zip(ends));
        let partitions =
            bounds.map(|(partition, (begin, end))| PartitionBounds { partition, begin, end }).collect();
        Ok(Some(Sighting { at, partitions }))
    }

    fn partitions(&self) -> KafkaResult<Option<Vec<Partition>>> {
        let metadata = self.consumer.fetch_metadata(Some(&self.connection.topic), TIMEOUT)?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.connection.topic);
        let Some(topic) = topic else { return Ok(None) };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Ok(None);
            }
            Some(error) => return Err(KafkaError::MetadataFetch(error)),
        }
        let mut partitions: Vec<_> = topic.partitions().iter().map(|found| Partition(found.id())).collect();
        partitions.sort_unstable();
        Ok(Some(partitions))
    }

    /// Where each partition begins or ends, in the order of `partitions`.
    fn offsets(&self, partitions: &[Partition], of: Offset) -> KafkaResult<Vec<NextOffset>> {
        let topic = &self.connection.topic;
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            asked.add_partition_offset(topic, partition.0, of)?;
        }
        // Kafka takes "beginning" and "end" for times here, and answers for all
        // partitions of a broker in one request, with our isolation level.
        let found = self.consumer.offsets_for_times(asked, TIMEOUT)?;
        let offset = |partition: &Partition| {
            let element = found.find_partition(topic, partition.0);
            let element = element.ok_or(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition))?;
            element.error()?;
            match element.offset() {
                Offset::Offset(offset) => Ok(NextOffset::at(offset)),
                _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition)),
            }
        };
        partitions.iter().map(offset).collect()
    }
}
