//! Records on their way from the client to the aggregator.
//!
//! Owns the client's messages, unread and not copied, until the batch is emptied; so asking for
//! a header costs nobody who does not want it. What is to outlive the client, or comes from
//! elsewhere, is copied into one buffer. Records of one partition stand in the order of their offsets.

use std::borrow::Cow;
use std::ops::Range;

use crate::decode::IF_UNKNOWN_HEADER;
use crate::kafka::native::{Message, Messages};
use crate::log::{Canary, NextOffset, Partition};
use crate::room::Timestamp;

/// As far as a buffer is kept that grew for copies.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Some records, and the partitions' ends that were reached behind them.
#[derive(Default)]
pub struct Batch {
    assignment: u64,
    pub(super) messages: Messages,
    records: Vec<Place>,
    ends: Vec<(Partition, NextOffset)>,
    /// How many bytes keys and values of messages have.
    message_bytes: usize,
    copies: Vec<Copied>,
    /// Those of the first copy that has some, then those of the next one.
    headers: Vec<CopiedHeader>,
    bytes: Vec<u8>,
}

/// Where a record stands: its number among all messages, or among all copies.
#[derive(Debug, Clone, Copy)]
enum Place {
    Message(usize),
    Copy(usize),
}

#[derive(Debug)]
struct Copied {
    partition: Partition,
    offset: i64,
    timestamp: Option<Timestamp>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
}

#[derive(Debug)]
struct CopiedHeader {
    /// The number of its copy.
    copy: usize,
    name: Range<usize>,
    value: Option<Range<usize>>,
}

/// A header's name, and its value if it is not null.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// The headers of one record.
#[derive(Debug)]
pub struct Headers<'a>(Vec<(Cow<'a, str>, Option<&'a [u8]>)>);

impl Headers<'_> {
    /// The headers in their order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'_>> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }
}

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRecord<'a> {
    /// The partition it came from.
    pub partition: Partition,
    /// Its offset there.
    pub offset: i64,
    /// Kafka's timestamp of it.
    pub timestamp: Option<Timestamp>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; none is a tombstone.
    pub value: Option<&'a [u8]>,
}

impl BatchRecord<'_> {
    /// What there is to remember of it to find it again.
    pub fn canary(&self) -> Canary {
        Canary::of(self.offset, self.timestamp.map(Timestamp::as_millis), self.key, self.value)
    }
}

impl<'a> BatchRecord<'a> {
    /// The record that a message is, if it is one.
    fn of(message: Message<'a>) -> Option<Self> {
        let fields = message.fields();
        let partition = fields.partition.filter(|_| message.is_record())?;
        let (offset, timestamp) = (fields.offset, message.timestamp());
        Some(Self { partition, offset, timestamp, key: fields.key, value: fields.payload })
    }
}

impl Batch {
    /// Emptied, for what is read for the order of this number; the memory stays, unless a few
    /// large records have made it large.
    pub fn reuse(&mut self, assignment: u64) {
        self.clear();
        self.assignment = assignment;
    }

    /// The same without the client's messages, for keeping it longer than the client.
    pub(super) fn copied(&self) -> Self {
        let mut copy = Self { assignment: self.assignment, ends: self.ends.clone(), ..Self::default() };
        for (at, record) in self.records().enumerate() {
            copy.push(&record);
            self.headers(at).iter().for_each(|header| copy.push_header(header));
        }
        copy
    }

