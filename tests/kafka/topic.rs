//! Topics as their owners handle them: made, filled, trimmed and deleted.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::model::Event;
use crate::node::{self, Node};
use crate::wait::until;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Records are kept for ever, as a topic of rooms wants it.
pub(crate) const FOR_EVER: (&str, &str) = ("retention.ms", "-1");

/// A topic of one test alone.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) servers: String,
    pub(crate) name: String,
    /// The shared node is there for as long as a topic of it is.
    _node: Option<Arc<Node>>,
    /// How this side signs in, where the node wants it.
    properties: Vec<(&'static str, String)>,
}

/// A record as it goes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) partition: Option<i32>,
    pub(crate) headers: Vec<OwnHeader>,
    pub(crate) timestamp: Option<i64>,
}

/// A header's name, and its value if it is not null.
pub(crate) type OwnHeader = (String, Option<Vec<u8>>);

/// A producer that minds what becomes of its records.
pub(crate) type Sender = BaseProducer<Deliveries>;

/// Counts what was not acknowledged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deliveries(Arc<AtomicU64>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let of_headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            partition: Some(message.partition()),
            headers: of_headers.map(|of| (of.key.to_owned(), of.value.map(<[u8]>::to_vec))).collect(),
            timestamp: message.timestamp().to_millis(),
        }
    }

    /// The value of the last header of this name, as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().rev().find(|(other, _)| other == name)?.1.as_deref()?;
        Some(std::str::from_utf8(value).unwrap())
    }

    /// Nearly as large as records may be by default, and not to be compressed.
    pub(crate) fn large(seed: usize) -> Self {
        let noise = (0..900_000_usize).map(|at| at.wrapping_mul(2_654_435_761 + 2 * seed).to_le_bytes()[3]);
        Self { key: Some(b"large".to_vec()), value: Some(noise.collect()), ..Self::default() }
    }
}

impl From<&Event> for Record {
    fn from(event: &Event) -> Self {
        Self {
            key: Some(event.room.clone().into_bytes()),
            value: event.value().map(String::into_bytes),
            ..Self::default()
        }
    }
}

