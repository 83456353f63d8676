//! The one owner of writing: takes what the log tells and makes it count.
//!
//! Owns the tally's writer, the positions and what they mean. It reads one
//! closed enum from one bounded channel, applies whole batches, keeps
//! [`Status`] true, and gives the reader its partitions. Invariant: a record's
//! effect and the position behind it change in the same step, here and nowhere
//! else.

mod absence;
mod counting;
mod judge;
mod watchdog;

pub use counting::{Counting, Refusal};

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::aggregator::absence::Absence;
use crate::aggregator::judge::{Judge, Verdict};
use crate::aggregator::watchdog::Watchdog;
use crate::decode;
use crate::kafka::{Batch, Fault, FaultKind, LogEvent, OutOfSight, Reader, Sighting};
use crate::log::{Partition, Stop, StopReason};
use crate::room::Timestamp;
use crate::status::{Ends, KafkaState, Status};
use crate::telemetry::Sampler;

/// Makes what the log tells count.
pub struct Aggregator {
    counting: Counting,
    status: Status,
    settings: Settings,
    sampler: Sampler,
    watchdog: Watchdog,
    judge: Judge,
    absence: Absence,
    /// The topic is not the one that was counted: nothing of it is read.
    another_topic: bool,
    warned_of_keys: bool,
    said_ready: bool,
    began: Instant,
}

/// What the aggregator needs to know of the outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For log lines.
    pub topic: String,
    /// For log lines.
    pub bootstrap_servers: String,
    /// How long a broker may be away before [`KafkaState::Unavailable`] says so.
    pub unavailable_after: Duration,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

impl Aggregator {
    /// Counts from nothing.
    pub fn new(counting: Counting, status: Status, settings: Settings) -> Self {
        Self {
            counting,
            status,
            settings,
            sampler: Sampler::default(),
            watchdog: Watchdog::default(),
            judge: Judge::default(),
            absence: Absence::default(),
            another_topic: false,
            warned_of_keys: false,
            said_ready: false,
            began: Instant::now(),
        }
    }

    /// Takes events until the reader has ended; gives the reader its partitions.
    pub fn run(mut self, events: &Receiver<LogEvent>, reader: &Reader) {
        for event in events {
            match event {
                LogEvent::Batch(batch) => self.count(&batch),
                LogEvent::Fault(fault) => self.fault(&fault, reader),
                LogEvent::Sighted(sighting) => self.sighted(&sighting, reader),
                LogEvent::OutOfSight(why) => self.missed(&why, reader),
                LogEvent::ReaderEnded => break,
            }
        }
    }

    fn count(&mut self, batch: &Batch) {
        let topic = &self.settings.topic;
        let sampler = &mut self.sampler;
        let applied = self.counting.apply(batch, |refusal| {
            let Refusal { partition, offset, reason, .. } = refusal;
            if let Some(unsaid) = sampler.sample(reason.name()) {
                let hint = refusal.hint();
                tracing::warn!(topic, %partition, offset, reason = reason.name(), unsaid, "record rejected{hint}");
            }
        });
        self.status.applied(self.counting.positions(), &applied, self.counting.events());
        for &(partition, _) in batch.ends() {
            self.status.reached_end(partition);
        }
        self.warn_of_keys(batch);
        self.say_when_ready();
    }

    /// New partitions are read from where their log begins.
    fn sighted(&mut self, sighting: &Sighting, reader: &Reader) {
        let (missing_for, deleted) = self.absence.end(Instant::now());
        if let Some(missing_for) = missing_for {
            let after_s = missing_for.as_secs();
            tracing::info!(topic = self.settings.topic, after_s, "Kafka answers and has the topic");
        }
        self.status.set_kafka(KafkaState::Connected);
        // First the verdict: the ends of another log make no answer complete.
        let changed = self.judge_positions(sighting, deleted);
        let new: Vec<_> = sighting
            .partitions
            .iter()
            .filter(|bounds| !self.another_topic && self.counting.begin(bounds.partition, bounds.begin))
            .map(|bounds| (bounds.partition, bounds.begin, bounds.end))
            .collect();
        self.status.follow(&new);
        self.status.heard_ends(Ends {
            at: sighting.at,
            ends: sighting.partitions.iter().map(|bounds| (bounds.partition, bounds.end)).collect(),
        });
        if !new.is_empty() || changed {
            let partitions = self.counting.positions().iter().count();
            if partitions > 0 {
                tracing::info!(topic = self.settings.topic, partitions, "reading");
            }
            self.assign(reader);
        }
        if self.watchdog.is_stuck(self.counting.positions(), sighting, Instant::now()) {
            tracing::warn!("records are there and none arrive; reading on with a new client");
            reader.rebuild(self.counting.positions().iter().collect());
        }
        self.judge.looked(self.counting.positions(), (self.settings.now)());
        self.say_when_ready();
    }

    fn assign(&self, reader: &Reader) {
        reader.assign(self.counting.positions().iter().collect());
    }

