//! When the records of a batch were written, as Kafka has it.

use crate::log::Partition;
use crate::room::Timestamp;

/// Kafka's timestamps of the records of one batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// Of the last record of each partition.
    pub(super) last: Vec<(Partition, Timestamp)>,
    /// The newest of all: producers may set them in any order.
    pub(super) newest: Option<Timestamp>,
}

impl Timestamps {
    /// Forgets those of the batch before.
    pub fn clear(&mut self) {
        self.last.clear();
        self.newest = None;
    }

    /// Takes in a record's.
    pub fn see(&mut self, partition: Partition, record: Timestamp) {
        self.newest = self.newest.max(Some(record));
        match self.last.iter_mut().find(|(other, _)| *other == partition) {
            Some((_, last)) => *last = record,
            None => self.last.push((partition, record)),
        }
    }
}
