//! One look at broker and topic: partitions, begins, ends, and which log it is.
//!
//! Owns a client of its own, so that its questions never wait behind a fetch.
//! What it reports as an end could be read at the instant that stands beside it.
//! The identity is asked for last, and no topic's id comes back once the topic is
//! gone: bounds beside the id that is known are that log's own.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::context::Context;
use crate::kafka::native;
use crate::kafka::topic_id::topic_id;
use crate::kafka::{Connection, LogEvent, OutOfSight, PartitionBounds, ReadFrom, Sighting};
use crate::log::{LogIdentity, NextOffset, Partition, TopicId};
use crate::room::Timestamp;

/// How long one question waits for its answer. A connection that takes longer
/// to be made goes on being made, and the next look finds it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The same for the topic's id: a look is worth more in time than with it. Where that
/// was too short, the next look waits as long as for its other questions, the first of
/// which is the same to the broker: on a way that is slow for one it is for both.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long partitions may be without a leader until that is told.
const SETTLING: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long the client's queue is listened to after a look.
const HEARING: Duration = Duration::from_millis(10);

/// A client that looks at a topic.
pub(super) struct Looking {
    connection: Connection,
    consumer: BaseConsumer<Context>,
    context: Context,
    read_from: ReadFrom,
    /// It was said that records are read from another cluster, and they are still.
    said_apart: bool,
    id: IdTold,
}

/// What became of the questions for the topic's id.
#[derive(Debug, Default)]
struct IdTold {
    /// It was told once.
    ever: bool,
    /// The last answer took longer than usual.
    late: bool,
    /// It was said that it is not told, and it has not been since.
    said_untold: bool,
}

impl Looking {
    pub(super) fn new(connection: Connection) -> KafkaResult<Self> {
        let context = Context::default();
        let consumer = connection.consumer(context.clone())?;
        let read_from = ReadFrom::default();
        Ok(Self { connection, consumer, context, read_from, said_apart: false, id: IdTold::default() })
    }

    /// Looks after these records too: those of another cluster are another log's.
    pub(super) fn beside(self, read_from: ReadFrom) -> Self {
        Self { read_from, ..self }
    }

    /// Looks once.
    pub(super) fn look(&mut self, at: Timestamp) -> LogEvent {
        let seen = self.sight(at);
        self.told(seen)
    }

