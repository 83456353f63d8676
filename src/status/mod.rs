//! What the service knows of itself: readiness, lag, results, stops.
//!
//! Owns the verdict whether an answer may be given, and since when it is known
//! to be complete. Invariants: once every partition has reached the end that
//! the log had at start, only a stop takes readiness back; and `as_of` names an
//! instant at which every record that could be read then had been applied. The
//! aggregator writes, the endpoints read. Time is an argument.

mod followed;
mod readiness;
mod results;
mod shared;
mod snapshot;
mod timestamps;

pub use readiness::{Ends, KafkaState, Lag, PartitionStatus, Readiness};
pub use results::{DeadLetterCounts, EventCounts, EventResult};
pub use snapshot::SnapshotStatus;
pub use timestamps::Timestamps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::log::{NextOffset, Partition, Positions, Stop, StopReason};
use crate::room::Timestamp;
use crate::status::followed::Followed;
use crate::status::shared::Shared;

/// The service's knowledge of itself, shared between its parts.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Shared>);

#[derive(Debug)]
struct State {
    kafka: KafkaState,
    partitions: BTreeMap<Partition, Followed>,
    was_ready: bool,
    /// Whether the log is known to be the one that was counted.
    trusted: bool,
    as_of: Option<Timestamp>,
    /// Ends heard of and not all reached yet: the oldest and the newest.
    awaited: VecDeque<Ends>,
    events: EventCounts,
    stops: [u64; StopReason::ALL.len()],
    newest_record: Option<Timestamp>,
    dead_letters: DeadLetterCounts,
    snapshot: SnapshotStatus,
}

impl Default for State {
    fn default() -> Self {
        Self {
            kafka: KafkaState::Connecting,
            partitions: BTreeMap::new(),
            was_ready: false,
            trusted: false,
            as_of: None,
            awaited: VecDeque::new(),
            events: EventCounts::default(),
            stops: [0; StopReason::ALL.len()],
            newest_record: None,
            dead_letters: DeadLetterCounts::default(),
            snapshot: SnapshotStatus::default(),
        }
    }
}

/// What the owner of writing tells.
impl Status {
    /// The broker or the topic is seen in another state.
    pub fn set_kafka(&self, kafka: KafkaState) {
        self.0.change().kafka = kafka;
    }

    /// These positions and no others are what is counted from, and whatever was
    /// concluded from earlier ones is forgotten.
    pub fn restore(&self, positions: &Positions) {
        self.doubt();
        let mut state = self.0.change();
        state.newest_record = None;
        let before = std::mem::take(&mut state.partitions);
        for (partition, position) in positions.all() {
            let known = before.get(&partition).and_then(|followed| followed.status.stop.as_ref());
            if let Some(stop) = position.stop.as_ref().filter(|stop| Some(*stop) != known) {
                state.stops[stop.reason as usize] += 1;
            }
            state.partitions.insert(partition, Followed::at(partition, position));
        }
    }

    /// What was counted may be wrong: nothing is answered until it was read anew.
    pub fn doubt(&self) {
        let mut state = self.0.change();
        (state.was_ready, state.trusted, state.as_of) = (false, false, None);
        state.awaited.clear();
    }

    /// The log was found to be the one that was counted.
    pub fn trust(&self) {
        self.0.change().trusted = true;
    }

    /// Partitions are followed from now on, and complete once the ends that their
    /// logs have now are reached; those that are followed already stay as they are,
    /// unless they begin later now, which only those do of which nothing was read.
    pub fn follow(&self, positions: &Positions, ends: impl Iterator<Item = (Partition, NextOffset)>) {
        let mut state = self.0.change();
        let ends: BTreeMap<_, _> = ends.collect();
        for (partition, position) in positions.all() {
            let Some(&end) = ends.get(&partition) else { continue };
            let followed =
                state.partitions.entry(partition).or_insert_with(|| Followed::at(partition, position));
            if followed.begins_before(position) {
                *followed = Followed::at(partition, position);
            }
            if followed.end_at_start.is_none() {
                followed.end_at_start = Some(end);
                followed.status.end = end.max(followed.status.position);
            }
        }
        state.settle();
    }

    /// A batch has been applied: positions, its records' timestamps, and the
    /// results so far.
    pub fn applied(&self, positions: &Positions, timestamps: &Timestamps, events: &EventCounts) {
        let mut state = self.0.change();
        state.events.clone_from(events);
        state.newest_record = state.newest_record.max(timestamps.newest);
        for &(partition, last) in &timestamps.last {
            if let Some(followed) = state.partitions.get_mut(&partition) {
                followed.last_record = Some(last);
            }
        }
        for (partition, position) in positions.iter() {
            if let Some(followed) = state.partitions.get_mut(&partition) {
                followed.status.position = position;
                followed.status.end = followed.status.end.max(position);
            }
        }
        state.settle();
    }