impl Topic {
    /// A name that no other topic has; nothing is made.
    pub(crate) fn absent(servers: &str) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!("livechat.rooms-{}", MADE.fetch_add(1, Ordering::Relaxed));
        Self { servers: servers.to_owned(), name, _node: None, properties: Vec::new() }
    }

    /// The same topic for a user that signs in.
    pub(crate) fn signing_in(&self, user: &str, password: &str) -> Self {
        let properties = vec![
            ("security.protocol", "SASL_PLAINTEXT".to_owned()),
            ("sasl.mechanism", "PLAIN".to_owned()),
            ("sasl.username", user.to_owned()),
            ("sasl.password", password.to_owned()),
        ];
        Self { properties, ..self.clone() }
    }

    /// The same topic by another way.
    pub(crate) fn through(&self, servers: &str) -> Self {
        Self { servers: servers.to_owned(), ..self.clone() }
    }

    /// A new topic that keeps its records.
    pub(crate) fn new(servers: &str, partitions: i32) -> Self {
        Self::with(servers, partitions, &[FOR_EVER])
    }

    /// A new topic with these settings.
    pub(crate) fn with(servers: &str, partitions: i32, settings: &[(&str, &str)]) -> Self {
        let topic = Self::absent(servers);
        topic.create(partitions, settings);
        topic
    }

    /// A new topic of the shared node that keeps its records.
    pub(crate) fn shared(partitions: i32) -> Self {
        Self::shared_with(partitions, &[FOR_EVER])
    }

    /// A new topic of the shared node with these settings.
    pub(crate) fn shared_with(partitions: i32, settings: &[(&str, &str)]) -> Self {
        let node = node::shared();
        let topic = Self::with(&node.servers(), partitions, settings);
        Self { _node: Some(node), ..topic }
    }

    pub(crate) fn create(&self, partitions: i32, settings: &[(&str, &str)]) {
        self.try_create(partitions, settings).unwrap();
    }

    /// The same, where the name may still be taken by a topic that is being deleted.
    pub(crate) fn try_create(
        &self,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<(), RDKafkaErrorCode> {
        let mut new = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let made = block_on(async { self.admin().create_topics([&new], &options()).await });
        made.unwrap().pop().unwrap().map_err(|(_, error)| error)?;
        until("the new topic's partitions have a leader", || {
            let found = self.reader();
            let led = |partition| found.fetch_watermarks(&self.name, partition, TIMEOUT).is_ok();
            (0..partitions).all(led).then_some(())
        });
        Ok(())
    }

    pub(crate) fn delete(&self) {
        let gone = block_on(async { self.admin().delete_topics(&[&self.name], &options()).await });
        gone.unwrap().pop().unwrap().unwrap();
    }

    /// Adds partitions up to `total`.
    pub(crate) fn grow(&self, total: usize) {
        let new = NewPartitions::new(&self.name, total);
        let grown = block_on(async { self.admin().create_partitions([&new], &options()).await });
        grown.unwrap().pop().unwrap().unwrap();
    }

    /// Deletes the records of a partition before `offset`.
    pub(crate) fn trim(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, Offset::Offset(offset)).unwrap();
        let left = block_on(async { self.admin().delete_records(&list, &options()).await }).unwrap();
        left.elements()[0].error().unwrap();
    }

    /// Where each partition begins and ends, open transactions included.
    pub(crate) fn bounds(&self) -> Vec<(i64, i64)> {
        self.bounds_by(&self.reader())
    }

    /// The same, asked by this consumer.
    pub(crate) fn bounds_by(&self, reader: &BaseConsumer) -> Vec<(i64, i64)> {
        let found = reader.fetch_metadata(Some(&self.name), TIMEOUT).unwrap();
        let partitions = 0..i32::try_from(found.topics()[0].partitions().len()).unwrap();
        let bounds = |partition| reader.fetch_watermarks(&self.name, partition, TIMEOUT).ok();
        // A node that answers again may not lead its partitions yet.
        until("every partition's bounds", || partitions.clone().map(bounds).collect())
    }

    /// Sends events keyed by room, and returns when all are acknowledged.
    pub(crate) fn send(&self, events: &[Event]) {
        self.send_with(&[], events.iter().map(Record::from));
    }

    /// The same to one partition.
    pub(crate) fn send_to(&self, partition: impl TryInto<i32, Error: Debug>, events: &[Event]) {
        self.send_to_with(&[], partition.try_into().unwrap(), events);
    }

    /// The same with a producer of these properties.
    pub(crate) fn send_to_with(&self, properties: &[(&str, &str)], partition: i32, events: &[Event]) {
        let to = |event| Record { partition: Some(partition), ..Record::from(event) };
        self.send_with(properties, events.iter().map(to));
    }

    /// Sends records with a producer of these properties.
    pub(crate) fn send_with(&self, properties: &[(&str, &str)], records: impl IntoIterator<Item = Record>) {
        let sender = self.sender(properties);
        self.put(&sender, records);
    }

    /// A producer with these properties.
    pub(crate) fn sender(&self, properties: &[(&str, &str)]) -> Sender {
        let mut config = self.client();
        config.set("enable.idempotence", "true");
        config.set("linger.ms", "5");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        config.create_with_context(Deliveries::default()).unwrap()
    }

    /// Sends records and returns when all are acknowledged.
    pub(crate) fn put(&self, sender: &Sender, records: impl IntoIterator<Item = Record>) {
        for record in records {
            let mut out = BaseRecord::<[u8], [u8]>::to(&self.name);
            out.key = record.key.as_deref();
            out.payload = record.value.as_deref();
            out.partition = record.partition;
            out.timestamp = record.timestamp;
            let with = |headers: OwnedHeaders, (key, value): &OwnHeader| {
                headers.insert(Header { key, value: value.as_deref() })
            };
            let some = (!record.headers.is_empty()).then(OwnedHeaders::new);
            out.headers = some.map(|headers| record.headers.iter().fold(headers, with));
            sender.send(out).map_err(|(error, _)| error).unwrap();
        }
        sender.flush(TIMEOUT).unwrap();
        assert_eq!(sender.context().0.load(Ordering::Relaxed), 0, "every record is acknowledged");
    }

    /// Every record that it holds now, partition by partition.
    pub(crate) fn records(&self) -> Vec<Record> {
        let (reader, mut records) = (self.reader(), Vec::new());
        for (partition, (begin, end)) in self.bounds().into_iter().enumerate() {
            let mut list = TopicPartitionList::new();
            let partition = i32::try_from(partition).unwrap();
            list.add_partition_offset(&self.name, partition, Offset::Offset(begin)).unwrap();
            reader.assign(&list).unwrap();
            let mut next = begin;
            while next < end {
                let Some(Ok(message)) = reader.poll(TIMEOUT) else { continue };
                next = message.offset() + 1;
                records.push(Record::of(&message));
            }
        }
        records
    }

    /// The names of all topics that there are beside it; none is made by asking.
    pub(crate) fn all_topics(&self) -> Vec<String> {
        let found = self.reader().fetch_metadata(None, TIMEOUT).unwrap();
        found.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// A consumer of this topic that reads nothing yet.
    pub(crate) fn reader(&self) -> BaseConsumer {
        self.reader_of_group("suite")
    }

    /// The same under a group's name.
    pub(crate) fn reader_of_group(&self, group: &str) -> BaseConsumer {
        let mut config = self.client();
        config.set("group.id", group).set("enable.auto.commit", "false").set("enable.partition.eof", "true");
        config.create().unwrap()
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        for (name, value) in &self.properties {
            config.set(*name, value);
        }
        config
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
