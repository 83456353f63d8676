//! How quickly Kafka's client alone hands out a topic: the ceiling of whatever reads one.
//!
//! ```sh
//! bare_client --bootstrap-servers 127.0.0.1:9092 --topic livechat.rooms [--client-defaults]
//! ```
//!
//! Owns a loop of `rd_kafka_consume_batch_queue` that gives every record back unread, from
//! the beginning of each partition to its end, with the properties of roomtally's own
//! consumer, or with the client's own. `scripts/bench` starts it and takes the time.
//!
//! Safety. The queue is given back before the consumer it belongs to is dropped; every
//! message that the call hands out is given back once, and read before, while it is ours.

#![allow(unsafe_code, reason = "the ceiling is the client's own call, which rdkafka does not expose")]

mod arguments;

use std::ptr;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use roomtally::kafka::{Connection, Properties};

use arguments::{Arguments, stop};

/// Records that one call may hand out.
const AT_A_TIME: usize = 10_000;
const NO_ERROR: i32 = 0;
const END_OF_PARTITION: i32 = -191;
const PATIENCE: Duration = Duration::from_secs(10);

/// What was handed out.
#[derive(Default)]
struct Read {
    records: u64,
    bytes: u64,
    ends: usize,
}

fn main() {
    let Some(arguments) = Arguments::given() else { return };
    let connection = Connection {
        bootstrap_servers: arguments.text("--bootstrap-servers").to_owned(),
        topic: arguments.text("--topic").to_owned(),
        properties: Properties::default(),
    };
    let config = if arguments.has("--client-defaults") {
        own_defaults(&connection.bootstrap_servers)
    } else {
        connection.reading(0)
    };
    if let Err(error) = read(&config, &connection.topic) {
        stop(&error.to_string());
    }
}

/// What the client does unasked; only that ends are told is added.
fn own_defaults(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers).set("group.id", "bare-client");
    config.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
    config
}

fn read(config: &ClientConfig, topic: &str) -> KafkaResult<()> {
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let found = metadata.topics().first().map(MetadataTopic::partitions).unwrap_or_default();
    let partitions: Vec<_> = found.iter().map(MetadataPartition::id).collect();
    if partitions.is_empty() {
        stop(&format!("there is no topic {topic}"));
    }
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut read = Read::default();
    take_all(&consumer, partitions.len(), &mut read);
    // Before the consumer is closed, which belongs to no reading.
    println!("{} records, {} bytes", read.records, read.bytes);
    Ok(())
}

fn take_all(consumer: &BaseConsumer, partitions: usize, read: &mut Read) {
    let mut messages = vec![ptr::null_mut(); AT_A_TIME];
    // Safety: the client is alive, and the reference to its queue is ours.
    let queue = unsafe { native::rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
    while read.ends < partitions {
        // Safety: the queue is alive, and `messages` is as long as said.
        let taken =
            unsafe { native::rd_kafka_consume_batch_queue(queue, 100, messages.as_mut_ptr(), AT_A_TIME) };
        for &message in &messages[..usize::try_from(taken).unwrap_or(0)] {
            // Safety: the call handed out this message, and nobody else holds it.
            unsafe {
                look_at(message, read);
                native::rd_kafka_message_destroy(message);
            }
        }
    }
    // Safety: it is ours, and given back once.
    unsafe { native::rd_kafka_queue_destroy(queue) };
}

/// # Safety
/// The message must be one that librdkafka handed out and has not taken back.
unsafe fn look_at(message: *mut native::rd_kafka_message_t, read: &mut Read) {
    // Safety: as this function's own. The code is read as a number, since brokers answer with
    // more than the list that it is an enum of.
    let (code, length) = unsafe { ((&raw const (*message).err).cast::<i32>().read(), (*message).len) };
    match code {
        NO_ERROR => {
            read.records += 1;
            read.bytes += length as u64;
        }
        END_OF_PARTITION => read.ends += 1,
        code => stop(&format!("the client reports error {code}")),
    }
}
