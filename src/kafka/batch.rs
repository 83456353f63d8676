//! Records on their way from the client to the aggregator.
//!
//! Owns the bytes of up to some thousand records in one buffer, so that a batch
//! costs a few allocations whatever it holds, and none where it is used again.
//! Records of one partition stand in the order of their offsets. Headers are there only where somebody wants them:
//! without a dead-letter topic nobody does, and a record costs nothing for them.

use std::ops::Range;

use crate::log::{Canary, NextOffset, Partition};
use crate::room::Timestamp;

/// Twice what is taken at a time, as far as a buffer grows for it.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Some records, and the partitions' ends that were reached behind them.
#[derive(Debug, Default)]
pub struct Batch {
    assignment: u64,
    bytes: Vec<u8>,
    records: Vec<Slot>,
    /// Those of the first record that has some, then those of the next one.
    headers: Vec<HeaderSlot>,
    ends: Vec<(Partition, NextOffset)>,
}

#[derive(Debug)]
struct HeaderSlot {
    /// The place of its record.
    record: usize,
    name: Range<usize>,
    value: Option<Range<usize>>,
}

/// A header's name, and its value if it is not null.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

#[derive(Debug)]
struct Slot {
    partition: Partition,
    offset: i64,
    timestamp: Option<Timestamp>,
    key: Option<Range<usize>>,
    value: Option<Range<usize>>,
    if_unknown: bool,
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
    /// Whether it has the header [`crate::decode::IF_UNKNOWN_HEADER`].
    pub if_unknown: bool,
}

impl BatchRecord<'_> {
    /// What there is to remember of it to find it again.
    pub fn canary(&self) -> Canary {
        Canary::of(self.offset, self.timestamp.map(Timestamp::as_millis), self.key, self.value)
    }
}

impl Batch {
    /// An empty batch of what is read for this order.
    pub fn of(assignment: u64) -> Self {
        Self { assignment, ..Self::default() }
    }

    /// Emptied, for what is read for this order; the memory stays, unless a few large records
    /// have made it large.
    #[must_use]
    pub fn reused(mut self, assignment: u64) -> Self {
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            return Self::of(assignment);
        }
        self.assignment = assignment;
        self.bytes.clear();
        self.records.clear();
        self.headers.clear();
        self.ends.clear();
        self
    }

    /// The number of the order that it was read for, see [`super::Reader::assign`].
    pub fn assignment(&self) -> u64 {
        self.assignment
    }

    /// Adds a copy of a record.
    pub fn push(&mut self, record: &BatchRecord<'_>) {
        let BatchRecord { partition, offset, timestamp, if_unknown, .. } = *record;
        let key = self.keep(record.key);
        let value = self.keep(record.value);
        self.records.push(Slot { partition, offset, timestamp, key, value, if_unknown });
    }

    /// Adds a header to the record that was added last.
    pub fn push_header(&mut self, (name, value): Header<'_>) {
        let Some(record) = self.records.len().checked_sub(1) else { return };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        let name = start..self.bytes.len();
        let value = self.keep(value);
        self.headers.push(HeaderSlot { record, name, value });
    }

    /// The headers of the record at this place, in their order; none where they were not
    /// wanted.
    pub fn headers(&self, at: usize) -> impl Iterator<Item = Header<'_>> {
        let begin = self.headers.partition_point(|header| header.record < at);
        let of_it = self.headers[begin..].iter().take_while(move |header| header.record == at);
        of_it.map(|header| {
            let name = std::str::from_utf8(&self.bytes[header.name.clone()]).unwrap_or_default();
            (name, header.value.clone().map(|range| &self.bytes[range]))
        })
    }

    /// Notes that a partition has been read up to `end`, behind the records so far.
    pub fn reach_end(&mut self, partition: Partition, end: NextOffset) {
        self.ends.push((partition, end));
    }

    /// The records in the order in which they came.
    pub fn records(&self) -> impl Iterator<Item = BatchRecord<'_>> {
        let bytes = |range: &Option<Range<usize>>| range.clone().map(|range| &self.bytes[range]);
        self.records.iter().map(move |slot| BatchRecord {
            partition: slot.partition,
            offset: slot.offset,
            timestamp: slot.timestamp,
            key: bytes(&slot.key),
            value: bytes(&slot.value),
            if_unknown: slot.if_unknown,
        })
    }

    /// The ends that were reached.
    pub fn ends(&self) -> &[(Partition, NextOffset)] {
        &self.ends
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// How many bytes its keys, values and headers have.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.ends.is_empty()
    }

    fn keep(&mut self, bytes: Option<&[u8]>) -> Option<Range<usize>> {
        bytes.map(|bytes| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            start..self.bytes.len()
        })
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
            if_unknown: offset == 3,
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
            if_unknown: true,
        };
        let mut batch = Batch::of(1);
        batch.push(&record);
        batch.push_header(("name", None));
        batch.reach_end(Partition(1), NextOffset::at(2));
        let kept = batch.bytes.capacity();
        let mut batch = batch.reused(2);
        assert!(batch.is_empty() && batch.byte_len() == 0 && batch.headers(0).count() == 0);
        assert_eq!((batch.assignment(), batch.bytes.capacity()), (2, kept));
        batch.push(&BatchRecord { value: Some(&vec![b'x'; 2 * KEPT_BYTES_MAX]), ..record });
        assert_eq!(batch.reused(3).bytes.capacity(), 0);
    }

    #[test]
    fn headers_stay_with_their_record_in_their_order() {
        let record = BatchRecord {
            partition: Partition(0),
            offset: 0,
            timestamp: None,
            key: None,
            value: Some(b"value"),
            if_unknown: false,
        };
        let of =
            [vec![("a", Some(&b"1"[..])), ("b", None), ("a", Some(b""))], vec![], vec![("c", Some(b"\xff"))]];
        let mut batch = Batch::default();
        batch.push_header(("of nothing", None));
        for headers in &of {
            batch.push(&record);
            headers.iter().for_each(|&header| batch.push_header(header));
        }
        for (at, headers) in of.iter().enumerate() {
            assert_eq!(batch.headers(at).collect::<Vec<_>>(), *headers, "{at}");
        }
        assert_eq!(batch.headers(3).count(), 0);
        assert!(batch.records().all(|of| of == record));
    }
}
