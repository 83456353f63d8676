//! Whether the log still has the records that were read of it.
//!
//! Owns the order that is not answered yet, and a consumer of its own that reads
//! one record of each partition and nothing else. What was found out stays found
//! out, so that a log of many partitions is verified in several looks if need be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};

use crate::kafka::context::Context;
use crate::kafka::looking::offsets;
use crate::kafka::native::Queue;
use crate::kafka::{Batch, Connection, Fault, FaultKind, Sighting, Verified, VerifyOrder};
use crate::log::{Canary, CanaryFound, NextOffset, Partition};

/// How long a look's reading may take: the next look waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two looks at the time that is left.
const PAUSE: Duration = Duration::from_millis(100);

/// Records taken at a time.
const BATCH_RECORDS: usize = 100;

/// So that a partition costs one small fetch or a few; a record that is larger the
/// broker sends whole all the same. The client counts what waits of all partitions
/// when it decides whether one has enough, and a pause after that as long as its
/// own second would make the partitions wait for each other.
pub(super) const SMALL_FETCHES: [(&str, &str); 4] = [
    ("fetch.message.max.bytes", "65536"),
    ("queued.min.messages", "1"),
    ("fetch.queue.backoff.ms", "10"),
    // A partition without anything to send must not keep the others waiting.
    ("fetch.wait.max.ms", "100"),
];

/// Verifies the records of the latest order.
pub(super) struct Canaries {
    connection: Connection,
    /// Made when first needed, and again after a reading that told not all.
    queue: Option<Queue>,
    open: Option<Open>,
}

/// An order that is not answered yet.
struct Open {
    number: u64,
    wanted: BTreeMap<Partition, Canary>,
    found: BTreeMap<Partition, CanaryFound>,
    /// It was said that it takes longer than it should.
    said: bool,
}

impl Canaries {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, queue: None, open: None }
    }

    /// Takes an order in the place of the one before.
    pub(super) fn order(&mut self, order: VerifyOrder) {
        let VerifyOrder { number, canaries } = order;
        let (wanted, found) = (canaries.into_iter().collect(), BTreeMap::new());
        self.open = Some(Open { number, wanted, found, said: false });
    }

    pub(super) fn are_ordered(&self) -> bool {
        self.open.is_some()
    }

    /// Finds out what it can; all of it together ends the order.
    pub(super) fn verify(&mut self, sighting: &Sighting) -> Option<Verified> {
        let mut open = self.open.take()?;
        open.find_by_bounds(sighting);
        let missing = open.missing();
        let is_named = sighting.identity.topic.is_some();
        if !missing.is_empty()
            && let Err(why) = self.read(&missing, is_named, &mut open.found)
            && !open.said
        {
            open.said = true;
            tracing::warn!(
                topic = self.connection.topic,
                "cannot verify that the log still has the records that were counted: {why}; trying again \
                 every second"
            );
        }
        if !open.missing().is_empty() {
            self.open = Some(open);
            return None;
        }
        let canaries = open.found.into_iter().collect();
        Some(Verified { number: open.number, identity: sighting.identity.clone(), canaries })
    }

    /// Takes out of the client's queue what it says while nothing is read, which
    /// would pile up.
    pub(super) fn listen(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.take(Duration::ZERO, &mut Batch::default(), |_| {});
        }
    }

    /// Reads these records; says what kept it from some. Where the broker names the
    /// topic, a record that cannot be read any more is as good as absent: nobody could
    /// decide on a log that is the same by its name and damaged where it was read.
    fn read(
        &mut self,
        missing: &[(Partition, Canary)],
        is_named: bool,
        found: &mut BTreeMap<Partition, CanaryFound>,
    ) -> Result<(), String> {
        let mut queue = match self.queue.take() {
            Some(queue) => queue,
            None => self.queue().map_err(|error| error.to_string())?,
        };
        let read = read(&mut queue, &self.connection.topic, missing, found);
        // A client with a fault passes nothing on of that partition any more, and one
        // that stands still may do better anew: only one that has told all is kept.
        let (fault, damaged) = read.map_err(|error| error.to_string())?;
        for &partition in damaged.iter().filter(|_| is_named) {
            tracing::warn!(
                topic = self.connection.topic,
                %partition,
                "the last record that was counted cannot be read any more: its batch does not match its \
                 checksum; it stays counted, and the topic's id vouches for the log"
            );
            found.insert(partition, CanaryFound::Absent);
        }
        if let Some(Fault { partition, message, .. }) = fault {
            let partition = partition.map_or(String::new(), |partition| format!("partition {partition}: "));
            return Err(format!("{partition}{message}"));
        }
        if missing.iter().any(|(partition, _)| !found.contains_key(partition)) {
            return Err(format!("the broker sent not all of them within {PATIENCE:?}"));
        }
        self.queue = Some(queue);
        Ok(())
    }

    fn queue(&self) -> KafkaResult<Queue> {
        let mut connection = self.connection.clone();
        for (name, value) in SMALL_FETCHES {
            connection.properties.0.insert(name.to_owned(), value.to_owned());
        }
        Ok(Queue::new(connection.consumer(Context::default())?, BATCH_RECORDS))
    }
}

