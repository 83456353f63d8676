//! Notices a client that stopped delivering.
//!
//! Owns when each partition last moved. librdkafka has been reported to stall
//! after a broker's restart; a partition that has records to read and does not
//! move for [`PATIENCE`] while the broker answers is read with a new client.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kafka::Sighting;
use crate::log::{NextOffset, Partition, Positions};

/// Longer than any pause that heals by itself: the client's own retries are
/// over after a few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct Watchdog(BTreeMap<Partition, (NextOffset, Instant)>);

impl Watchdog {
    /// Whether some partition has stood still in front of records for too long.
    /// Patience begins anew when it has run out.
    pub(super) fn is_stuck(&mut self, positions: &Positions, sighting: &Sighting) -> bool {
        let now = Instant::now();
        let mut stuck = false;
        for bounds in &sighting.partitions {
            let Some(position) = positions.get(bounds.partition) else { continue };
            let (last, since) = self.0.entry(bounds.partition).or_insert((position, now));
            if *last != position || position >= bounds.end {
                (*last, *since) = (position, now);
            } else if now - *since >= PATIENCE {
                *since = now;
                stuck = true;
            }
        }
        stuck
    }
}