    /// Looks for whoever looks only once: while partitions have no leader yet, as those
    /// of a topic that was made a moment ago, it looks again for some seconds.
    pub(super) fn look_settled(&mut self, at: Timestamp) -> LogEvent {
        let deadline = Instant::now() + SETTLING;
        loop {
            let seen = self.sight(at);
            let is_settling = seen.as_ref().is_err_and(has_no_leader_yet);
            if !is_settling || Instant::now() >= deadline {
                return self.told(seen);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// What was seen, with the reason that the client gives for what was not.
    fn told(&self, seen: KafkaResult<Option<Sighting>>) -> LogEvent {
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

    /// Leaves the positions with the broker, where tools that show lag look for
    /// them; how it went is told by the client's queue, later.
    pub(super) fn commit(&self, positions: &[(Partition, NextOffset)]) {
        let committed = offsets(&self.connection.topic, positions)
            .and_then(|list| self.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = committed {
            self.context.cannot_commit(&error);
        }
    }

    /// The topic as it is, or none when there is no such topic.
    fn sight(&mut self, at: Timestamp) -> KafkaResult<Option<Sighting>> {
        let metadata = self.consumer.fetch_metadata(Some(&self.connection.topic), TIMEOUT)?;
        let Some(partitions) = self.partitions(&metadata)? else { return Ok(None) };
        let begins = self.offsets(&partitions, Offset::Beginning)?;
        let ends = self.offsets(&partitions, Offset::End)?;
        let identity = self.identity(&metadata);
        let bounds = partitions.into_iter().zip(begins.into_iter().zip(ends));
        let partitions =
            bounds.map(|(partition, (begin, end))| PartitionBounds { partition, begin, end }).collect();
        Ok(Some(Sighting { at, identity, partitions }))
    }

    fn partitions(&self, metadata: &Metadata) -> KafkaResult<Option<Vec<Partition>>> {
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.connection.topic);
        let Some(topic) = topic else { return Ok(None) };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(error) if is_absent(error) => return Ok(None),
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

    /// Which log this is, asked of the broker that told of the topic. What it does
    /// not tell is none: all else of the look is as good without. Where records are
    /// read from another cluster, it is that one.
    fn identity(&mut self, metadata: &Metadata) -> LogIdentity {
        let topic = self.topic_id(metadata);
        // The answer about the topic has brought the cluster's id along.
        let seen = native::cluster_id(self.consumer.client());
        let read = self.read_from.cluster().filter(|read| seen.as_ref().is_some_and(|seen| seen != read));
        if let (Some(read), false) = (&read, self.said_apart) {
            tracing::error!(
                topic = self.connection.topic,
                bootstrap_servers = self.connection.bootstrap_servers,
                "records are read from the cluster {read}, and the topic is looked at in the cluster {}: the \
                 names lead to two clusters",
                seen.as_deref().unwrap_or_default()
            );
        }
        self.said_apart = read.is_some();
        LogIdentity { cluster: read.or(seen), topic }
    }

    fn topic_id(&mut self, metadata: &Metadata) -> Option<TopicId> {
        let told_by = metadata.orig_broker_id();
        let other = || metadata.brokers().first().map(rdkafka::metadata::MetadataBroker::id);
        // The client may not know yet which of the brokers it is that it has reached.
        let broker = (told_by >= 0).then_some(told_by).or_else(other)?;
        let client = self.consumer.client();
        let (asked, time) = (Instant::now(), if self.id.late { TIMEOUT } else { IDENTITY_TIMEOUT });
        let told = topic_id(client, broker, &self.connection.topic, time);
        self.id.late = asked.elapsed() >= IDENTITY_TIMEOUT;
        let why = match told {
            Ok(Some(id)) => {
                (self.id.ever, self.id.said_untold) = (true, false);
                return Some(id);
            }
            Ok(None) => "it is too old to have one (Kafka 2.8 has)".to_owned(),
            // Deleted since the metadata: the next look says so.
            Err(error) if error.rdkafka_error_code().is_some_and(is_absent) => return None,
            Err(error) => error.to_string(),
        };
        self.say_untold(&why);
        None
    }

    fn say_untold(&mut self, why: &str) {
        if std::mem::replace(&mut self.id.said_untold, true) {
            return;
        }
        let meanwhile = if self.id.ever {
            "until it does again, nothing that is counted can be verified"
        } else {
            "unless it was told before this start, a topic that is deleted and made anew is recognised by its \
             records and offsets alone"
        };
        tracing::warn!(
            topic = self.connection.topic,
            "the broker does not tell the topic's id: {why}; {meanwhile}"
        );
    }
}

fn is_absent(error: RDKafkaErrorCode) -> bool {
    matches!(error, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
}

/// A leader is chosen soon.
fn has_no_leader_yet(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};
    matches!(error.rdkafka_error_code(), Some(LeaderNotAvailable | NotLeaderForPartition))
}

/// The positions as the client wants them.
pub(super) fn offsets(topic: &str, positions: &[(Partition, NextOffset)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (partition, next) in positions {
        list.add_partition_offset(topic, partition.0, Offset::Offset(next.as_offset()))?;
    }
    Ok(list)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]
mod tests {
    use super::*;
    use crate::kafka::{EmbeddedBroker, Properties};
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::RDKafkaRespErr;

    fn looking(bootstrap_servers: String) -> Looking {
        let topic = "livechat.rooms".to_owned();
        Looking::new(Connection { bootstrap_servers, topic, properties: Properties::default() }).unwrap()
    }

    #[test]
    fn a_broker_that_is_not_there_is_away() {
        // Nothing listens on port 1.
        let seen = looking("127.0.0.1:1".to_owned()).look(Timestamp::from_millis(0));
        assert!(matches!(seen, LogEvent::OutOfSight(OutOfSight::BrokerAway { .. })), "{seen:?}");
    }

    #[test]
    fn a_look_tells_which_log_it_is() {
        let broker = EmbeddedBroker::start("livechat.rooms", 2).unwrap();
        let mut looking = looking(broker.bootstrap_servers());
        let identities = [1, 2].map(|second| match looking.look(Timestamp::from_millis(second * 1_000)) {
            LogEvent::Sighted(Sighting { identity, .. }) => identity,
            other => panic!("{other:?}"),
        });
        let [first, second] = identities;
        assert!(first.cluster.is_some() && first.topic.is_some(), "{first:?}");
        assert_eq!(first, second);
    }

    #[test]
    fn a_topic_without_leaders_is_looked_at_again_by_those_who_look_once() {
        let broker = MockCluster::new(1).unwrap();
        broker.create_topic("livechat.rooms", 2, 1).unwrap();
        let no_leader = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;
        broker.topic_error("livechat.rooms", no_leader).unwrap();
        let mut looking = looking(broker.bootstrap_servers());
        let at = Timestamp::from_millis(0);
        let seen = looking.look(at);
        assert!(matches!(seen, LogEvent::OutOfSight(OutOfSight::BrokerAway { .. })), "{seen:?}");
        std::thread::scope(|scope| {
            let seen = scope.spawn(|| looking.look_settled(at));
            std::thread::sleep(3 * LOOK_AGAIN);
            broker.topic_error("livechat.rooms", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
            let seen = seen.join().unwrap();
            assert!(matches!(seen, LogEvent::Sighted(_)), "{seen:?}");
        });
    }
}
