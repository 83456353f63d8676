//! Whether the log still has the records that were read of it.
//!
//! Owns the order that is not answered yet, and a consumer of its own that reads
//! one record of each partition and nothing else. What was found out stays found
//! out, so that a log of many partitions is verified in several looks if need be.
//! The client reads on between the looks: an answer that takes longer than a look
//! to come over a slow link is on its way all the same, and no look waits for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};

use crate::kafka::context::Context;
use crate::kafka::looking::offsets;
use crate::kafka::native::Queue;
use crate::kafka::patience::Patience;
use crate::kafka::{Batch, Connection, Fault, FaultKind, Sighting, Verified, VerifyOrder};
use crate::log::{Canary, CanaryFound, NextOffset, Partition};

/// How long a look's reading may take: the next look waits for it.
const LOOK: Duration = Duration::from_secs(2);

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
    /// For all looks of one client at one order together.
    patience: Patience,
    /// Made when first needed, and again after a fault, or with more patience.
    reading: Option<Reading>,
    open: Option<Open>,
}

/// The client that reads.
struct Reading {
    queue: Queue,
    /// It was given the open order's records; else it reads nothing.
    begun: bool,
    /// How long looks have waited for it since.
    waited: Duration,
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
        Self { connection, patience: Patience::default(), reading: None, open: None }
    }

    /// Takes an order in the place of the one before.
    pub(super) fn order(&mut self, order: VerifyOrder) {
        let VerifyOrder { number, canaries } = order;
        let (wanted, found) = (canaries.into_iter().collect(), BTreeMap::new());
        self.open = Some(Open { number, wanted, found, said: false });
        if let Some(reading) = &mut self.reading {
            reading.begun = false;
        }
    }

    pub(super) fn are_ordered(&self) -> bool {
        self.open.is_some()
    }

    /// Finds out what it can; all of it together ends the order.
    pub(super) fn verify(&mut self, sighting: &Sighting) -> Option<Verified> {
        let mut open = self.open.take()?;
        open.find_by_bounds(sighting);
        let is_named = sighting.identity.topic.is_some();
        if !open.missing().is_empty()
            && let Err(why) = self.read(&mut open, is_named)
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
        self.reading.take_if(|reading| reading.rest().is_err());
        let canaries = open.found.into_iter().collect();
        Some(Verified { number: open.number, identity: sighting.identity.clone(), canaries })
    }

    /// Takes out of the client's queue what it says between looks, or while the topic is
    /// out of sight, which would pile up.
    pub(super) fn listen(&mut self) {
        let Some(mut reading) = self.reading.take() else { return };
        let fault = match &mut self.open {
            Some(open) if reading.begun => reading.look(open, Duration::ZERO).fault,
            _ => {
                reading.queue.take(Duration::ZERO, &mut Batch::default(), |_| {});
                None
            }
        };
        if fault.is_none() {
            self.reading = Some(reading);
        }
    }

    /// Reads what is missing; says what keeps it from some. Where the broker names the
    /// topic, a record that cannot be read any more is as good as absent: nobody could
    /// decide on a log that is the same by its name and damaged where it was read.
    fn read(&mut self, open: &mut Open, is_named: bool) -> Result<(), String> {
        let words = |error: KafkaError| error.to_string();
        let kept = self.reading.take().filter(Reading::is_of_use);
        let mut reading = kept.map_or_else(|| self.reading(), Ok).map_err(words)?;
        reading.begin(&self.connection.topic, open).map_err(words)?;
        let Looked { fault, damaged } = reading.look(open, LOOK);
        for &partition in damaged.iter().filter(|_| is_named) {
            tracing::warn!(
                topic = self.connection.topic,
                %partition,
                "the last record that was counted cannot be read any more: its batch does not match its \
                 checksum; it stays counted, and the topic's id vouches for the log"
            );
            open.found.insert(partition, CanaryFound::Absent);
        }
        // A client with a fault passes nothing on of that partition any more: another one
        // takes its place.
        if let Some((partition, message)) = fault {
            return Err(format!("partition {partition}: {message}"));
        }
        reading.waited += LOOK;
        let (all_told, time) = (open.missing().is_empty(), self.patience.time());
        if all_told {
            self.patience.sufficed();
        } else if reading.waited >= time {
            // The next client waits longer for an answer, too.
            self.patience.ran_out();
            return Err(format!("the broker sent not all of them within {time:?}"));
        }
        self.reading = Some(reading);
        Ok(())
    }

    fn reading(&self) -> KafkaResult<Reading> {
        let mut connection = self.connection.clone();
        for (name, value) in SMALL_FETCHES {
            connection.properties.0.insert(name.to_owned(), value.to_owned());
        }
        let consumer = connection.patient_consumer(Context::default(), self.patience.doublings())?;
        Ok(Reading { queue: Queue::new(consumer, BATCH_RECORDS), begun: false, waited: Duration::ZERO })
    }
}

/// What a look at the client has shown beside the records.
struct Looked {
    /// A partition that it does not go on with, and the reason.
    fault: Option<(Partition, String)>,
    /// The partitions whose batch does not match its checksum.
    damaged: Vec<Partition>,
}

impl Reading {
    /// Whether it can be given records, or has been: not after a bad batch.
    fn is_of_use(&self) -> bool {
        self.begun || !self.queue.has_lost_its_place()
    }

    /// Reads what is missing, unless it does so already.
    fn begin(&mut self, topic: &str, open: &Open) -> KafkaResult<()> {
        if !self.begun {
            let missing = open.missing().into_iter();
            let starts = missing.map(|(partition, canary)| (partition, NextOffset::at(canary.offset)));
            self.queue.consumer().assign(&offsets(topic, &starts.collect::<Vec<_>>())?)?;
            (self.begun, self.waited) = (true, Duration::ZERO);
        }
        Ok(())
    }

    /// Reads nothing more.
    fn rest(&mut self) -> KafkaResult<()> {
        self.begun = false;
        self.queue.consumer().assign(&TopicPartitionList::new())
    }

    /// Waits until each partition has told, or has a fault of its own, or the time is
    /// over.
    fn look(&mut self, open: &mut Open, time: Duration) -> Looked {
        let deadline = Instant::now() + time;
        let mut looked = Looked { fault: None, damaged: Vec::new() };
        let mut waiting = open.missing();
        while !waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let (mut batch, mut faulty) = (Batch::default(), Vec::new());
            self.queue.take(left.min(PAUSE), &mut batch, |fault| {
                tracing::debug!(?fault, "while records were verified");
                let Fault { partition: Some(partition), kind, message, .. } = fault else { return };
                // Behind a record that was found nothing is of interest.
                if waiting.iter().all(|(other, _)| *other != partition) {
                    return;
                }
                looked.damaged.extend(Some(partition).filter(|_| kind == FaultKind::BadBatch));
                looked.fault = Some((partition, message));
                faulty.push(partition);
            });
            waiting.retain(|(partition, canary)| {
                // What came in front of a fault is as good as without it.
                let known = find(*partition, canary, &batch);
                if let Some(known) = known {
                    open.found.insert(*partition, known);
                }
                known.is_none() && !faulty.contains(partition)
            });
            if left.is_zero() {
                break;
            }
        }
        looked.damaged.retain(|partition| !open.found.contains_key(partition));
        looked
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
