//! Whether the log is still the one that was counted.
//!
//! Owns the signs of the log whose records are in the counts, and the questions
//! that were put to the broker about them. Invariant: an answer vouches for what
//! was applied before its question was asked, and for nothing later.

use std::time::{Duration, Instant};

use super::absence::Naming;
use crate::kafka::{Verified, VerifyOrder};
use crate::log::{CanaryFound, LogIdentity, Partition, Positions};

/// The longest time between two questions.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// The shortest time between two questions while everything waits for the answer.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long answers may settle nothing until that is told where everybody looks.
const UNSETTLED_MAX: Duration = Duration::from_secs(30);

/// Knows the log that was counted.
#[derive(Debug, Default)]
pub(super) struct Guard {
    identity: Option<LogIdentity>,
    /// Whether the log was found to be the same since it was last in doubt.
    trusted: bool,
    /// The number of the last question.
    asked: u64,
    answered: u64,
    asked_at: Option<Instant>,
    /// When the first question was asked that no answer has settled since.
    unsettled_since: Option<Instant>,
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What was applied before this question belongs to the log.
    Same(u64),
    /// The log is another one: by its identity, or by this partition's record.
    Other(Option<Partition>),
    /// The broker did not name the topic this time as it did before: to be asked
    /// again. A record does not stand for it, since it may be the other log's.
    Unsure,
}

impl Guard {
    /// Knows the log from before.
    pub(super) fn of(identity: Option<LogIdentity>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// The log that is counted, as far as it is known.
    pub(super) fn identity(&self) -> Option<&LogIdentity> {
        self.identity.as_ref()
    }

    /// Holds what the broker shows against what is known, and learns what was not;
    /// says whether it may be the log that is counted. The first one is.
    #[must_use]
    pub(super) fn sees(&mut self, identity: &LogIdentity) -> bool {
        let known = self.identity.get_or_insert_default();
        let may_be = known.may_be(identity);
        if may_be {
            known.learn(identity);
        }
        may_be
    }

    /// Whether the broker names the topic as the one that is known.
    pub(super) fn naming(&self, identity: &LogIdentity) -> Naming {
        let Some(known) = &self.identity else { return Naming::Same };
        match (known.topic, identity.topic) {
            (None, _) => Naming::None,
            (Some(_), None) => Naming::Untold,
            // Another one is not seen as the same log at all.
            (Some(_), Some(_)) => Naming::Same,
        }
    }

    /// A question about all that was applied so far. Where the broker does not name
    /// the topic, the records that were last `kept` are asked for: the latest ones may
    /// be another log's already, and would vouch for themselves.
    pub(super) fn ask(
        &mut self,
        positions: &Positions,
        kept: Option<&Positions>,
        now: Instant,
    ) -> VerifyOrder {
        self.asked += 1;
        self.asked_at = Some(now);
        self.unsettled_since.get_or_insert(now);
        let is_named = self.identity.as_ref().is_some_and(|known| known.topic.is_some());
        let positions = kept.filter(|_| !is_named).unwrap_or(positions);
        let canaries = positions.all().filter(|(_, position)| position.stop.is_none());
        VerifyOrder {
            number: self.asked,
            canaries: canaries
                .filter_map(|(partition, position)| Some((partition, position.canary?)))
                .collect(),
        }
    }

    /// The number that the next question will have.
    pub(super) fn next_question(&self) -> u64 {
        self.asked + 1
    }

    /// Takes an answer; what is older than the last doubt says nothing good.
    pub(super) fn hear(&mut self, verified: &Verified) -> Answer {
        if !self.sees(&verified.identity) {
            return Answer::Other(None);
        }
        let other = verified.canaries.iter().find(|(_, found)| *found == CanaryFound::Other);
        if let Some(&(partition, _)) = other {
            return Answer::Other(Some(partition));
        }
        self.answered = self.answered.max(verified.number);
        let is_named = self.identity.as_ref().is_some_and(|known| known.topic.is_some());
        if is_named && verified.identity.topic.is_none() {
            return Answer::Unsure;
        }
        self.trusted |= verified.number == self.asked;
        self.unsettled_since = self.asked_at.filter(|_| verified.number < self.asked);
        Answer::Same(verified.number)
    }

    /// Whether the log was found to be the same since it was last in doubt.
    pub(super) fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Nobody could answer until now.
    pub(super) fn excuse(&mut self, now: Instant) {
        self.unsettled_since = self.unsettled_since.map(|_| now);
    }

    /// Whether answers have said neither yes nor no for long.
    pub(super) fn is_unsettled(&self, now: Instant) -> bool {
        self.unsettled_since.is_some_and(|since| now - since >= UNSETTLED_MAX)
    }

    /// Whether a question is open.
    pub(super) fn waits(&self) -> bool {
        self.answered < self.asked
    }

    /// Whether it is time for another question.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.waits() && self.asked_at.is_none_or(|asked| now - asked >= ASK_EVERY)
    }

