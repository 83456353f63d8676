//! How far every partition has been applied.
//!
//! Owns the one rule that decides whether a record is applied. Invariant: a
//! position only moves forward, and it moves in the same step that applies the
//! record, so a record is never applied twice and never skipped unseen.

use std::collections::BTreeMap;

use crate::log::{Canary, NextOffset, Partition, Stop};

/// What an arriving record means for the position.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Not read before: apply it. Offsets skipped on the way hold no record for
    /// us (compaction, transactions).
    New,
    /// Already applied (the client delivered it again): drop it.
    Replayed,
    /// Of a partition that was never begun or is stopped: drop it.
    Unassigned,
}

/// Where one partition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Where its log began when it was first read.
    pub begin: NextOffset,
    /// The next offset to apply.
    pub next: NextOffset,
    /// The last record that was applied; none before the first one.
    pub canary: Option<Canary>,
    /// Why it is not counted on.
    pub stop: Option<Stop>,
}

/// How far every partition has been applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Partition, Position>);

impl Positions {
    /// Starts to follow a partition from `begin` on; one that is known already
    /// stays as it is. Says whether it is new.
    pub fn begin(&mut self, partition: Partition, begin: NextOffset) -> bool {
        let new = !self.0.contains_key(&partition);
        let position = Position { begin, next: begin, canary: None, stop: None };
        self.0.entry(partition).or_insert(position);
        new
    }

    /// Takes over where a partition stood.
    pub fn restore(&mut self, partition: Partition, position: Position) {
        self.0.insert(partition, position);
    }

    /// Moves past the record at `offset` unless it was applied before.
    pub fn advance(&mut self, partition: Partition, offset: i64) -> Arrival {
        match self.0.get_mut(&partition) {
            None | Some(Position { stop: Some(_), .. }) => Arrival::Unassigned,
            Some(position) if offset < position.next.as_offset() => Arrival::Replayed,
            Some(position) => {
                position.next = NextOffset::behind(offset);
                Arrival::New
            }
        }
    }

    /// Remembers the last record that was applied, unless a later one is known.
    pub fn remember(&mut self, partition: Partition, canary: Canary) {
        if let Some(position) = self.0.get_mut(&partition)
            && position.canary.is_none_or(|known| known.offset < canary.offset)
        {
            position.canary = Some(canary);
        }
    }

    /// Moves to the end that the log's own reader has reached: what lies
    /// between, such as a transaction's markers, holds no record for us.
    pub fn reach(&mut self, partition: Partition, end: NextOffset) {
        if let Some(position) = self.0.get_mut(&partition).filter(|position| position.stop.is_none()) {
            position.next = position.next.max(end);
        }
    }

    /// Follows a partition no more, until somebody decides.
    pub fn stop(&mut self, partition: Partition, stop: Stop) {
        if let Some(position) = self.0.get_mut(&partition) {
            position.stop = Some(stop);
        }
    }

    /// Forgets a partition, as if it had never been read.
    pub fn forget(&mut self, partition: Partition) {
        self.0.remove(&partition);
    }

    /// Everything known of one partition.
    pub fn get_mut(&mut self, partition: Partition) -> Option<&mut Position> {
        self.0.get_mut(&partition)
    }

    /// The next offset of one partition, if it is followed.
    pub fn get(&self, partition: Partition) -> Option<NextOffset> {
        let position = self.0.get(&partition).filter(|position| position.stop.is_none());
        position.map(|position| position.next)
    }

    /// The partitions that are followed, in order, and the next offset of each.
    pub fn iter(&self) -> impl Iterator<Item = (Partition, NextOffset)> + '_ {
        let followed = self.0.iter().filter(|(_, position)| position.stop.is_none());
        followed.map(|(&partition, position)| (partition, position.next))
    }

    /// Every partition that was ever read, in order, stopped or not.
    pub fn all(&self) -> impl Iterator<Item = (Partition, &Position)> + '_ {
        self.0.iter().map(|(&partition, position)| (partition, position))
    }

    /// The stops, in the order of the partitions.
    pub fn stops(&self) -> impl Iterator<Item = (Partition, &Stop)> + '_ {
        self.all().filter_map(|(partition, position)| Some((partition, position.stop.as_ref()?)))
    }

    /// Whether nothing was ever read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::StopReason;
    use Arrival::{New, Replayed, Unassigned};

    const P: Partition = Partition(3);

    #[track_caller]
    fn check(offsets: &[i64], expected: &[Arrival], end: i64) {
        let mut positions = Positions::default();
        assert!(positions.begin(P, NextOffset::START));
        let arrivals: Vec<_> = offsets.iter().map(|&offset| positions.advance(P, offset)).collect();
        assert_eq!(arrivals, expected);
        assert_eq!(positions.get(P), Some(NextOffset::at(end)));
    }

    #[test]
    fn records_in_order_are_applied_one_by_one() {
        check(&[0, 1, 2], &[New, New, New], 3);
    }

    #[test]
    fn a_replayed_record_is_dropped_and_moves_nothing() {
        check(&[0, 1, 0, 1], &[New, New, Replayed, Replayed], 2);
    }

    #[test]
    fn a_record_behind_a_gap_is_applied() {
        check(&[0, 7, 6], &[New, New, Replayed], 8);
    }

    #[test]
    fn a_record_of_a_partition_never_begun_is_dropped() {
        assert_eq!(Positions::default().advance(P, 0), Unassigned);
    }

    #[test]
    fn beginning_twice_keeps_the_position() {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::START);
        let _ = positions.advance(P, 4);
        assert!(!positions.begin(P, NextOffset::START));
        assert_eq!(positions.get(P), Some(NextOffset::at(5)));
    }

    #[test]
    fn the_end_of_a_log_moves_the_position_only_forward() {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::at(5));
        positions.reach(P, NextOffset::at(9));
        positions.reach(P, NextOffset::at(7));
        assert_eq!(positions.get(P), Some(NextOffset::at(9)));
    }

    #[test]
    fn a_stopped_partition_is_remembered_and_not_followed() {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::at(5));
        let stop = Stop::of_partition(StopReason::Gap, P, NextOffset::at(5), NextOffset::at(9));
        positions.stop(P, stop.clone());
        assert_eq!(positions.advance(P, 9), Unassigned);
        positions.reach(P, NextOffset::at(20));
        assert_eq!((positions.get(P), positions.iter().count()), (None, 0));
        assert!(!positions.begin(P, NextOffset::at(9)));
        assert_eq!(positions.stops().collect::<Vec<_>>(), [(P, &stop)]);
        assert_eq!(
            positions.all().map(|(_, position)| position.next).collect::<Vec<_>>(),
            [NextOffset::at(5)]
        );
    }

    #[test]
    fn the_last_record_is_remembered_whatever_is_told_late() {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::START);
        let canary = |offset| Canary::of(offset, None, None, Some(b"x"));
        positions.remember(P, canary(4));
        positions.remember(P, canary(3));
        assert_eq!(positions.get_mut(P).and_then(|position| position.canary), Some(canary(4)));
    }
}
