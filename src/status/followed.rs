//! One partition, from when it is followed.
//!
//! Owns its lag: up to the end of what can be read, in records and in time.

use crate::log::{NextOffset, Partition, Position};
use crate::room::Timestamp;
use crate::status::{Lag, PartitionStatus};

#[derive(Debug)]
pub(super) struct Followed {
    pub(super) status: PartitionStatus,
    /// None until the log has been seen.
    pub(super) end_at_start: Option<NextOffset>,
    pub(super) last_record: Option<Timestamp>,
}

impl Followed {
    pub(super) fn at(partition: Partition, position: &Position) -> Self {
        let status = PartitionStatus {
            partition,
            position: position.next,
            end: position.next,
            begins_at: begins_at(position),
            current: false,
            stop: position.stop.clone(),
        };
        Self { status, end_at_start: None, last_record: None }
    }

    /// Whether it was begun where the log does not begin any more.
    pub(super) fn begins_before(&self, position: &Position) -> bool {
        self.status.begins_at < begins_at(position)
    }

    /// How far behind it is, at the instant `now`.
    pub(super) fn lag(&self, now: Timestamp) -> Lag {
        let PartitionStatus { partition, position, end, .. } = self.status;
        let records = end.records_since(position);
        let age = |last: Timestamp| (now.as_millis() - last.as_millis()).max(0);
        #[allow(clippy::cast_precision_loss, reason = "an age in ms is far below 2^52")]
        let seconds = match records {
            0 => Some(0.0),
            _ => self.last_record.map(|last| age(last) as f64 / 1_000.0),
        };
        Lag { partition, records, seconds }
    }
}

/// Where its log began, if its first records were gone.
fn begins_at(position: &Position) -> Option<NextOffset> {
    (position.begin > NextOffset::START).then_some(position.begin)
}
