//! What is in a topic.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::records::Written;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Every record that is there now, by partition; none if there is no topic.
pub(crate) fn read(servers: &str, topic: &str) -> Vec<Written> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "connectors").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
    let (mut list, mut expected) = (TopicPartitionList::new(), 0);
    for partition in metadata.topics()[0].partitions() {
        let Ok((begin, end)) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT) else {
            return Vec::new();
        };
        list.add_partition_offset(topic, partition.id(), Offset::Offset(begin)).unwrap();
        expected += end - begin;
    }
    consumer.assign(&list).unwrap();
    let expected = usize::try_from(expected).unwrap();
    let mut records = Vec::new();
    while records.len() < expected {
        let message = consumer.poll(TIMEOUT).expect("a record in time").unwrap();
        records.push((message.offset(), written(&message)));
    }
    records.sort_by_key(|(offset, record)| (record.partition, *offset));
    records.into_iter().map(|(_, record)| record).collect()
}

fn written(message: &BorrowedMessage<'_>) -> Written {
    let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text"));
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers: BTreeMap<_, _> =
        headers.map(|header| (header.key.to_owned(), text(header.value).unwrap_or_default())).collect();
    Written {
        partition: message.partition(),
        key: text(message.key()),
        value: text(message.payload()),
        headers,
    }
}
