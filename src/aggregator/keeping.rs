//! Snapshots, as the owner of writing sees them.
//!
//! Owns the cut: rooms and positions of the instant between two batches.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::Aggregator;
use crate::kafka::LogEvent;
use crate::snapshot::{Cut, FileKind, Kept, State};

/// How long the last snapshot waits for a broker that is away.
const AWAY_FOR: Duration = Duration::from_secs(2);

impl Aggregator {
    /// Takes a cut if it is time.
    pub(super) fn cut_if_due(&mut self, now: Instant) {
        let Some(identity) = self.guard.identity() else { return };
        if !self.snapshots.is_due(identity, self.counting.positions(), now) {
            return;
        }
        if self.is_another_log() {
            self.keep_stops(now);
        } else {
            self.cut(now);
            self.ask(now);
        }
    }

    /// Takes a cut; says by which question it can be vouched for.
    pub(super) fn cut(&mut self, now: Instant) -> u64 {
        let began = Instant::now();
        if let Some(changes) = self.counting.take_changes(1) {
            self.snapshots.changed(changes);
        }
        let (rooms, departments) = self.counting.extent();
        let state = State {
            generation: 0,
            topic: self.settings.topic.clone(),
            identity: self.guard.identity().cloned().unwrap_or_default(),
            positions: self.counting.positions().clone(),
            decisions: self.snapshots.decided(),
            written_at: (self.settings.now)(),
            rooms,
        };
        let question = self.guard.next_question();
        self.snapshots.cut(Cut { state, departments, visited: 0 }, question, now);
        self.letters.cut(now);
        self.settings.metrics.counting_waited(began.elapsed());
        question
    }

    /// Hears all that the thread that writes has told so far.
    pub(super) fn hear_of_snapshots(&mut self) {
        self.release(Instant::now());
        while let Some(kept) = self.snapshots.told() {
            self.hear_of_snapshot(&kept);
        }
    }

    fn hear_of_snapshot(&mut self, kept: &Kept) {
        match kept {
            Kept::Visited(waits) => {
                for wait in waits {
                    self.settings.metrics.counting_waited(*wait);
                }
            }
            Kept::Failed(_, error) | Kept::Stumbled(error) => self.say_failed(error),
            Kept::Ended => {
                tracing::error!("the thread that writes snapshots ended unexpectedly");
                self.failed = true;
            }
            Kept::Published(_, published, took) => {
                self.settings.metrics.snapshot_took(*took);
                self.status.snapshot_kept(published.generation, published.written_at, published.bytes_in_all);
                tracing::debug!(
                    generation = published.generation,
                    bytes = published.bytes,
                    full = published.kind == FileKind::Full,
                    "snapshot kept"
                );
            }
            Kept::NotYet(_) => {}
        }
        if let Some(positions) = self.snapshots.hear(kept) {
            let partitions = positions.all().map(|(partition, position)| (partition, position.next));
            self.watch.commit(partitions.collect());
        }
        self.read_if_allowed();
    }

    /// No more records come: keeps what has been counted.
    pub(super) fn keep_last(&mut self, events: &Receiver<LogEvent>) {
        let began = Instant::now();
        let by = self.settings.ending.last_snapshot_by(began);
        (self.reading, self.ended) = (false, true);
        while !self.is_all_kept() && !self.failed {
            let now = Instant::now();
            if now >= by || now - began > AWAY_FOR && !self.last_look.in_sight {
                tracing::warn!(
                    "no last snapshot: what was counted since the one before is read again at the next start"
                );
                return;
            }
            if !self.snapshots.is_busy() {
                self.snapshots.hurry();
            }
            self.hear_of_snapshots();
            self.snapshots.hand_on();
            self.cut_if_due(now);
            if self.snapshots.needs_word() && self.guard.may_ask_again(now) {
                self.ask(now);
            }
            if let Ok(event) = events.recv_timeout(Duration::from_millis(20)) {
                self.take(event);
            }
        }
    }

    fn is_all_kept(&self) -> bool {
        let Some(identity) = self.guard.identity().filter(|_| !self.is_another_log()) else { return true };
        !self.snapshots.is_busy() && self.snapshots.has_kept(identity, self.counting.positions())
    }

    fn say_failed(&mut self, error: &std::io::Error) {
        self.status.snapshot_failed(error.to_string());
        if let Some(unsaid) = self.sampler.sample("snapshot") {
            tracing::error!(
                unsaid,
                "cannot write a snapshot: {error}; the last one is still there, and the next attempt comes in time"
            );
        }
    }
}
