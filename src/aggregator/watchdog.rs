//! Notices a client that stopped delivering.
//!
//! Owns since when each partition stands still. librdkafka has been reported to stall
//! after a broker's restart; a partition that has records to read and does not
//! move for [`PATIENCE`] while the broker answers is read with a new client.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kafka::Sighting;
use crate::log::{NextOffset, Partition, Positions};

/// Longer than any pause that heals by itself: the client's own retries are
/// over after a few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// By partition: its last position, and since when records lay in front of it.
#[derive(Debug, Default)]
pub(super) struct Watchdog(BTreeMap<Partition, (NextOffset, Option<Instant>)>);

impl Watchdog {
    /// Whether some partition has stood still in front of records for too long.
    /// Patience begins anew when it has run out.
    pub(super) fn is_stuck(&mut self, positions: &Positions, sighting: &Sighting, now: Instant) -> bool {
        let mut stuck = false;
        for bounds in &sighting.partitions {
            let Some(position) = positions.get(bounds.partition) else { continue };
            let (last, waiting) = self.0.entry(bounds.partition).or_insert((position, None));
            if *last != position || position >= bounds.end {
                (*last, *waiting) = (position, None);
            } else if now - *waiting.get_or_insert(now) >= PATIENCE {
                *waiting = Some(now);
                stuck = true;
            }
        }
        stuck
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::PartitionBounds;
    use crate::room::Timestamp;

    const P: Partition = Partition(0);

    /// Whether the dog barks at each of these looks: seconds, position, end.
    #[track_caller]
    fn check(looks: &[(u64, i64, i64)], expected: &[bool]) {
        let (mut watchdog, start) = (Watchdog::default(), Instant::now());
        let barks = looks.iter().map(|&(seconds, position, end)| {
            let mut positions = Positions::default();
            positions.begin(P, NextOffset::at(position));
            let bounds = PartitionBounds { partition: P, begin: NextOffset::START, end: NextOffset::at(end) };
            let sighting = Sighting { at: Timestamp::from_millis(0), partitions: vec![bounds] };
            watchdog.is_stuck(&positions, &sighting, start + Duration::from_secs(seconds))
        });
        assert_eq!(barks.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn standing_still_in_front_of_records_is_noticed_once_in_a_while() {
        check(
            &[(0, 5, 9), (19, 5, 9), (20, 5, 9), (39, 5, 9), (40, 5, 9)],
            &[false, false, true, false, true],
        );
    }

    #[test]
    fn moving_or_being_at_the_end_is_no_standstill() {
        check(&[(0, 5, 9), (19, 6, 9), (38, 7, 9), (100, 8, 9)], &[false; 4]);
        // Long after the last look, records that have just come are no standstill.
        check(&[(0, 9, 9), (100, 9, 9), (200, 9, 10), (219, 9, 10)], &[false; 4]);
    }
}
