//! A look at the topic before anything is read from it, for `roomtally check`.
//!
//! Owns the settings of the topic that can hurt a count, and a sample of its
//! newest records.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::context::Context;
use crate::kafka::looking::Looking;
use crate::kafka::queue::Queue;
use crate::kafka::{Batch, Connection, LogEvent, OutOfSight, PartitionBounds};
use crate::log::LogIdentity;
use crate::room::Timestamp;

/// How many of the newest records of each partition are looked at.
const SAMPLE_RECORDS: i64 = 100;

/// How long the broker has for each answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Debug)]
pub struct Inspection {
    /// Which log it is, as far as the broker tells.
    pub identity: LogIdentity,
    /// Every partition of the topic.
    pub partitions: Vec<PartitionBounds>,
    /// `cleanup.policy`, such as `delete` or `compact`, if the broker tells.
    pub cleanup_policy: Option<String>,
    /// `retention.ms`; negative is for ever.
    pub retention_ms: Option<i64>,
    /// `message.timestamp.type`, whose instants records have: `CreateTime` or `LogAppendTime`.
    pub timestamp_type: Option<String>,
    /// `retention.bytes` a partition; negative is without limit.
    pub retention_bytes: Option<i64>,
    /// `max.message.bytes`: the largest batch of records.
    pub max_message_bytes: Option<i64>,
    /// The newest records of each partition.
    pub sample: Batch,
}

/// Looks at the topic.
///
/// # Errors
/// What keeps the topic out of sight.
pub async fn inspect(connection: &Connection, now: Timestamp) -> Result<Inspection, OutOfSight> {
    let away = |error: KafkaError| OutOfSight::BrokerAway { reason: error.to_string() };
    let mut looking = Looking::new(connection.clone()).map_err(away)?;
    let (identity, partitions) = match looking.look_settled(now) {
        LogEvent::Sighted(sighting) => (sighting.identity, sighting.partitions),
        LogEvent::OutOfSight(why) => return Err(why),
        _ => Default::default(),
    };
    let settings = settings(connection).await.unwrap_or_default();
    let setting =
        |name: &str| settings.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.clone());
    let number = |name: &str| setting(name).and_then(|value| value.parse().ok());
    Ok(Inspection {
        identity,
        cleanup_policy: setting("cleanup.policy"),
        retention_ms: number("retention.ms"),
        timestamp_type: setting("message.timestamp.type"),
        retention_bytes: number("retention.bytes"),
        max_message_bytes: number("max.message.bytes"),
        sample: sample(connection, &partitions).map_err(away)?,
        partitions,
    })
}

/// The topic's settings; a broker that does not tell them is no fault.
async fn settings(connection: &Connection) -> KafkaResult<Vec<(String, Option<String>)>> {
    let admin: AdminClient<Context> = connection.client(&[]).create_with_context(Context::default())?;
    let topic = ResourceSpecifier::Topic(&connection.topic);
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let found = admin.describe_configs([&topic], &options).await?;
    let entries = found.into_iter().filter_map(Result::ok).flat_map(|resource| resource.entries);
    Ok(entries.map(|entry| (entry.name, entry.value)).collect())
}

/// The newest records of each partition.
fn sample(connection: &Connection, partitions: &[PartitionBounds]) -> KafkaResult<Batch> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for bounds in partitions {
        let from = (bounds.end.as_offset() - SAMPLE_RECORDS).max(bounds.begin.as_offset());
        list.add_partition_offset(&connection.topic, bounds.partition.0, Offset::Offset(from))?;
    }
    let consumer = connection.consumer(Context::default())?;
    consumer.assign(&list)?;
    let mut queue = Queue::new(consumer, 1_000);
    let mut batch = Batch::default();
    let deadline = Instant::now() + TIMEOUT;
    while batch.ends().len() < partitions.len() && Instant::now() < deadline {
        queue.take(Duration::from_millis(100), &mut batch, |fault| {
            tracing::debug!(?fault, "while the newest records were looked at");
        });
    }
    Ok(batch.copied())
}
