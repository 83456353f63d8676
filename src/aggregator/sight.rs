//! What the looks at broker and topic mean for reading.
//!
//! Owns the order in which a look is judged: first which log it is, then whether
//! our positions lie in it, and only then how far it goes, since the ends of
//! another log make no answer complete.

use std::time::Instant;

use super::Aggregator;
use super::absence::Back;
use super::beginnings::Before;
use super::guard::Answer;
use super::judge::Verdict;
use crate::kafka::{Fault, FaultKind, OutOfSight, PartitionBounds, Sighting, Verified};
use crate::log::{Partition, Stop, StopReason};
use crate::status::{Ends, KafkaState};

impl Aggregator {
    /// Takes in what a look shows.
    pub(super) fn sighted(&mut self, sighting: &Sighting) {
        let now = Instant::now();
        let missing_for = self.absence.end(now);
        self.last_look.in_sight = true;
        if let Some(missing_for) = missing_for {
            let after_s = missing_for.as_secs();
            tracing::info!(topic = self.settings.topic, after_s, "Kafka answers and has the topic");
        }
        self.status.set_kafka(KafkaState::Connected);
        if self.is_another_log() {
            return;
        }
        // Asked before anything is learned of this look.
        let naming = self.guard.naming(&sighting.identity);
        if !self.guard.sees(&sighting.identity) {
            return self.recreated(&sighting.identity, "the broker names another cluster or another topic");
        }
        let lacks_some = self.counting.positions().iter().any(|(partition, _)| !sighting.has(partition));
        match self.absence.judge(naming, lacks_some, now) {
            Back::Same => {}
            Back::Unclear => return,
            Back::Another => {
                return self.recreated(&sighting.identity, "the topic was deleted and made anew");
            }
        }
        let changed = self.judge_positions(sighting);
        let new = self.follow(sighting);
        self.last_look.past_end = sighting.partitions.iter().any(|bounds| {
            self.counting.positions().get(bounds.partition).is_some_and(|position| position > bounds.end)
        });
        if !self.reading {
            self.prepare_to_read(now);
        } else if new || changed {
            self.assign();
            self.ask(now);
        } else if missing_for.is_some() && !self.guard.waits() {
            self.ask(now);
        }
        self.look_after_reader(sighting, now);
        self.judge.looked(self.counting.positions(), (self.settings.now)());
        self.say_when_ready();
    }

    /// Takes partitions up that were not known yet; says whether there are any.
    fn follow(&mut self, sighting: &Sighting) -> bool {
        let mut new = false;
        let decided = self.snapshots.decided();
        let before = Before { kept: self.snapshots.kept(), decided: &decided };
        for &PartitionBounds { partition, begin, .. } in &sighting.partitions {
            new |= self.counting.begin(partition, before.takes_up(partition, begin));
        }
        let ends = || sighting.partitions.iter().map(|bounds| (bounds.partition, bounds.end));
        self.status.follow(self.counting.positions(), ends());
        self.status.heard_ends(Ends { at: sighting.at, ends: ends().collect() });
        new
    }

    /// Nothing is read before the log was found to be the one that was counted.
    fn prepare_to_read(&mut self, now: Instant) {
        if self.guard.is_trusted() {
            self.read_if_allowed();
        } else if !self.guard.waits() {
            self.ask(now);
        }
    }

    /// Begins to read, unless something has to come before it.
    pub(super) fn read_if_allowed(&mut self) {
        if self.reading
            || self.ended
            || self.last_look.past_end
            || !self.guard.is_trusted()
            || !self.snapshots.allow_reading()
        {
            return;
        }
        self.reading = true;
        let partitions = self.counting.positions().iter().count();
        if partitions > 0 {
            tracing::info!(topic = self.settings.topic, partitions, "reading");
        }
        self.assign();
    }

    fn look_after_reader(&mut self, sighting: &Sighting, now: Instant) {
        if !self.reading {
            return;
        }
        let doublings = match self.watchdog.stuck(self.counting.positions(), sighting, now) {
            Some(doublings) => {
                tracing::warn!("records are there and none arrive; reading on with a new client");
                doublings
            }
            None if self.watchdog.has_caught_up() => 0,
            None => return,
        };
        let partitions = self.counting.positions().iter().collect();
        self.assignment = self.reader.rebuild(partitions, doublings);
    }

    /// Asks the broker whether the log is still the same.
    pub(super) fn ask(&mut self, now: Instant) {
        let question = self.guard.ask(self.counting.positions(), self.snapshots.kept(), now);
        self.watch.verify(question);
    }

