//! A record on its way out, as it is to stand in a topic.
//!
//! Owns how a record is handed to the client: what is null stays null, what is empty
//! stays empty, and headers keep their order.

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::util::IntoOpaque;

use crate::kafka::batch;
use crate::room::Timestamp;

/// A record before it has a partition and an offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Kafka's timestamp of it; none is the instant at which it is sent.
    pub timestamp: Option<Timestamp>,
    /// In this order; a name may come several times.
    pub headers: Vec<batch::Header<'a>>,
}

impl<'a> Outgoing<'a> {
    /// The record as the client takes it; `opaque` comes back with what became of it.
    pub(super) fn to<D: IntoOpaque>(&self, topic: &'a str, opaque: D) -> BaseRecord<'a, [u8], [u8], D> {
        let mut record = BaseRecord::with_opaque_to(topic, opaque);
        record.key = self.key;
        record.payload = self.value;
        record.timestamp = self.timestamp.map(Timestamp::as_millis);
        if !self.headers.is_empty() {
            let empty = OwnedHeaders::new_with_capacity(self.headers.len());
            let with = |headers: OwnedHeaders, &(key, value): &batch::Header<'_>| {
                headers.insert(Header { key, value })
            };
            record.headers = Some(self.headers.iter().fold(empty, with));
        }
        record
    }
}