    /// Whether an answer that was none is asked for again at once.
    pub(super) fn may_ask_again(&self, now: Instant) -> bool {
        !self.waits() && self.asked_at.is_none_or(|asked| now - asked >= ASK_AGAIN_AFTER)
    }

    /// The log was out of sight, and has to be found the same again. Questions that
    /// are open are asked again.
    pub(super) fn doubt(&mut self) {
        self.trusted = false;
        // No answer that is on its way has this number.
        self.asked += 1;
        self.answered = self.asked;
    }

    /// What was counted is what was kept: so is the log.
    pub(super) fn go_back(&mut self, identity: LogIdentity) {
        self.identity = Some(identity);
        self.doubt();
    }

    /// No log is known any more; the next one that is seen is the one.
    pub(super) fn forget(&mut self) {
        self.identity = None;
        self.doubt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Canary, NextOffset, TopicId};

    const P: Partition = Partition(0);

    fn topic(byte: u8) -> LogIdentity {
        LogIdentity { cluster: Some("c".to_owned()), topic: Some(TopicId([byte; 16])) }
    }

    fn answer(number: u64, identity: LogIdentity, found: CanaryFound) -> Verified {
        Verified { number, identity, canaries: vec![(P, found)] }
    }

    fn positions() -> Positions {
        let mut positions = Positions::default();
        positions.begin(P, NextOffset::START);
        positions.remember(P, Canary::of(0, None, None, None));
        positions
    }

    #[test]
    fn the_first_log_that_is_seen_is_the_one() {
        let mut guard = Guard::default();
        assert!(guard.sees(&topic(1)));
        assert!(guard.sees(&topic(1)));
        assert!(guard.sees(&LogIdentity::default()));
        assert!(!guard.sees(&topic(2)));
        assert_eq!(guard.identity(), Some(&topic(1)));
        guard.forget();
        assert!(guard.sees(&topic(2)));
    }

    #[test]
    fn whether_a_topic_is_named_as_the_known_one_is_told_apart_from_whether_it_can_be() {
        let unnamed = LogIdentity { topic: None, ..topic(1) };
        for (known, seen, expected) in [
            (None, unnamed.clone(), Naming::Same),
            (Some(topic(1)), topic(1), Naming::Same),
            (Some(topic(1)), unnamed.clone(), Naming::Untold),
            (Some(unnamed.clone()), topic(1), Naming::None),
            (Some(unnamed.clone()), unnamed, Naming::None),
        ] {
            assert_eq!(Guard::of(known.clone()).naming(&seen), expected, "{known:?}, {seen:?}");
        }
    }

    #[test]
    fn trust_needs_an_answer_to_the_last_question() {
        let (mut guard, now) = (Guard::of(Some(topic(1))), Instant::now());
        let first = guard.ask(&positions(), None, now).number;
        let order = guard.ask(&positions(), None, now);
        assert_eq!(order.canaries.len(), 1);
        assert_eq!(guard.hear(&answer(first, topic(1), CanaryFound::Same)), Answer::Same(first));
        assert!(!guard.is_trusted() && guard.waits());
        assert_eq!(
            guard.hear(&answer(order.number, topic(1), CanaryFound::Absent)),
            Answer::Same(order.number)
        );
        assert!(guard.is_trusted() && !guard.waits());
        assert!(!guard.is_due(now) && guard.is_due(now + ASK_EVERY));
        guard.doubt();
        assert!(!guard.is_trusted());
    }

