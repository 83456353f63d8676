//! The client that reads canaries.
//!
//! Owns a consumer that is given one record of each partition and then rests. It reads
//! on between the looks at it, so what takes longer than a look is on its way all the
//! same.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;

use super::Open;
use crate::kafka::context::Context;
use crate::kafka::looking::offsets;
use crate::kafka::queue::Queue;
use crate::kafka::{Batch, Connection, Fault, FaultKind};
use crate::log::{Canary, CanaryFound, NextOffset, Partition};

/// Between two looks at the time that is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Records taken at a time.
const BATCH_RECORDS: usize = 100;

/// So that a partition costs one small fetch or a few; a record that is larger the
/// broker sends whole all the same. The client counts what waits of all partitions
/// when it decides whether one has enough, and a pause after that as long as its
/// own second would make the partitions wait for each other.
const SMALL_FETCHES: [(&str, &str); 4] = [
    ("fetch.message.max.bytes", "65536"),
    ("queued.min.messages", "1"),
    ("fetch.queue.backoff.ms", "10"),
    // A partition without anything to send must not keep the others waiting.
    ("fetch.wait.max.ms", "100"),
];

/// The same connection for a client of few records.
pub(in crate::kafka) fn with_small_fetches(connection: &Connection) -> Connection {
    let mut connection = connection.clone();
    for (name, value) in SMALL_FETCHES {
        connection.properties.0.insert(name.to_owned(), value.to_owned());
    }
    connection
}

/// The client that reads.
pub(super) struct Reading {
    queue: Queue,
    /// It was given the open order's records; else it reads nothing.
    pub(super) begun: bool,
    /// How long looks have waited for it since.
    pub(super) waited: Duration,
}

/// A partition that the client does not go on with.
pub(super) struct Refused {
    pub(super) partition: Partition,
    pub(super) kind: FaultKind,
    /// The client's words.
    pub(super) message: String,
}

impl Reading {
    /// A client that reads nothing yet, and waits so much longer for an answer.
    pub(super) fn new(connection: &Connection, doublings: u32) -> KafkaResult<Self> {
        let consumer = with_small_fetches(connection).patient_consumer(Context::default(), doublings)?;
        Ok(Self { queue: Queue::new(consumer, BATCH_RECORDS), begun: false, waited: Duration::ZERO })
    }

    /// Whether it can be given records, or has been: not after a bad batch.
    pub(super) fn is_of_use(&self) -> bool {
        self.begun || !self.queue.has_lost_its_place()
    }

    /// Reads what is missing, unless it does so already.
    pub(super) fn begin(&mut self, topic: &str, open: &Open) -> KafkaResult<()> {
        if !self.begun {
            let missing = open.missing().into_iter();
            let starts = missing.map(|(partition, canary)| (partition, NextOffset::at(canary.offset)));
            self.queue.consumer().assign(&offsets(topic, &starts.collect::<Vec<_>>())?)?;
            (self.begun, self.waited) = (true, Duration::ZERO);
        }
        Ok(())
    }

    /// Reads nothing more.
    pub(super) fn rest(&mut self) -> KafkaResult<()> {
        self.begun = false;
        self.queue.consumer().assign(&TopicPartitionList::new())
    }

    /// Takes out of the queue what the client says while it rests.
    pub(super) fn listen(&mut self) {
        self.queue.take(Duration::ZERO, &mut Batch::default(), |_| {});
    }

    /// Waits until each partition has told, or is refused, or the time is over.
    pub(super) fn look(&mut self, open: &mut Open, time: Duration) -> Vec<Refused> {
        let deadline = Instant::now() + time;
        let (mut refused, mut waiting) = (Vec::new(), open.missing());
        while !waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let (mut batch, mut faults) = (Batch::default(), Vec::new());
            self.queue.take(left.min(PAUSE), &mut batch, |fault| {
                tracing::debug!(?fault, "while records were verified");
                faults.push(fault);
            });
            waiting.retain(|&(partition, canary)| {
                // What came in front of a fault is as good as without it.
                if let Some(known) = find(partition, &canary, &batch) {
                    open.found.insert(partition, known);
                    open.read.push(partition);
                    return false;
                }
                let fault = faults.iter().find(|fault| fault.partition == Some(partition));
                refused.extend(fault.map(|Fault { kind, message, .. }| Refused {
                    partition,
                    kind: *kind,
                    message: message.clone(),
                }));
                fault.is_none()
            });
            if left.is_zero() {
                break;
            }
        }
        refused
    }
}

/// What the records that were read from a canary's offset on say of it.
fn find(partition: Partition, canary: &Canary, batch: &Batch) -> Option<CanaryFound> {
    let mut records = batch.records().filter(|record| record.partition == partition);
    match records.find(|record| record.offset >= canary.offset) {
        Some(record) if record.offset > canary.offset => Some(CanaryFound::Absent),
        Some(record) if record.canary() == *canary => Some(CanaryFound::Same),
        Some(_) => Some(CanaryFound::Other),
        None => {
            let at_end = batch.ends().iter().any(|(ended, _)| *ended == partition);
            at_end.then_some(CanaryFound::Absent)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kafka::BatchRecord;
    use crate::room::Timestamp;

    pub(in crate::kafka::canaries) const P: Partition = Partition(1);

    pub(in crate::kafka::canaries) fn record(
        partition: Partition,
        offset: i64,
        value: &[u8],
        ms: i64,
    ) -> BatchRecord<'_> {
        let timestamp = Some(Timestamp::from_millis(ms));
        BatchRecord { partition, offset, timestamp, key: Some(b"key"), value: Some(value) }
    }

    #[track_caller]
    fn check(read: &[BatchRecord<'_>], end: Option<i64>, expected: Option<CanaryFound>) {
        let canary = record(P, 7, b"value", 9).canary();
        let mut batch = Batch::default();
        read.iter().for_each(|record| batch.push(record));
        if let Some(end) = end {
            batch.reach_end(P, NextOffset::at(end));
        }
        assert_eq!(find(P, &canary, &batch), expected);
    }

    #[test]
    fn a_record_is_compared_whole() {
        check(&[record(P, 7, b"value", 9), record(P, 8, b"next", 9)], None, Some(CanaryFound::Same));
        check(&[record(P, 7, b"values", 9)], None, Some(CanaryFound::Other));
        check(&[record(P, 7, b"value", 10)], None, Some(CanaryFound::Other));
    }

    #[test]
    fn a_later_record_or_the_end_instead_says_that_there_is_none() {
        check(&[record(P, 8, b"value", 9)], None, Some(CanaryFound::Absent));
        check(&[], Some(9), Some(CanaryFound::Absent));
    }

    #[test]
    fn nothing_is_known_before_the_partition_has_told() {
        check(&[], None, None);
        check(&[record(Partition(0), 7, b"other", 9)], None, None);
    }
}
