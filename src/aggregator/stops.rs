//! What happens when counting cannot go on.
//!
//! Owns stopping. Invariants: a stop holds until the operator decides on it, over
//! restarts too; and where records of another log may have been counted, what was
//! counted since the last snapshot is thrown away before the stop is kept, since
//! only that one is known to hold none of them.

use std::thread;
use std::time::{Duration, Instant};

use super::Aggregator;
use super::judge::Judge;
use super::watchdog::Watchdog;
use crate::log::{Canary, LogIdentity, Partition, Positions, Stop, StopReason};
use crate::snapshot::{LoadError, Loaded};
use crate::tally::Loading;

/// Between two attempts to read the last snapshot where the system could not.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Aggregator {
    /// Whether counting stopped because the topic is another one.
    pub(super) fn is_another_log(&self) -> bool {
        self.counting.positions().stops().any(|(_, stop)| stop.reason == StopReason::Recreated)
    }

    /// Counts one partition no further.
    pub(super) fn stop(&mut self, partition: Partition, stop: &Stop, message: &str) {
        self.counting.stop(partition, stop.clone());
        self.say_stopped(stop, Some(partition), message);
        self.status.stop(partition, stop.clone());
        self.snapshots.hurry();
    }

    /// Counts nothing of what the broker has now: it is another log.
    pub(super) fn recreated(&mut self, found: &LogIdentity, why: &str) {
        self.reading = false;
        self.assign();
        self.guard.doubt();
        self.go_back();
        let mark = mark(found, self.counting.positions());
        let mut first = None;
        // A partition that is stopped already stops for this reason too: what was to be
        // decided about the former log is no question any more.
        let read = self.counting.positions().all().map(|(partition, position)| (partition, position.next));
        for (partition, position) in read.collect::<Vec<_>>() {
            let stop = Stop::recreated(mark, position);
            self.counting.stop(partition, stop.clone());
            self.status.stop(partition, stop.clone());
            first = first.or(Some(stop));
        }
        match first {
            Some(stop) => self.say_stopped(&stop, None, why),
            None => self.begin_with_another_log(),
        }
        self.keep_stops(Instant::now());
    }

    /// Nothing of the former log was ever kept or counted: the present one is the
    /// first.
    fn begin_with_another_log(&mut self) {
        self.guard.forget();
        self.snapshots.begin_anew();
        tracing::warn!(
            topic = self.settings.topic,
            "the topic was made anew before anything of it was kept; counting the new one from its beginning"
        );
    }

    /// Throws away what was counted since the last snapshot.
    pub(super) fn go_back(&mut self) {
        // At once, so that nothing doubtful is answered while the snapshot is read.
        self.status.doubt();
        let was_kept = self.snapshots.is_any_kept();
        let departments = self.settings.departments;
        let ending = self.settings.ending.clone();
        let (rooms, positions) =
            match ending.doing("going back to the last snapshot", || self.read_last_snapshot()) {
                Some(Ok(Loaded { found: Some(mut found), .. })) => {
                    let rooms = found.take_tally();
                    self.guard.go_back(found.state.identity);
                    (rooms, found.state.positions)
                }
                Some(Ok(_)) if was_kept => return self.cannot_go_back(&"it is damaged or gone"),
                Some(Ok(_)) | None => (Loading::new(departments), Positions::default()),
                Some(Err(error)) => return self.cannot_go_back(&error),
            };
        self.counting.replace(rooms, positions);
        self.resume();
    }

    /// Reads the newest snapshot, as soon as the system can. Until then nothing is done:
    /// all that is known is in doubt, and whoever ends the service does not wait.
    fn read_last_snapshot(&mut self) -> Option<Result<Loaded, LoadError>> {
        loop {
            let loaded = self.snapshots.go_back(self.settings.departments);
            let Some(Err(LoadError::Io { what, error })) = &loaded else { return loaded };
            if !self.snapshots.are_kept() {
                return loaded;
            }
            if let Some(unsaid) = self.sampler.sample("going back") {
                tracing::error!(
                    unsaid,
                    "cannot go back to the last snapshot yet: cannot read {what}: {error}; no answer is given, \
                     and it is tried again every second"
                );
            }
            thread::sleep(READ_AGAIN_AFTER);
        }
    }

    fn cannot_go_back(&mut self, why: &dyn std::fmt::Display) {
        tracing::error!("cannot go back to the last snapshot, and cannot go on without it: {why}");
        self.failed = true;
    }

    /// Positions are others than before: what was concluded from the old ones is
    /// forgotten, and what is still on its way from the reader is not counted.
    pub(super) fn resume(&mut self) {
        (self.judge, self.watchdog) = (Judge::default(), Watchdog::default());
        self.said.ready = false;
        self.status.restore(self.counting.positions());
        self.assign();
    }

    /// Keeps that counting stopped. Nothing has been counted since the last snapshot,
    /// so nobody has to vouch for it.
    pub(super) fn keep_stops(&mut self, now: Instant) {
        if !self.failed && self.guard.identity().is_some() {
            let question = self.cut(now);
            self.snapshots.vouch(question);
        }
    }

    /// A restart is no decision: what was stopped is stopped still.
    pub(super) fn say_what_is_stopped(&self) {
        let mut said = Vec::new();
        for (partition, stop) in self.counting.positions().stops() {
            if !said.contains(&&stop.id) {
                said.push(&stop.id);
                let one = (stop.reason != StopReason::Recreated).then_some(partition);
                self.say_stopped(stop, one, "as before this start");
            }
        }
    }

    fn say_stopped(&self, stop: &Stop, partition: Option<Partition>, message: &str) {
        let Stop { id, reason, from, to } = stop;
        let decisions: Vec<_> =
            reason.decisions().iter().map(|decision| format!("--{}", decision.name())).collect();
        tracing::error!(
            topic = self.settings.topic,
            partition = partition.map(|partition| partition.0),
            reason = reason.name(),
            %from,
            %to,
            "stopped, and no answer is given until somebody decides: {message}; \
             roomtally resolve {id} {}",
            // As it stands it is no command: pasted, it decides nothing.
            decisions.join(" or ")
        );
    }
}

/// Tells one sight of another log from others: by what was found, and by how far
/// the former one had been counted.
#[allow(clippy::cast_possible_truncation, reason = "a part of a hash is a hash")]
fn mark(found: &LogIdentity, positions: &Positions) -> u32 {
    let counted: Vec<_> = positions.all().map(|(partition, position)| (partition, position.next)).collect();
    let text = format!("{:?}", (&found.cluster, found.topic, counted));
    Canary::of(0, None, None, Some(text.as_bytes())).hash as u32
}
