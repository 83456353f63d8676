//! Whether the log still has the records that were read of it.
//!
//! Owns the order that is not answered yet, and a consumer of its own that reads
//! one record of each partition and nothing else. What was found out stays found
//! out, so that a log of many partitions is verified in several looks if need be.
//! The client reads on between the looks: an answer that takes longer than a look
//! to come over a slow link is on its way all the same, and no look waits for it.

mod reading;
mod unread;

pub(super) use reading::with_small_fetches;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kafka::canaries::reading::{Reading, Refused};
use crate::kafka::canaries::unread::{Reason, Unread};
use crate::kafka::patience::Patience;
use crate::kafka::{Connection, Sighting, Verified, VerifyOrder};
use crate::log::{Canary, CanaryFound, NextOffset, Partition};

/// How long a look's reading may take: the next look waits for it.
const LOOK: Duration = Duration::from_secs(2);

/// Verifies the records of the latest order.
pub(super) struct Canaries {
    connection: Connection,
    /// For all looks of one client at one order together.
    patience: Patience,
    /// Made when first needed, and again after a fault, or with more patience.
    reading: Option<Reading>,
    open: Option<Open>,
    /// What was said of those that cannot be read, over all orders.
    unread: Unread,
}

/// An order that is not answered yet.
struct Open {
    number: u64,
    wanted: BTreeMap<Partition, Canary>,
    found: BTreeMap<Partition, CanaryFound>,
    /// The partitions whose record was read since the last look.
    read: Vec<Partition>,
}

impl Canaries {
    pub(super) fn new(connection: Connection) -> Self {
        let (patience, unread) = (Patience::default(), Unread::default());
        Self { connection, patience, reading: None, open: None, unread }
    }

    /// Takes an order in the place of the one before.
    pub(super) fn order(&mut self, order: VerifyOrder) {
        let VerifyOrder { number, canaries } = order;
        let (wanted, found) = (canaries.into_iter().collect(), BTreeMap::new());
        self.open = Some(Open { number, wanted, found, read: Vec::new() });
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
        open.find_by_bounds(sighting, |partition| self.unread.forget(partition));
        if !open.missing().is_empty() {
            self.read(&mut open, sighting.identity.topic.is_some());
        }
        self.say_readable(&mut open);
        if !open.missing().is_empty() {
            self.open = Some(open);
            return None;
        }
        if self.reading.as_ref().is_some_and(|reading| reading.begun) {
            self.patience.sufficed();
        }
        self.reading.take_if(|reading| reading.rest().is_err());
        let canaries = open.found.into_iter().collect();
        Some(Verified { number: open.number, identity: sighting.identity.clone(), canaries })
    }

    /// Takes out of the client's queue what it says between looks, or while the topic is
    /// out of sight, which would pile up.
    pub(super) fn listen(&mut self) {
        let Some(mut reading) = self.reading.take() else { return };
        let refused = match &mut self.open {
            Some(open) if reading.begun => !reading.look(open, Duration::ZERO).is_empty(),
            _ => {
                reading.listen();
                false
            }
        };
        // What it does not go on with, the next one tells.
        if !refused {
            self.reading = Some(reading);
        }
    }