    pub(super) fn verified(&mut self, verified: &Verified) {
        if self.is_another_log() {
            return;
        }
        match self.guard.hear(verified) {
            Answer::Same(number) => {
                self.vouch(number, Instant::now());
                if self.guard.is_trusted() {
                    self.status.trust();
                }
                self.read_if_allowed();
                self.say_when_ready();
            }
            Answer::Unsure => {
                if let Some(unsaid) = self.sampler.sample("unnamed") {
                    tracing::warn!(
                        topic = self.settings.topic,
                        unsaid,
                        "cannot verify that the log is the one that was counted: the topic had an id, and the \
                         broker does not tell it now; nothing is read after a start, and no snapshot is kept, \
                         until it does. A broker that is busy or far away tells it in time; a proxy that knows \
                         no ids has to be gone around"
                    );
                }
            }
            Answer::Other(None) => {
                self.recreated(&verified.identity, "the broker names another cluster or another topic");
            }
            Answer::Other(Some(partition)) => {
                let why = format!("the last record read of partition {partition} is another one now");
                self.recreated(&verified.identity, &why);
            }
        }
    }

    pub(super) fn missed(&mut self, why: &OutOfSight) {
        self.last_look.in_sight = false;
        let now = Instant::now();
        self.guard.excuse(now);
        let miss = self.absence.miss(why.clone(), now);
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
        if miss.deleted && self.reading {
            // What comes back under this name is not to be read as if it were this.
            self.reading = false;
            self.guard.doubt();
            self.assign();
            tracing::error!(
                topic = self.settings.topic,
                "the topic has been deleted; what was counted is still answered, until another topic of this \
                 name is there"
            );
        }
    }

    pub(super) fn fault(&mut self, fault: &Fault, assignment: u64) {
        if assignment != self.assignment {
            return;
        }
        let Fault { partition, kind, at, message } = fault;
        match (kind, partition) {
            (FaultKind::OutOfRange, Some(partition)) => {
                tracing::warn!(%partition, message, "the log has nothing at our position");
                self.judge.hear_out_of_range(*partition, *at, (self.settings.now)());
            }
            (FaultKind::BadBatch, Some(partition)) => {
                if let Some(position) = self.counting.positions().get(*partition) {
                    let to = position.max(at.unwrap_or(position));
                    let stop = Stop::of_partition(StopReason::BadBatch, *partition, position, to);
                    self.stop(*partition, &stop, message);
                    self.assign();
                }
            }
            (FaultKind::WholeAgain, _) => self.assign(),
            _ => {
                if let Some(unsaid) = self.sampler.sample("fault") {
                    tracing::warn!(?partition, message, unsaid, "Kafka's client cannot read; it tries again");
                }
            }
        }
    }

    /// Stops partitions whose position is not in their log; says whether the
    /// reader needs a new assignment.
    fn judge_positions(&mut self, sighting: &Sighting) -> bool {
        let (mut changed, mut stops) = (false, Vec::new());
        let decided = self.snapshots.decided();
        for bounds in &sighting.partitions {
            let before = Before { kept: self.snapshots.kept(), decided: &decided };
            let (positions, kept) = (self.counting.positions(), before.kept_beside(bounds.partition));
            match self.judge.verdict(positions, kept, bounds, self.reading, sighting.at, Instant::now()) {
                Verdict::ReadOn => {}
                Verdict::ReadAgain => changed = true,
                Verdict::BeginAnew => self.begin_anew(bounds.partition),
                Verdict::Stop(stop) => stops.push((bounds.partition, stop)),
            }
        }
        if stops.iter().any(|(_, stop)| stop.reason.doubts_the_counts()) {
            self.go_back();
            // The others were judged by positions that are not any more.
            stops.retain(|(_, stop)| stop.reason.doubts_the_counts());
        }
        changed |= !stops.is_empty();
        for (partition, stop) in stops {
            if self.counting.positions().get(partition).is_none() {
                // Nothing of it was ever kept, so nothing of it is counted any more.
                tracing::warn!(%partition, "its log is not the one that was read; it is read from its beginning");
                continue;
            }
            let message = format!("counted up to {}, the log has {}", stop.from, stop.to);
            self.stop(partition, &stop, &message);
        }
        changed
    }

    /// Takes a partition up again, with this look, where its log begins now. What is on
    /// its way to a snapshot begins before that, and would be missing records.
    fn begin_anew(&mut self, partition: Partition) {
        self.counting.positions_mut().forget(partition);
        self.snapshots.reject();
        self.snapshots.hurry();
        tracing::info!(%partition, "its first records were deleted before any was read; it begins later");
    }

    fn say_missed(&self, why: &OutOfSight) {
        let super::Settings { topic, bootstrap_servers, .. } = &self.settings;
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
}