    /// So many copies of refused records were acknowledged, and given up, so far.
    pub fn dead_letters(&self, acknowledged: u64, failed: u64) {
        self.0.change().dead_letters = DeadLetterCounts { acknowledged, failed };
    }

    /// The log's own reader has reached the end of a partition.
    pub fn reached_end(&self, partition: Partition) {
        let mut state = self.0.change();
        if let Some(followed) = state.partitions.get_mut(&partition) {
            followed.status.current = true;
        }
        state.settle();
    }

    /// The broker said where the partitions end.
    pub fn heard_ends(&self, ends: Ends) {
        let mut state = self.0.change();
        for (partition, &end) in &ends.ends {
            if let Some(followed) = state.partitions.get_mut(partition) {
                followed.status.end = end.max(followed.status.position);
            }
        }
        // A broker that has not heard of every partition says nothing of the whole.
        if state.partitions.keys().all(|partition| ends.ends.contains_key(partition)) {
            state.awaited.truncate(1);
            state.awaited.push_back(ends);
        }
        state.settle();
    }

    /// Snapshots are kept, and the newest generation is this one, if there is one, as
    /// for [`Status::snapshot_kept`].
    pub fn snapshots_begin(&self, newest: Option<(u64, Timestamp, u64)>) {
        let mut state = self.0.change();
        state.snapshot = SnapshotStatus { kept: true, ..SnapshotStatus::default() };
        if let Some((generation, written_at, bytes)) = newest {
            state.snapshot.took(generation, written_at, bytes);
        }
    }

    /// A generation is on disk for good: its number, when it was written, and the
    /// bytes of all files that it stands in.
    pub fn snapshot_kept(&self, generation: u64, written_at: Timestamp, bytes: u64) {
        self.0.change().snapshot.took(generation, written_at, bytes);
    }

    /// A snapshot could not be written.
    pub fn snapshot_failed(&self, error: String) {
        let mut state = self.0.change();
        state.snapshot.failures += 1;
        state.snapshot.error = Some(error);
    }

    /// Whether it is long since the broker showed which log it has.
    pub fn snapshots_unvouched(&self, unvouched: bool) {
        self.0.change().snapshot.unvouched = unvouched;
    }

    /// A partition is not counted on.
    pub fn stop(&self, partition: Partition, stop: Stop) {
        let mut state = self.0.change();
        if let Some(followed) = state.partitions.get_mut(&partition)
            && followed.status.stop.as_ref().is_none_or(|known| known.id != stop.id)
        {
            let reason = stop.reason;
            followed.status.stop = Some(stop);
            state.stops[reason as usize] += 1;
        }
    }
}

/// What the endpoints ask.
impl Status {
    /// The instant at which the counts were last known to be complete; none
    /// while no answer may be given.
    pub fn complete_as_of(&self) -> Option<Timestamp> {
        self.0.complete_as_of()
    }

    /// Readiness and what it is made of.
    pub fn readiness(&self) -> Readiness {
        let state = self.0.state();
        Readiness {
            ready: state.ready(),
            partitions: state.partitions.values().map(|followed| followed.status.clone()).collect(),
            kafka: state.kafka,
            snapshot: state.snapshot.clone(),
        }
    }

    /// How it stands with snapshots.
    pub fn snapshot(&self) -> SnapshotStatus {
        self.0.state().snapshot.clone()
    }

    /// Results and refusals so far.
    pub fn events(&self) -> EventCounts {
        self.0.state().events.clone()
    }

    /// What became of copies of refused records so far.
    pub fn dead_letter_counts(&self) -> DeadLetterCounts {
        self.0.state().dead_letters
    }

    /// Stops so far, every reason once.
    pub fn stops(&self) -> [(StopReason, u64); StopReason::ALL.len()] {
        let stops = self.0.state().stops;
        StopReason::ALL.map(|reason| (reason, stops[reason as usize]))
    }

    /// The newest Kafka timestamp of a record applied so far.
    pub fn newest_record(&self) -> Option<Timestamp> {
        self.0.state().newest_record
    }

    /// How far behind each partition is, at the instant `now`.
    pub fn lag(&self, now: Timestamp) -> Vec<Lag> {
        self.0.state().partitions.values().map(|followed| followed.lag(now)).collect()
    }
}

impl State {
    fn complete_as_of(&self) -> Option<Timestamp> {
        if self.ready() { self.as_of } else { None }
    }

