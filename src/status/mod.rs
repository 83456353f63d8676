//! What the service knows of itself: readiness, lag, results, stops.
//!
//! Owns the verdict whether an answer may be given, and since when it is known
//! to be complete. Invariants: once every partition has reached the end that
//! the log had at start, only a stop takes readiness back; and `as_of` names an
//! instant at which every record that could be read then had been applied. The
//! aggregator writes, the endpoints read. Time is an argument.

mod readiness;
mod results;
mod timestamps;

pub use readiness::{Ends, KafkaState, Lag, PartitionStatus, Readiness};
pub use results::{EventCounts, EventResult};
pub use timestamps::Timestamps;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log::{NextOffset, Partition, Positions, Stop, StopReason};
use crate::room::Timestamp;

/// The service's knowledge of itself, shared between its parts.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    kafka: KafkaState,
    partitions: BTreeMap<Partition, Followed>,
    was_ready: bool,
    as_of: Option<Timestamp>,
    /// Ends heard of and not all reached yet: the oldest and the newest.
    awaited: VecDeque<Ends>,
    events: EventCounts,
    stops: [u64; StopReason::ALL.len()],
    newest_record: Option<Timestamp>,
}

#[derive(Debug)]
struct Followed {
    status: PartitionStatus,
    end_at_start: NextOffset,
    last_record: Option<Timestamp>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            kafka: KafkaState::Connecting,
            partitions: BTreeMap::new(),
            was_ready: false,
            as_of: None,
            awaited: VecDeque::new(),
            events: EventCounts::default(),
            stops: [0; StopReason::ALL.len()],
            newest_record: None,
        }
    }
}

/// What the owner of writing tells.
impl Status {
    /// The broker or the topic is seen in another state.
    pub fn set_kafka(&self, kafka: KafkaState) {
        self.state().kafka = kafka;
    }

    /// Partitions are followed from now on: each from `begin`, and complete once
    /// `end`, the end of its log now, is reached.
    pub fn follow(&self, partitions: &[(Partition, NextOffset, NextOffset)]) {
        let mut state = self.state();
        for &(partition, begin, end) in partitions {
            let status = PartitionStatus {
                partition,
                position: begin,
                end,
                begins_at: (begin > NextOffset::START).then_some(begin),
                current: false,
                stop: None,
            };
            let followed = Followed { status, end_at_start: end, last_record: None };
            state.partitions.entry(partition).or_insert(followed);
        }
        state.settle();
    }

    /// A batch has been applied: positions, its records' timestamps, and the
    /// results so far.
    pub fn applied(&self, positions: &Positions, timestamps: &Timestamps, events: &EventCounts) {
        let mut state = self.state();
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

    /// The log's own reader has reached the end of a partition.
    pub fn reached_end(&self, partition: Partition) {
        let mut state = self.state();
        if let Some(followed) = state.partitions.get_mut(&partition) {
            followed.status.current = true;
        }
        state.settle();
    }

    /// The broker said where the partitions end.
    pub fn heard_ends(&self, ends: Ends) {
        let mut state = self.state();
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

    /// A partition is not counted on.
    pub fn stop(&self, partition: Partition, stop: Stop) {
        let mut state = self.state();
        if let Some(followed) = state.partitions.get_mut(&partition)
            && followed.status.stop.is_none()
        {
            followed.status.stop = Some(stop);
            state.stops[stop.reason as usize] += 1;
        }
    }
}

/// What the endpoints ask.
impl Status {
    /// The instant at which the counts were last known to be complete; none
    /// while no answer may be given.
    pub fn complete_as_of(&self) -> Option<Timestamp> {
        let state = self.state();
        if state.ready() { state.as_of } else { None }
    }

    /// Readiness and what it is made of.
    pub fn readiness(&self) -> Readiness {
        let state = self.state();
        Readiness {
            ready: state.ready(),
            partitions: state.partitions.values().map(|followed| followed.status).collect(),
            kafka: state.kafka,
        }
    }

    /// Results and refusals so far.
    pub fn events(&self) -> EventCounts {
        self.state().events.clone()
    }

    /// Stops so far, every reason once.
    pub fn stops(&self) -> [(StopReason, u64); StopReason::ALL.len()] {
        let stops = self.state().stops;
        StopReason::ALL.map(|reason| (reason, stops[reason as usize]))
    }

    /// The newest Kafka timestamp of a record applied so far.
    pub fn newest_record(&self) -> Option<Timestamp> {
        self.state().newest_record
    }

    /// How far behind each partition is, at the instant `now`.
    pub fn lag(&self, now: Timestamp) -> Vec<Lag> {
        self.state().partitions.values().map(|followed| followed.lag(now)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    fn lag(&self, now: Timestamp) -> Lag {
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

impl State {
    fn ready(&self) -> bool {
        self.was_ready && self.partitions.values().all(|followed| followed.status.stop.is_none())
    }

    /// Draws the conclusions from new positions or ends.
    fn settle(&mut self) {
        for followed in self.partitions.values_mut() {
            followed.status.current |= followed.status.position >= followed.end_at_start;
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
        let status = Status::default();
        status.follow(&[(P[0], at(0), at(10)), (P[1], at(0), at(0))]);
        status.heard_ends(ends(1_000, [10, 0]));
        let mut positions = Positions::default();
        for partition in P {
            positions.begin(partition, at(0));
        }
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
        status.follow(&[(new, at(0), at(5))]);
        let readiness = status.readiness();
        assert!(readiness.ready && !readiness.partitions[2].current);
        let mut later = ends(2_000, [10, 0]);
        later.ends.insert(new, at(5));
        status.heard_ends(later);
        assert_eq!(status.complete_as_of(), Some(ts(1_000)));
        positions.begin(new, at(0));
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
        let stop = Stop { reason: StopReason::Gap, from: at(10), to: at(15) };
        status.stop(P[0], stop);
        status.stop(P[0], Stop { reason: StopReason::BeyondEnd, ..stop });
        assert_eq!((status.complete_as_of(), status.readiness().ready), (None, false));
        assert_eq!(status.readiness().partitions[0].stop, Some(stop));
        assert_eq!(status.stops().map(|(_, stops)| stops), [0, 1, 0, 0]);
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
    fn a_log_that_begins_later_says_where() {
        let status = Status::default();
        status.follow(&[(P[0], at(7), at(7)), (P[1], at(0), at(0))]);
        let begins: Vec<_> =
            status.readiness().partitions.iter().map(|partition| partition.begins_at).collect();
        assert_eq!(begins, [Some(at(7)), None]);
    }
}