    /// Gives all messages back to the client and forgets the rest.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.records.clear();
        self.ends.clear();
        self.message_bytes = 0;
        self.copies.clear();
        self.headers.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
    }

    /// The number of the order that it was read for, see [`super::Reader::assign`].
    pub fn assignment(&self) -> u64 {
        self.assignment
    }

    /// Adds the record that the message at this place is, which has so many bytes.
    pub(super) fn keep(&mut self, message: usize, bytes: usize) {
        self.records.push(Place::Message(message));
        self.message_bytes += bytes;
    }

    /// Adds a copy of a record.
    pub fn push(&mut self, record: &BatchRecord<'_>) {
        let BatchRecord { partition, offset, timestamp, .. } = *record;
        let (key, value) = (self.copy(record.key), self.copy(record.value));
        self.records.push(Place::Copy(self.copies.len()));
        self.copies.push(Copied { partition, offset, timestamp, key, value });
    }

    /// Adds a header to the copy that was added last.
    pub fn push_header(&mut self, (name, value): Header<'_>) {
        let Some(copy) = self.copies.len().checked_sub(1) else { return };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        let name = start..self.bytes.len();
        let value = self.copy(value);
        self.headers.push(CopiedHeader { copy, name, value });
    }

    /// Notes that a partition has been read up to `end`, behind the records so far.
    pub fn reach_end(&mut self, partition: Partition, end: NextOffset) {
        self.ends.push((partition, end));
    }

    /// The records in the order in which they came.
    pub fn records(&self) -> impl Iterator<Item = BatchRecord<'_>> {
        self.records.iter().filter_map(|&place| self.at(place))
    }

    /// The record at this place among them.
    pub fn record(&self, at: usize) -> Option<BatchRecord<'_>> {
        self.records.get(at).and_then(|&place| self.at(place))
    }

    fn at(&self, place: Place) -> Option<BatchRecord<'_>> {
        let bytes = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        match place {
            Place::Message(at) => BatchRecord::of(self.messages.get(at)?),
            Place::Copy(at) => self.copies.get(at).map(|copied| BatchRecord {
                partition: copied.partition,
                offset: copied.offset,
                timestamp: copied.timestamp,
                key: bytes(&copied.key),
                value: bytes(&copied.value),
            }),
        }
    }

    /// The headers of the record at this place.
    pub fn headers(&self, at: usize) -> Headers<'_> {
        Headers(self.headers_of(at).collect())
    }

    fn headers_of(&self, at: usize) -> impl Iterator<Item = (Cow<'_, str>, Option<&[u8]>)> {
        let (message, copy) = match self.records.get(at) {
            Some(&Place::Message(at)) => (self.messages.get(at), None),
            Some(&Place::Copy(at)) => (None, Some(at)),
            None => (None, None),
        };
        let of_message = message.into_iter().flat_map(Message::headers);
        let of_message = of_message.map(|(name, value)| (name.to_string_lossy(), value));
        let begin = self.headers.partition_point(|header| Some(header.copy) < copy);
        let of_copy = self.headers[begin..].iter().take_while(move |header| Some(header.copy) == copy);
        of_message.chain(of_copy.map(|header| {
            let name = std::str::from_utf8(&self.bytes[header.name.clone()]).unwrap_or_default();
            (Cow::Borrowed(name), header.value.clone().map(|range| &self.bytes[range]))
        }))
    }

    /// Whether the record at this place has the header [`IF_UNKNOWN_HEADER`]. The client makes
    /// something of every record that is asked, also where it has no header.
    pub fn is_if_unknown(&self, at: usize) -> bool {
        self.headers_of(at).any(|(name, _)| name == IF_UNKNOWN_HEADER)
    }

    /// The ends that were reached.
    pub fn ends(&self) -> &[(Partition, NextOffset)] {
        &self.ends
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// How many bytes its keys and values have.
    pub fn byte_len(&self) -> usize {
        self.message_bytes + self.bytes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.ends.is_empty()
    }

    fn copy(&mut self, bytes: Option<&[u8]>) -> Option<Range<usize>> {
        bytes.map(|bytes| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            start..self.bytes.len()
        })
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("assignment", &self.assignment)
            .field("records", &self.len())
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_gives_back_what_was_put_in() {
        let record = |offset, key, value| BatchRecord {
            partition: Partition(1),
            offset,
            timestamp: Some(Timestamp::from_millis(offset)),
            key,
            value,
        };
        let records = [
            record(1, Some(&b"key"[..]), Some(&b"value"[..])),
            record(2, None, None),
            record(3, Some(b""), Some(b"")),
        ];
        let mut batch = Batch::default();
        assert!(batch.is_empty());
        records.iter().for_each(|record| batch.push(record));
        batch.reach_end(Partition(1), NextOffset::at(4));
        assert_eq!(batch.records().collect::<Vec<_>>(), records);
        assert_eq!(batch.ends(), [(Partition(1), NextOffset::at(4))]);
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn a_batch_that_is_used_again_has_nothing_of_before() {
        let record = BatchRecord {
            partition: Partition(1),
            offset: 1,
            timestamp: None,
            key: Some(b"key"),
            value: Some(b"value"),
        };
        let mut batch = Batch::default();
        batch.reuse(1);
        batch.push(&record);
        batch.push_header(("name", None));
        batch.reach_end(Partition(1), NextOffset::at(2));
        let kept = batch.bytes.capacity();
        batch.reuse(2);
        assert!(batch.is_empty() && batch.byte_len() == 0 && batch.headers(0).iter().count() == 0);
        assert_eq!((batch.assignment(), batch.bytes.capacity()), (2, kept));
        batch.push(&BatchRecord { value: Some(&vec![b'x'; 2 * KEPT_BYTES_MAX]), ..record });
        batch.reuse(3);
        assert!(batch.bytes.capacity() <= KEPT_BYTES_MAX);
    }

    #[test]
    fn headers_stay_with_their_record_in_their_order() {
        let record = BatchRecord {
            partition: Partition(0),
            offset: 0,
            timestamp: None,
            key: None,
            value: Some(b"value"),
        };
        let of = [
            vec![("a", Some(&b"1"[..])), ("b", None), ("a", Some(b""))],
            vec![],
            vec![(IF_UNKNOWN_HEADER, Some(b"\xff"))],
        ];
        let mut batch = Batch::default();
        batch.push_header(("of nothing", None));
        for headers in &of {
            batch.push(&record);
            headers.iter().for_each(|&header| batch.push_header(header));
        }
        for (at, headers) in of.iter().enumerate() {
            assert_eq!(batch.headers(at).iter().collect::<Vec<_>>(), *headers, "{at}");
        }
        assert_eq!(batch.headers(3).iter().count(), 0);
        assert_eq!([0, 1, 2, 3].map(|at| batch.is_if_unknown(at)), [false, false, true, false]);
        assert!(batch.records().all(|of| of == record));
    }
}
