//! What is refused, as it leaves for the dead-letter topic.
//!
//! Owns what is told of it, and how long a snapshot waits for it. A cut holds the
//! positions behind records that were refused, so it is not kept until their copies are
//! acknowledged or given up: a crash in between reads and copies those records again.
//! Invariant: only the keeping of a cut waits, and for [`PATIENCE`] at most; counting
//! never does.

use std::time::{Duration, Instant};

use super::{Aggregator, Refusal};
use crate::kafka::{Batch, DeadLetter, DeadLetters};

/// How long a cut waits for the copies of what was refused before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same for the last one, and how long the end waits for copies after it.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(1);

/// Copies on their way, and what waits for them.
#[derive(Debug)]
pub(super) struct Letters {
    sender: Option<DeadLetters>,
    /// When the last cut was taken.
    cut_at: Option<Instant>,
    /// The question that vouches for it, answered while copies were on their way.
    answered: Option<u64>,
    /// How many failures have been said.
    said: u64,
}

impl Letters {
    /// Without a sender nothing is copied, and nothing waits.
    pub(super) fn new(sender: Option<DeadLetters>) -> Self {
        Self { sender, cut_at: None, answered: None, said: 0 }
    }

    /// Copies what was refused of a batch.
    pub(super) fn copy(&mut self, batch: &Batch, refusal: &Refusal<'_>) {
        let Some(sender) = &mut self.sender else { return };
        let record = refusal.record;
        sender.send(&DeadLetter {
            reason: refusal.reason.name(),
            partition: record.partition,
            offset: record.offset,
            key: record.key,
            value: record.value,
            timestamp: record.timestamp,
            headers: batch.headers(refusal.at).iter().collect(),
        });
    }

    /// A cut is taken now.
    pub(super) fn cut(&mut self, now: Instant) {
        if let Some(sender) = &mut self.sender {
            sender.mark();
            self.cut_at = Some(now);
        }
    }

    /// Whether the last cut waits for copies.
    fn holds(&self, now: Instant, patience: Duration) -> bool {
        let is_early = self.cut_at.is_some_and(|cut| now.saturating_duration_since(cut) < patience);
        is_early && self.sender.as_ref().is_some_and(|sender| !sender.is_settled())
    }
}

impl Aggregator {
    /// The question of this number was answered well: the cut before it may be kept, as
    /// soon as the copies of what was refused before it are settled.
    pub(super) fn vouch(&mut self, question: u64, now: Instant) {
        self.letters.answered = Some(question);
        self.release(now);
    }

    /// Lets the cut be kept that waits for nothing any more.
    pub(super) fn release(&mut self, now: Instant) {
        let patience = if self.ended { PATIENCE_AT_THE_END } else { PATIENCE };
        if self.letters.holds(now, patience) {
            return;
        }
        if let Some(question) = self.letters.answered.take() {
            self.snapshots.vouch(question);
        }
    }

    /// Tells what became of the copies since the last time.
    pub(super) fn tell_of_letters(&mut self) {
        let Some(sender) = &self.letters.sender else { return };
        let counts = sender.counts();
        self.status.dead_letters(counts.acknowledged, counts.failed);
        if counts.failed == self.letters.said {
            return;
        }
        let Some(failure) = sender.last_failure() else { return };
        if self.sampler.sample(failure.remedy).is_some() {
            let failed = counts.failed - self.letters.said;
            self.letters.said = counts.failed;
            tracing::warn!(
                topic = sender.topic(),
                failed,
                "copies of rejected records were given up ({}): {}; counting goes on",
                failure.why,
                failure.remedy
            );
        }
    }

    /// No more is refused: waits a moment for the copies on their way.
    pub(super) fn end_letters(&mut self) {
        let Some(sender) = &self.letters.sender else { return };
        let now = Instant::now();
        sender.end(self.settings.ending.last_snapshot_by(now).min(now + PATIENCE_AT_THE_END));
        let counts = sender.counts();
        let failed = counts.failed - std::mem::replace(&mut self.letters.said, counts.failed);
        if failed > 0 {
            tracing::warn!(
                topic = sender.topic(),
                failed,
                "copies of rejected records are not in the dead-letter topic"
            );
        }
        self.status.dead_letters(counts.acknowledged, counts.failed);
    }
}
