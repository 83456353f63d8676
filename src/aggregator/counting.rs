//! One batch of records onto the counts.
//!
//! Owns the order in which a record is judged: replayed or new, readable or
//! not, and what it then does. Invariant: the position moves past a record in the
//! batch in which its one result is counted.

use bumpalo::Bump;
use bumpalo::collections::Vec;

use crate::decode::{self, RejectReason};
use crate::kafka::{BatchRecord, DecodedBatch, DecodedRecord};
use crate::log::{Arrival, NextOffset, Partition, Positions, Stop};
use crate::snapshot::Changes;
use crate::status::{EventCounts, EventResult, Timestamps};
use crate::tally::{Apply, Loading, Outcome, TallyWriter};

/// So many changes are applied before whoever asks may come between. Where both cores are busy
/// the counting thread may lose its own in the middle, and all that ask wait until it has it
/// again and is done: a tenth of a millisecond's work is soon done, a whole batch is not.
const BETWEEN_QUESTIONS: usize = 128;

/// Applies batches and keeps count of the results.
#[derive(Debug)]
pub struct Counting {
    tally: TallyWriter,
    /// What is needed until a batch is applied. It is reset and not freed, so that a record
    /// costs no allocation.
    memory: Bump,
    /// Those of the last batch.
    timestamps: Timestamps,
    positions: Positions,
    events: EventCounts,
    /// What changed and was not taken yet.
    changes: Changes,
}

/// A record that was refused.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// The record.
    pub record: BatchRecord<'a>,
    /// Its place in the batch, where its headers are found.
    pub at: usize,
    /// Why.
    pub reason: RejectReason,
}

impl Refusal<'_> {
    /// What else there is to say, as the end of a sentence.
    pub fn hint(&self) -> &'static str {
        match self.record.value {
            Some(value)
                if self.reason == RejectReason::NotJson && decode::begins_as_registry_framing(value) =>
            {
                ": it begins with a zero byte, which is a schema registry's framing; have the connector write \
                 JSON without a registry"
            }
            _ => "",
        }
    }
}

impl Counting {
    /// Counts into this tally, from nothing.
    pub fn new(tally: TallyWriter) -> Self {
        let (positions, events, changes) = (Positions::default(), EventCounts::default(), Changes::default());
        let (memory, timestamps) = (Bump::new(), Timestamps::default());
        Self { tally, memory, timestamps, positions, events, changes }
    }

    /// Follows a partition from `begin` on, unless it is followed or stopped
    /// already; says whether it is new.
    pub fn begin(&mut self, partition: Partition, begin: NextOffset) -> bool {
        self.positions.begin(partition, begin)
    }

    /// Follows a partition never again: what still comes of it is dropped.
    pub fn stop(&mut self, partition: Partition, stop: Stop) {
        self.positions.stop(partition, stop);
    }

    /// Everything known of one partition, to be decided on.
    pub(super) fn positions_mut(&mut self) -> &mut Positions {
        &mut self.positions
    }

    /// Counts on from these rooms and positions instead.
    pub fn replace(&mut self, rooms: Loading, positions: Positions) {
        self.tally.replace(rooms);
        self.positions = positions;
        self.changes = Changes::default();
    }

    /// Keeps what changes, until they are taken.
    pub fn keep_changes(&mut self) {
        self.tally.keep_changes();
    }

    /// What changed since the last time, if it is at least so much.
    pub fn take_changes(&mut self, at_least: usize) -> Option<Changes> {
        if self.changes.len() < at_least.max(1) {
            return None;
        }
        self.changes.know(self.tally.departments_named());
        Some(std::mem::take(&mut self.changes))
    }

    /// How many rooms count, and how many departments have a number.
    pub(super) fn extent(&self) -> (u64, usize) {
        (self.tally.rooms() as u64, self.tally.departments_named())
    }

    /// How far each partition is applied.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// The results so far.
    pub fn events(&self) -> &EventCounts {
        &self.events
    }

    /// When the records of the last batch were written.
    pub fn timestamps(&self) -> &Timestamps {
        &self.timestamps
    }

    /// Applies a batch, of which readers see what is applied so far; `refused` sees every
    /// record that was refused, and keeps no reader waiting.
    pub fn apply(&mut self, decoded: &DecodedBatch, mut refused: impl FnMut(Refusal<'_>)) {
        self.memory.reset();
        self.timestamps.clear();
        let batch = decoded.batch();
        let mut refusals = Vec::new_in(&self.memory);
        let mut changes = Vec::with_capacity_in(batch.len(), &self.memory);
        let mut places = Vec::with_capacity_in(batch.len(), &self.memory);
        let mut last: Vec<'_, (Partition, usize)> = Vec::new_in(&self.memory);
        for (at, DecodedRecord { partition, offset, timestamp, said }) in decoded.records().enumerate() {
            match self.positions.advance(partition, offset) {
                Arrival::New => match last.iter_mut().find(|(last, _)| *last == partition) {
                    Some((_, last)) => *last = at,
                    None => last.push((partition, at)),
                },
                Arrival::Replayed | Arrival::Unassigned => continue,
            }
            match said {
                Ok(Some(change)) => {
                    changes.push(change);
                    places.push(at);
                }
                Ok(None) => self.events.add(EventResult::Ignored),
                Err(reason) => refusals.push((at, reason)),
            }
            if let Some(timestamp) = timestamp {
                self.timestamps.see(partition, timestamp);
            }
        }
        for (changes, places) in changes.chunks(BETWEEN_QUESTIONS).zip(places.chunks(BETWEEN_QUESTIONS)) {
            let when = |change: usize| match places.get(change) {
                Some(&at) if batch.is_if_unknown(at) => Apply::IfUnknown,
                _ => Apply::Always,
            };
            let mut applied = places.iter();
            self.tally.batch().apply_all(changes, when, |outcome| match (result(outcome), applied.next()) {
                (Ok(result), _) => self.events.add(result),
                (Err(reason), at) => refusals.extend(at.map(|&at| (at, reason))),
            });
        }
        for change in self.tally.drain_changes() {
            self.changes.push(change.id.as_ref(), change.room);
        }
        for (partition, at) in last {
            batch.record(at).into_iter().for_each(|of| self.positions.remember(partition, of.canary()));
        }
        for &(partition, end) in batch.ends() {
            self.positions.reach(partition, end);
        }
        refusals.sort_unstable_by_key(|&(at, _)| at);
        for (at, reason) in refusals {
            self.events.reject(reason);
            batch.record(at).into_iter().for_each(|record| refused(Refusal { record, at, reason }));
        }
    }
}

fn result(outcome: Outcome) -> Result<EventResult, RejectReason> {
    match outcome {
        Outcome::Counted => Ok(EventResult::Counted),
        Outcome::Changed => Ok(EventResult::Changed),
        Outcome::Duplicate => Ok(EventResult::Duplicate),
        Outcome::Removed => Ok(EventResult::Removed),
        Outcome::Tombstone => Ok(EventResult::Tombstone),
        Outcome::UnknownRoom => Ok(EventResult::UnknownRoom),
        Outcome::Ignored => Ok(EventResult::Ignored),
        Outcome::TooManyDepartments => Err(RejectReason::TooManyDepartments),
    }
}