    /// Reads what is missing, and says what keeps it from some. Where the broker names the
    /// topic, a record that cannot be read any more is as good as absent: nobody could
    /// decide on a log that is the same by its name and damaged where it was read.
    fn read(&mut self, open: &mut Open, is_named: bool) {
        let kept = self.reading.take().filter(Reading::is_of_use);
        let topic = &self.connection.topic;
        let reading = kept.map_or_else(|| Reading::new(&self.connection, self.patience.doublings()), Ok);
        let reading = reading.and_then(|mut reading| {
            reading.begin(topic, open)?;
            Ok(reading)
        });
        let mut reading = match reading {
            Ok(reading) => reading,
            Err(error) => return self.say_unread(open.partitions_missing(), &error.to_string()),
        };
        let faults = reading.look(open, LOOK);
        let has_fault = !faults.is_empty();
        for Refused { partition, kind, message } in faults {
            if kind.is_damage() && is_named {
                open.found.insert(partition, CanaryFound::Absent);
                self.say_damaged(partition);
            } else if kind.is_damage() {
                let remedy = "the broker tells no id of the topic that would stand for it: make a replica that \
                              has the record whole the leader, or start on an empty data directory";
                self.say_unread(vec![partition], &format!("{message}; {remedy}"));
            } else {
                self.say_unread(vec![partition], &message);
            }
        }
        // A client with a fault passes nothing on of that partition any more: another one
        // takes its place.
        if has_fault {
            return;
        }
        reading.waited += LOOK;
        if !open.missing().is_empty() && reading.waited >= self.patience.time() {
            if self.patience.is_longest() {
                self.say_late(open.partitions_missing());
            }
            // The next client waits longer for an answer, too.
            return self.patience.ran_out();
        }
        self.reading = Some(reading);
    }

    fn say_unread(&mut self, partitions: Vec<Partition>, message: &str) {
        let news = self.unread.learn(partitions, &Reason::of_fault(message), Instant::now());
        if !news.is_empty() {
            tracing::warn!(
                topic = self.connection.topic,
                partitions = list(&news),
                "cannot verify that the log still has the last record that was counted: {message}; trying \
                 again every second"
            );
        }
    }

    fn say_late(&mut self, partitions: Vec<Partition>) {
        let news = self.unread.learn(partitions, &Reason::Late, Instant::now());
        if !news.is_empty() {
            tracing::warn!(
                topic = self.connection.topic,
                partitions = list(&news),
                "cannot verify that the log still has the last record that was counted: the broker has not \
                 sent it within {:?}; trying again",
                self.patience.time()
            );
        }
    }

    fn say_damaged(&mut self, partition: Partition) {
        if !self.unread.learn([partition], &Reason::Damaged, Instant::now()).is_empty() {
            tracing::warn!(
                topic = self.connection.topic,
                %partition,
                "the last record that was counted cannot be read any more: its batch does not match its \
                 checksum; it stays counted, and the topic's id vouches for the log"
            );
        }
    }

    fn say_readable(&mut self, open: &mut Open) {
        let news = self.unread.read(std::mem::take(&mut open.read));
        if !news.is_empty() {
            tracing::info!(
                topic = self.connection.topic,
                partitions = list(&news),
                "the last record that was counted can be read again"
            );
        }
    }
}

impl Open {
    /// What lies outside of the log is absent, and needs no reading.
    fn find_by_bounds(&mut self, sighting: &Sighting, mut is_outside: impl FnMut(Partition)) {
        for (partition, canary) in &self.wanted {
            let offset = NextOffset::at(canary.offset);
            let of = sighting.partitions.iter().find(|bounds| bounds.partition == *partition);
            if of.is_none_or(|bounds| offset < bounds.begin || offset >= bounds.end) {
                self.found.entry(*partition).or_insert(CanaryFound::Absent);
                is_outside(*partition);
            }
        }
    }

    fn missing(&self) -> Vec<(Partition, Canary)> {
        let missing = self.wanted.iter().filter(|(partition, _)| !self.found.contains_key(partition));
        missing.map(|(&partition, &canary)| (partition, canary)).collect()
    }

    fn partitions_missing(&self) -> Vec<Partition> {
        self.missing().into_iter().map(|(partition, _)| partition).collect()
    }
}

/// Their numbers, as a line of the log has them.
fn list(partitions: &[Partition]) -> String {
    partitions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]
mod tests {
    use super::reading::tests::{P, record};
    use super::*;
    use crate::kafka::{PartitionBounds, Properties};
    use crate::log::LogIdentity;
    use crate::room::Timestamp;

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