impl Open {
    /// What lies outside of the log is absent, and needs no reading.
    fn find_by_bounds(&mut self, sighting: &Sighting) {
        for (partition, canary) in &self.wanted {
            let offset = NextOffset::at(canary.offset);
            let of = sighting.partitions.iter().find(|bounds| bounds.partition == *partition);
            if of.is_none_or(|bounds| offset < bounds.begin || offset >= bounds.end) {
                self.found.entry(*partition).or_insert(CanaryFound::Absent);
            }
        }
    }

    fn missing(&self) -> Vec<(Partition, Canary)> {
        let missing = self.wanted.iter().filter(|(partition, _)| !self.found.contains_key(partition));
        missing.map(|(&partition, &canary)| (partition, canary)).collect()
    }
}

/// Reads until each partition has told, or has a fault of its own, or the time is
/// over; the last fault tells why something may be missing. Also the partitions
/// whose batch does not match its checksum.
fn read(
    queue: &mut Queue,
    topic: &str,
    missing: &[(Partition, Canary)],
    found: &mut BTreeMap<Partition, CanaryFound>,
) -> Result<(Option<Fault>, Vec<Partition>), KafkaError> {
    let deadline = Instant::now() + PATIENCE;
    let starts: Vec<_> =
        missing.iter().map(|(partition, canary)| (*partition, NextOffset::at(canary.offset))).collect();
    queue.consumer().assign(&offsets(topic, &starts)?)?;
    let (mut last_fault, mut damaged): (Option<Fault>, Vec<Partition>) = (None, Vec::new());
    let mut waiting = missing.to_vec();
    while !waiting.is_empty() && Instant::now() < deadline {
        let mut batch = Batch::default();
        let mut faulty = Vec::new();
        queue.take(PAUSE, &mut batch, |fault| {
            faulty.extend(fault.partition);
            damaged.extend(fault.partition.filter(|_| fault.kind == FaultKind::BadBatch));
            tracing::debug!(?fault, "while records were verified");
            last_fault = Some(fault);
        });
        waiting.retain(|(partition, canary)| {
            // What came in front of a fault is as good as without it.
            let known = find(*partition, canary, &batch);
            if let Some(known) = known {
                found.insert(*partition, known);
            }
            known.is_none() && !faulty.contains(partition)
        });
    }
    queue.consumer().assign(&TopicPartitionList::new())?;
    // What came in front of the damage is as good as without it.
    damaged.retain(|partition| !found.contains_key(partition));
    Ok((last_fault, damaged))
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
#[allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]
mod tests {
    use super::*;
    use crate::kafka::{BatchRecord, PartitionBounds, Properties};
    use crate::log::LogIdentity;
    use crate::room::Timestamp;

    const P: Partition = Partition(1);

    fn record(partition: Partition, offset: i64, value: &[u8], ms: i64) -> BatchRecord<'_> {
        let timestamp = Some(Timestamp::from_millis(ms));
        BatchRecord { partition, offset, timestamp, key: Some(b"key"), value: Some(value), if_unknown: false }
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

    #[test]
    fn what_lies_outside_of_the_log_is_absent_without_a_broker() {
        let connection = Connection {
            bootstrap_servers: String::new(),
            topic: String::new(),
            properties: Properties::default(),
        };
        let at = |partition, offset| (Partition(partition), record(P, offset, b"value", 9).canary());
        let mut canaries = Canaries::new(connection);
        canaries.order(VerifyOrder { number: 3, canaries: vec![at(2, 5), at(1, 9), at(0, 4)] });
        let bounds = |partition| PartitionBounds {
            partition: Partition(partition),
            begin: NextOffset::at(5),
            end: NextOffset::at(9),
        };
        let sighting = Sighting {
            at: Timestamp::from_millis(0),
            identity: LogIdentity { cluster: Some("c".to_owned()), topic: None },
            partitions: vec![bounds(0), bounds(1)],
        };
        let verified = canaries.verify(&sighting).unwrap();
        assert_eq!((verified.number, verified.identity), (3, sighting.identity));
        assert_eq!(verified.canaries, [0, 1, 2].map(|number| (Partition(number), CanaryFound::Absent)));
        assert!(!canaries.are_ordered());
    }
}