    fn ready(&self) -> bool {
        self.was_ready
            && self.trusted
            && self.partitions.values().all(|followed| followed.status.stop.is_none())
    }

    /// Draws the conclusions from new positions or ends.
    fn settle(&mut self) {
        for followed in self.partitions.values_mut() {
            let end = followed.end_at_start;
            followed.status.current |= end.is_some_and(|end| followed.status.position >= end);
        }
        while self.awaited.front().is_some_and(|ends| self.has_reached(ends)) {
            self.as_of = self.awaited.pop_front().map(|ends| ends.at);
        }
        let mut followed = self.partitions.values();
        let all_current = !self.partitions.is_empty() && followed.all(|followed| followed.status.current);
        self.was_ready |= all_current && self.as_of.is_some();
    }

    fn has_reached(&self, ends: &Ends) -> bool {
        ends.ends.iter().all(|(partition, &end)| {
            self.partitions.get(partition).is_some_and(|followed| followed.status.position >= end)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: [Partition; 2] = [Partition(0), Partition(1)];

    fn at(offset: i64) -> NextOffset {
        NextOffset::at(offset)
    }

    fn ts(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn ends(at_ms: i64, offsets: [i64; 2]) -> Ends {
        Ends { at: ts(at_ms), ends: P.into_iter().zip(offsets.map(at)).collect() }
    }

    /// Two partitions of which the log held 10 and 0 records at start.
    fn started() -> (Status, Positions) {
        let (status, mut positions) = (Status::default(), Positions::default());
        for partition in P {
            positions.begin(partition, at(0));
        }
        status.follow(&positions, P.into_iter().zip([at(10), at(0)]));
        status.heard_ends(ends(1_000, [10, 0]));
        status.trust();
        (status, positions)
    }

    fn apply_to(status: &Status, positions: &mut Positions, partition: Partition, end: i64, newest: i64) {
        positions.reach(partition, at(end));
        let mut timestamps = Timestamps::default();
        timestamps.see(partition, ts(newest));
        status.applied(positions, &timestamps, &EventCounts::default());
    }

    #[test]
    fn no_answer_is_given_before_every_partition_has_reached_the_end_it_had_at_start() {
        assert!(!Status::default().readiness().ready);
        let (status, mut positions) = started();
        assert_eq!(status.complete_as_of(), None);
        apply_to(&status, &mut positions, P[0], 9, 0);
        assert_eq!((status.complete_as_of(), status.readiness().ready), (None, false));
        apply_to(&status, &mut positions, P[0], 10, 0);
        assert_eq!((status.complete_as_of(), status.readiness().ready), (Some(ts(1_000)), true));
    }

    #[test]
    fn a_client_at_the_end_of_a_log_is_current_whatever_the_end_was_said_to_be() {
        let (status, mut positions) = started();
        apply_to(&status, &mut positions, P[0], 9, 0);
        status.reached_end(P[0]);
        assert!(status.readiness().partitions.iter().all(|partition| partition.current));
        // But no answer is known to be complete before the broker said so too.
        assert_eq!(status.complete_as_of(), None);
        status.heard_ends(ends(2_000, [9, 0]));
        status.heard_ends(ends(3_000, [9, 0]));
        apply_to(&status, &mut positions, P[0], 10, 0);
        assert_eq!(status.complete_as_of(), Some(ts(3_000)));
    }

    #[test]
    fn the_answer_is_as_old_as_the_last_end_that_was_reached() {
        let (status, mut positions) = started();
        apply_to(&status, &mut positions, P[0], 10, 0);
        status.heard_ends(ends(2_000, [12, 0]));
        assert_eq!(status.complete_as_of(), Some(ts(1_000)));
        status.heard_ends(ends(3_000, [15, 1]));
        status.heard_ends(ends(4_000, [20, 1]));
        apply_to(&status, &mut positions, P[0], 12, 0);
        assert_eq!(status.complete_as_of(), Some(ts(2_000)), "the oldest end is not forgotten");
        apply_to(&status, &mut positions, P[0], 20, 0);
        apply_to(&status, &mut positions, P[1], 1, 0);
        assert_eq!(status.complete_as_of(), Some(ts(4_000)));
    }

    #[test]
    fn a_partition_found_later_is_caught_up_with_while_answers_go_on() {
        let (status, mut positions) = started();
        apply_to(&status, &mut positions, P[0], 10, 0);
        let new = Partition(2);
        positions.begin(new, at(0));
        status.follow(&positions, [(new, at(5))].into_iter());
        let readiness = status.readiness();
        assert!(readiness.ready && !readiness.partitions[2].current);
        let mut later = ends(2_000, [10, 0]);
        later.ends.insert(new, at(5));
        status.heard_ends(later);
        assert_eq!(status.complete_as_of(), Some(ts(1_000)));
        apply_to(&status, &mut positions, new, 5, 0);
        assert_eq!(status.complete_as_of(), Some(ts(2_000)));
    }

    #[test]
    fn ends_that_leave_a_partition_out_make_no_answer_complete() {
        let (status, mut positions) = started();
        apply_to(&status, &mut positions, P[0], 10, 0);
        let mut partial = ends(2_000, [10, 0]);
        partial.ends.remove(&P[1]);
        status.heard_ends(partial);
        assert_eq!(status.complete_as_of(), Some(ts(1_000)));
    }

    #[test]
    fn a_stop_takes_readiness_back_and_is_counted_once() {
        let (status, mut positions) = started();
        apply_to(&status, &mut positions, P[0], 10, 0);
        let stop = Stop::of_partition(StopReason::Gap, P[0], at(10), at(15));
        status.stop(P[0], stop.clone());
        status.stop(P[0], stop.clone());
        assert_eq!((status.complete_as_of(), status.readiness().ready), (None, false));
        assert_eq!(status.readiness().partitions[0].stop, Some(stop));
        assert_eq!(status.stops().map(|(_, stops)| stops), [0, 1, 0, 0]);
        // The log turns out to be another one: that is what is to be decided now.
        let recreated = Stop::recreated(1, at(10));
        status.stop(P[0], recreated.clone());
        assert_eq!(status.readiness().partitions[0].stop, Some(recreated));
        assert_eq!(status.stops().map(|(_, stops)| stops), [1, 1, 0, 0]);
    }

    #[test]
    fn no_answer_is_given_before_the_log_was_found_to_be_the_same() {
        let (status, mut positions) = started();
        apply_to(&status, &mut positions, P[0], 10, 0);
        assert!(status.complete_as_of().is_some());
        status.doubt();
        assert_eq!((status.complete_as_of(), status.readiness().ready), (None, false));
        status.restore(&positions);
        status.follow(&positions, P.into_iter().zip([at(10), at(0)]));
        status.heard_ends(ends(2_000, [10, 0]));
        assert_eq!(status.complete_as_of(), None);
        status.trust();
        assert_eq!(status.complete_as_of(), Some(ts(2_000)));
    }

    #[test]
    fn a_stop_that_was_known_before_is_counted_once_in_each_process() {
        let (status, mut positions) = started();
        let stop = Stop::of_partition(StopReason::Gap, P[0], at(10), at(15));
        positions.stop(P[0], stop);
        status.restore(&positions);
        status.restore(&positions);
        assert_eq!(status.stops().map(|(_, stops)| stops), [0, 1, 0, 0]);
        assert!(status.readiness().partitions[0].stop.is_some());
    }

    #[test]
    fn lag_counts_what_can_be_read_and_ages_while_records_are_behind() {
        let (status, mut positions) = started();
        let lag =
            |now| status.lag(ts(now)).into_iter().map(|lag| (lag.records, lag.seconds)).collect::<Vec<_>>();
        assert_eq!(lag(9_000), [(10, None), (0, Some(0.0))]);
        apply_to(&status, &mut positions, P[0], 4, 5_000);
        assert_eq!(lag(9_000), [(6, Some(4.0)), (0, Some(0.0))]);
        apply_to(&status, &mut positions, P[0], 12, 6_000);
        assert_eq!(lag(9_000), [(0, Some(0.0)), (0, Some(0.0))]);
        assert_eq!(status.newest_record(), Some(ts(6_000)));
    }

    #[test]
    fn a_log_that_begins_later_before_it_was_read_says_so() {
        let (status, mut positions) = started();
        let later = |positions: &mut Positions, begin| {
            positions.forget(P[0]);
            positions.begin(P[0], at(begin));
            status.follow(positions, P.into_iter().zip([at(12), at(0)]));
            status.readiness().partitions[0].clone()
        };
        for begin in [7, 12] {
            let partition = later(&mut positions, begin);
            assert_eq!(partition.begins_at, Some(at(begin)));
            assert_eq!((partition.position, partition.end), (at(begin), at(12)));
        }
    }

    #[test]
    fn a_log_that_begins_later_says_where() {
        let status = Status::default();
        let mut positions = Positions::default();
        positions.begin(P[0], at(7));
        positions.begin(P[1], at(0));
        status.follow(&positions, P.into_iter().zip([at(7), at(0)]));
        let begins: Vec<_> =
            status.readiness().partitions.iter().map(|partition| partition.begins_at).collect();
        assert_eq!(begins, [Some(at(7)), None]);
    }
}