    #[test]
    fn a_broker_that_does_not_name_the_topic_this_time_is_asked_again_whatever_its_records() {
        let (mut guard, now) = (Guard::of(Some(topic(1))), Instant::now());
        let unnamed = LogIdentity { topic: None, ..topic(1) };
        for found in [CanaryFound::Absent, CanaryFound::Same] {
            let number = guard.ask(&positions(), None, now).number;
            assert!(!guard.may_ask_again(now + ASK_AGAIN_AFTER), "the answer is on its way");
            assert_eq!(guard.hear(&answer(number, unnamed.clone(), found)), Answer::Unsure);
            assert!(!guard.is_trusted() && !guard.waits());
            assert!(!guard.may_ask_again(now) && guard.may_ask_again(now + ASK_AGAIN_AFTER));
        }
    }

    #[test]
    fn that_nothing_is_settled_is_known_after_a_while_and_until_it_is() {
        let (mut guard, now) = (Guard::of(Some(topic(1))), Instant::now());
        let unnamed = LogIdentity { topic: None, ..topic(1) };
        assert!(!guard.is_unsettled(now + UNSETTLED_MAX), "nothing was asked");
        for seconds in [0, 10, 20] {
            let number = guard.ask(&positions(), None, now + Duration::from_secs(seconds)).number;
            assert_eq!(guard.hear(&answer(number, unnamed.clone(), CanaryFound::Same)), Answer::Unsure);
        }
        assert!(!guard.is_unsettled(now + UNSETTLED_MAX / 2) && guard.is_unsettled(now + UNSETTLED_MAX));
        guard.excuse(now + Duration::from_secs(20));
        assert!(!guard.is_unsettled(now + UNSETTLED_MAX), "the broker was away meanwhile");
        let [earlier, later] =
            [30, 40].map(|seconds| guard.ask(&positions(), None, now + Duration::from_secs(seconds)).number);
        let _ = guard.hear(&answer(earlier, topic(1), CanaryFound::Same));
        assert!(!guard.is_unsettled(now + UNSETTLED_MAX), "one is open, and not for long");
        assert!(guard.is_unsettled(now + Duration::from_secs(40) + UNSETTLED_MAX));
        let _ = guard.hear(&answer(later, topic(1), CanaryFound::Same));
        assert!(!guard.is_unsettled(now + Duration::from_hours(1)));
    }

    #[test]
    fn where_topics_have_no_names_the_kept_records_vouch() {
        let mut kept = positions();
        let mut later = positions();
        later.remember(P, Canary::of(7, None, None, None));
        kept.remember(P, Canary::of(3, None, None, None));
        let unnamed = LogIdentity { topic: None, ..topic(1) };
        for (identity, expected) in [(unnamed, 3), (topic(1), 7)] {
            let mut guard = Guard::of(Some(identity));
            let order = guard.ask(&later, Some(&kept), Instant::now());
            assert_eq!(
                order.canaries.iter().map(|(_, canary)| canary.offset).collect::<Vec<_>>(),
                [expected]
            );
        }
    }

    #[test]
    fn an_answer_from_before_a_doubt_brings_no_trust() {
        let (mut guard, now) = (Guard::of(Some(topic(1))), Instant::now());
        let number = guard.ask(&positions(), None, now).number;
        guard.doubt();
        assert_eq!(guard.hear(&answer(number, topic(1), CanaryFound::Same)), Answer::Same(number));
        assert!(!guard.is_trusted());
    }

    #[test]
    fn another_record_or_another_identity_is_another_log() {
        let mut guard = Guard::of(Some(topic(1)));
        let number = guard.ask(&positions(), None, Instant::now()).number;
        assert_eq!(guard.hear(&answer(number, topic(1), CanaryFound::Other)), Answer::Other(Some(P)));
        assert_eq!(guard.hear(&answer(number, topic(2), CanaryFound::Same)), Answer::Other(None));
        assert!(!guard.is_trusted());
    }
}