    fn missed(&mut self, why: &OutOfSight, reader: &Reader) {
        let miss = self.absence.miss(why.clone(), Instant::now());
        if miss.say {
            self.say_missed(why);
        }
        match why {
            OutOfSight::TopicAbsent => self.status.set_kafka(KafkaState::TopicAbsent),
            OutOfSight::BrokerAway { .. } if miss.lasts >= self.settings.unavailable_after => {
                self.status.set_kafka(KafkaState::Unavailable);
            }
            OutOfSight::BrokerAway { .. } => {}
        }
        let counted = self.counting.positions().iter().next().is_some();
        if miss.deleted && counted {
            // What comes back under this name is not to be read as if it were this.
            reader.assign(Vec::new());
            tracing::error!(
                topic = self.settings.topic,
                "the topic has been deleted; what was counted is still answered, until another topic of this \
                 name is there"
            );
        }
    }

    fn fault(&mut self, fault: &Fault, reader: &Reader) {
        let Fault { partition, kind, at, message } = fault;
        match (kind, partition) {
            (FaultKind::OutOfRange, Some(partition)) => {
                tracing::warn!(%partition, message, "the log has nothing at our position");
                self.judge.hear_out_of_range(*partition, *at, (self.settings.now)());
            }
            (FaultKind::BadBatch, Some(partition)) => {
                if let Some(position) = self.counting.positions().get(*partition) {
                    let stop = Stop { reason: StopReason::BadBatch, from: position, to: position.max(*at) };
                    self.stop(*partition, stop, message);
                    self.assign(reader);
                }
            }
            _ => {
                if let Some(unsaid) = self.sampler.sample("fault") {
                    tracing::warn!(?partition, message, unsaid, "Kafka's client cannot read; it tries again");
                }
            }
        }
    }

    /// Stops partitions whose position is not in their log; says whether the
    /// reader needs a new assignment.
    fn judge_positions(&mut self, sighting: &Sighting, deleted: bool) -> bool {
        // Kafka never takes a partition from a topic: one that lacks some is another.
        let lacks_some = self.counting.positions().iter().any(|(partition, _)| !sighting.has(partition));
        if self.absence.lacks(lacks_some, Instant::now()) || deleted {
            let positions: Vec<_> = self.counting.positions().iter().collect();
            for &(partition, position) in &positions {
                let stop = Stop { reason: StopReason::Recreated, from: position, to: position };
                self.stop(partition, stop, "the topic was deleted and made anew");
            }
            self.another_topic |= !positions.is_empty();
            return !positions.is_empty();
        }
        let mut changed = false;
        for bounds in &sighting.partitions {
            let positions = self.counting.positions();
            match self.judge.verdict(positions, bounds, sighting.at, Instant::now()) {
                Verdict::ReadOn => {}
                Verdict::ReadAgain => changed = true,
                Verdict::Stop(stop) => {
                    let (from, to) = (stop.from, stop.to);
                    self.stop(bounds.partition, stop, &format!("counted up to {from}, the log has {to}"));
                    changed = true;
                }
            }
        }
        changed
    }

    fn stop(&mut self, partition: Partition, stop: Stop, message: &str) {
        self.counting.stop(partition);
        self.status.stop(partition, stop);
        tracing::error!(
            topic = self.settings.topic,
            %partition,
            reason = stop.reason.name(),
            "stopped, and no answer is given until the whole log is counted anew: {message}; \
             restart roomtally to count the topic from its beginning"
        );
    }

    fn warn_of_keys(&mut self, batch: &Batch) {
        if self.warned_of_keys || self.counting.positions().iter().nth(1).is_none() {
            return;
        }
        // A few records tell; every batch's first is enough to find out.
        let Some(record) = batch.records().next() else { return };
        // A connector's heartbeat has no value, and no room in its key either.
        if record.value.is_some() && !decode::key_names_a_room(record.key) {
            self.warned_of_keys = true;
            tracing::warn!(
                topic = self.settings.topic,
                partition = %record.partition,
                offset = record.offset,
                "this record's key names no room, and the topic has several partitions: changes of one room \
                 may be applied in the wrong order; key the records by room id, or use one partition"
            );
        }
    }

    fn say_missed(&self, why: &OutOfSight) {
        let Settings { topic, bootstrap_servers, .. } = &self.settings;
        match why {
            OutOfSight::TopicAbsent => {
                tracing::warn!(
                    topic,
                    bootstrap_servers,
                    "Kafka has no such topic; waiting for it, looking every second"
                );
            }
            OutOfSight::BrokerAway { reason } => {
                tracing::warn!(bootstrap_servers, "cannot reach Kafka: {reason}; trying again every second");
            }
        }
    }

    fn say_when_ready(&mut self) {
        if !self.said_ready && self.status.complete_as_of().is_some() {
            self.said_ready = true;
            let records = self.counting.events().total();
            let seconds = format!("{:.1}", self.began.elapsed().as_secs_f64());
            tracing::info!(
                topic = self.settings.topic,
                records,
                seconds,
                "ready: every partition is read to its end"
            );
        }
    }
}
