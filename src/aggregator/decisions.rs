//! What an operator decides about a stop, carried out.
//!
//! Owns the effect of each decision. Invariant: a decision meets the stop of its
//! id and no other, and it is kept in a snapshot before its file is removed, so a
//! crash in between carries it out again on the same state.

use super::Aggregator;
use crate::log::{Decision, NextOffset, Partition, Positions, StopId, StopReason};
use crate::snapshot::{Decided, Told};
use crate::tally::Loading;

/// A partition and what is missing of it.
type Missing = (Partition, NextOffset, NextOffset);

impl Aggregator {
    /// Carries out the decisions that were left.
    pub(super) fn take_decisions(&mut self) {
        while let Some(told) = self.snapshots.told_of_decisions() {
            match told {
                Told::Left(left) => left.into_iter().for_each(|(stop, decision)| self.decide(stop, decision)),
                Told::Forgotten(..) => {}
                Told::Failed(error) => {
                    if let Some(unsaid) = self.sampler.sample("decisions") {
                        tracing::warn!(%error, unsaid, "cannot look for decisions in the data directory");
                    }
                }
                Told::Ended => {
                    tracing::error!("the thread that looks for decisions ended unexpectedly");
                    self.failed = true;
                    return;
                }
            }
        }
    }

    fn decide(&mut self, stop: StopId, decision: Decision) {
        // A generation that does not know of the decision must not end it.
        self.snapshots.reject();
        let stops = self.counting.positions().stops().filter(|(_, found)| found.id == stop);
        let held: Vec<_> = stops.map(|(partition, found)| (partition, found.clone())).collect();
        let Some(reason) = held.first().map(|(_, found)| found.reason) else {
            self.say_unmet(&stop, decision);
            return self.snapshots.dismiss(stop, decision);
        };
        if !reason.decisions().contains(&decision) {
            tracing::warn!(%stop, decision = decision.name(), "this decision does not fit the stop; nothing is done");
            return self.snapshots.dismiss(stop, decision);
        }
        let missing: Vec<Missing> = held.into_iter().map(|(of, stop)| (of, stop.from, stop.to)).collect();
        let ranges: Vec<_> = missing.iter().map(|(of, from, to)| format!("{of}: {from} to {to}")).collect();
        let (decided, missing_offsets) = (decision.name(), ranges.join(", "));
        tracing::warn!(%stop, decided, missing_offsets, "carrying out the operator's decision");
        match decision {
            Decision::AcceptGap => self.accept_gap(&missing),
            Decision::Adopt => self.adopt(reason, &missing),
            Decision::Rebuild => self.rebuild(),
        }
        self.snapshots.carry_out(Decided { stop, decision, at: (self.settings.now)(), missing });
        self.resume();
    }

    /// A decision on a stop that is not there: carried out before a crash, or too late.
    fn say_unmet(&self, stop: &StopId, decision: Decision) {
        let is_it = |decided: &Decided| decided.stop == *stop && decided.decision == decision;
        if self.snapshots.decided().iter().any(is_it) {
            tracing::debug!(%stop, "a decision that was carried out before");
            return;
        }
        let mut now: Vec<_> =
            self.counting.positions().stops().map(|(_, found)| found.id.to_string()).collect();
        now.dedup();
        let stopped_now = if now.is_empty() { "nothing".to_owned() } else { now.join(", ") };
        tracing::warn!(%stop, decision = decision.name(), stopped_now, "a decision on a stop that is not there any more; nothing is done");
    }

    /// Counts on behind the lost records.
    fn accept_gap(&mut self, missing: &[Missing]) {
        for &(partition, _, to) in missing {
            if let Some(position) = self.counting.positions_mut().get_mut(partition) {
                (position.next, position.stop) = (position.next.max(to), None);
            }
        }
    }

    /// Keeps the rooms, and reads the present log from its beginning on top of them.
    fn adopt(&mut self, reason: StopReason, missing: &[Missing]) {
        for &(partition, ..) in missing {
            self.counting.positions_mut().forget(partition);
        }
        if reason == StopReason::Recreated {
            self.await_log();
        }
    }

    /// Forgets all, and reads the log from its beginning.
    fn rebuild(&mut self) {
        self.counting.replace(Loading::new(self.settings.departments), Positions::default());
        self.snapshots.start_over();
        self.await_log();
    }

    /// The next log that is seen is the one that is counted.
    fn await_log(&mut self) {
        self.reading = false;
        self.guard.forget();
        self.snapshots.begin_anew();
    }
}
