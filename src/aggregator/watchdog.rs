//! Notices a client that stopped delivering.
//!
//! Owns since when each partition stands still. librdkafka stalls once in a while
//! after a broker was away; a partition that has records to read and does not
//! move for [`PATIENCE`] while the broker answers is read with a new client.
//! Invariant: a way that is only slow is not cut short for ever. A client that
//! stopped is helped by one that is as it was; where that has not brought the
//! partition to its end either, patience doubles, and the next client's with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kafka::Sighting;
use crate::log::{NextOffset, Partition, Positions};

/// Longer than any pause that heals by itself: within this time a client gives up
/// a dead connection and has made another.
const PATIENCE: Duration = Duration::from_secs(6);

/// How often patience doubles, so that it ends after some minutes.
const DOUBLINGS_MAX: u32 = 4;

/// How many times as long a partition may have to wait for its turn while records
/// of others are on their way.
const TURN: u32 = 5;

/// What is known of each partition, and of the client that reads them.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    standing: BTreeMap<Partition, Standing>,
    /// How often the patience of the client was doubled.
    doublings: u32,
    /// Whether every partition was at its end at the last look.
    current: bool,
}

#[derive(Debug)]
struct Standing {
    at: NextOffset,
    /// Since when records lie in front of it.
    since: Option<Instant>,
    /// New clients since it was last at its end.
    clients: u32,
}

impl Watchdog {
    /// Whether some partition has stood still in front of records for too long, and
    /// if so, how often the patience of the next client is to be doubled. Patience
    /// begins anew when it has run out.
    pub(super) fn stuck(&mut self, positions: &Positions, sighting: &Sighting, now: Instant) -> Option<u32> {
        let (mut standing_still, mut others_move) = (Vec::new(), false);
        self.current = true;
        for bounds in &sighting.partitions {
            let Some(position) = positions.get(bounds.partition) else { continue };
            let first = Standing { at: position, since: None, clients: 0 };
            let standing = self.standing.entry(bounds.partition).or_insert(first);
            if position >= bounds.end {
                *standing = Standing { at: position, since: None, clients: 0 };
                continue;
            }
            self.current = false;
            if standing.at == position {
                standing.since.get_or_insert(now);
                standing_still.push(bounds.partition);
            } else {
                (standing.at, standing.since) = (position, None);
                others_move = true;
            }
        }
        let mut stuck = None;
        for partition in standing_still {
            let standing = self.standing.get_mut(&partition)?;
            let patience = standing.patience() * if others_move { TURN } else { 1 };
            if standing.since.is_some_and(|since| now - since >= patience) {
                standing.since = Some(now);
                standing.clients += 1;
                stuck = stuck.max(Some(standing.doublings()));
            }
        }
        self.doublings = stuck.unwrap_or(self.doublings);
        stuck
    }

    /// Whether a client of more than the usual patience has brought everything to
    /// its end: one of the usual patience notices sooner when its connection dies.
    /// Says so once.
    pub(super) fn has_caught_up(&mut self) -> bool {
        let caught_up = self.current && self.doublings > 0;
        if caught_up {
            self.doublings = 0;
        }
        caught_up
    }
}

impl Standing {
    fn doublings(&self) -> u32 {
        self.clients.saturating_sub(1).min(DOUBLINGS_MAX)
    }

    fn patience(&self) -> Duration {
        PATIENCE * (1 << self.doublings())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::PartitionBounds;
    use crate::log::LogIdentity;
    use crate::room::Timestamp;

    /// What the dog says at each of these looks: seconds, and position and end of
    /// each partition.
    #[track_caller]
    fn check<const N: usize>(looks: &[(u64, [(i64, i64); N])], expected: &[Option<u32>]) {
        let (mut watchdog, start) = (Watchdog::default(), Instant::now());
        let said = looks.iter().map(|(seconds, partitions)| {
            let mut positions = Positions::default();
            let bounds = (0..).zip(partitions).map(|(number, &(position, end))| {
                let partition = Partition(number);
                positions.begin(partition, NextOffset::at(position));
                PartitionBounds { partition, begin: NextOffset::START, end: NextOffset::at(end) }
            });
            let (at, identity) = (Timestamp::from_millis(0), LogIdentity::default());
            let sighting = Sighting { at, identity, partitions: bounds.collect() };
            watchdog.stuck(&positions, &sighting, start + Duration::from_secs(*seconds))
        });
        assert_eq!(said.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn standing_still_in_front_of_records_is_noticed_and_clients_are_given_ever_longer() {
        let looks = [0, 5, 6, 11, 12, 23, 24, 47, 48].map(|second| (second, [(5, 9)]));
        check(&looks, &[None, None, Some(0), None, Some(1), None, Some(2), None, Some(3)]);
    }

    #[test]
    fn what_is_known_of_a_slow_way_holds_until_the_end_is_reached() {
        let slow = [(0, 5), (6, 5), (12, 5), (23, 6), (24, 6), (35, 6), (36, 6)];
        let looks = slow.map(|(second, position)| (second, [(position, 9)]));
        check(&looks, &[None, Some(0), Some(1), None, None, None, Some(2)]);
        let current = [(0, 5, 9), (6, 5, 9), (10, 9, 9), (11, 9, 10), (16, 9, 10), (17, 9, 10)];
        let looks = current.map(|(second, position, end)| (second, [(position, end)]));
        check(&looks, &[None, Some(0), None, None, None, Some(0)]);
    }

    #[test]
    fn moving_or_being_at_the_end_is_no_standstill() {
        check(&[(0, 5), (5, 6), (10, 7), (30, 8)].map(|(second, at)| (second, [(at, 9)])), &[None; 4]);
        // Long after the last look, records that have just come are no standstill.
        let ends = [(0, 9), (100, 9), (200, 10), (205, 10)];
        check(&ends.map(|(second, end)| (second, [(9, end)])), &[None; 4]);
    }

    #[test]
    fn a_partition_may_wait_for_its_turn_while_others_are_caught_up_with() {
        let looks = [0, 6, 29, 30].map(|second: i64| (second.unsigned_abs(), [(5, 9), (second, 100)]));
        check(&looks, &[None, None, None, Some(0)]);
        // At their ends they have nothing on its way.
        let looks = [0, 5, 6].map(|second: i64| (second.unsigned_abs(), [(5, 9), (second, second)]));
        check(&looks, &[None, None, Some(0)]);
    }

    #[test]
    fn the_usual_patience_is_back_once_everything_has_been_read() {
        let (mut watchdog, start) = (Watchdog::default(), Instant::now());
        let mut look = |seconds, position| {
            let mut positions = Positions::default();
            positions.begin(Partition(0), NextOffset::at(position));
            let (begin, end) = (NextOffset::START, NextOffset::at(9));
            let bounds = vec![PartitionBounds { partition: Partition(0), begin, end }];
            let (at, identity) = (Timestamp::from_millis(0), LogIdentity::default());
            let sighting = Sighting { at, identity, partitions: bounds };
            let _ = watchdog.stuck(&positions, &sighting, start + Duration::from_secs(seconds));
            watchdog.has_caught_up()
        };
        let looks = [(0, 5), (6, 5), (12, 5), (13, 8), (14, 9), (15, 9)];
        let caught_up = looks.map(|(seconds, position)| look(seconds, position));
        assert_eq!(caught_up, [false, false, false, false, true, false]);
    }
}
