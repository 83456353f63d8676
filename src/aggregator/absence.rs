//! Since when the topic is out of sight, and what that means.
//!
//! Owns the patience: a broker that answers again at once is no news, one that
//! stays away is said once in a while, and a topic that stays absent has been
//! deleted. Time is an argument.

use std::time::{Duration, Instant};

use crate::kafka::OutOfSight;

/// A broker that has just come up, or has not yet heard of a change, may not know
/// a topic or a partition for a moment; one that is absent for so long is gone.
const DELETED_AFTER: Duration = Duration::from_secs(2);

/// Between two log lines that say the same of a broker that stays away.
const REMINDER: Duration = Duration::from_secs(30);

/// What is known of a topic that may be out of sight.
#[derive(Debug, Default)]
pub(super) struct Absence {
    current: Option<Current>,
    deleted: bool,
    /// Since when the topic lacks a partition that was read.
    lacking: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    why: OutOfSight,
    since: Instant,
    said: Instant,
}

/// What one more look in vain means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Miss {
    /// How long it has been so.
    pub(super) lasts: Duration,
    /// Whether it should be said.
    pub(super) say: bool,
    /// Whether it is clear from now on that the topic was deleted.
    pub(super) deleted: bool,
}

impl Absence {
    /// The topic was not seen at `now`.
    pub(super) fn miss(&mut self, why: OutOfSight, now: Instant) -> Miss {
        let same = self.current.take().filter(|current| current.why.is_alike(&why));
        let since = same.as_ref().map_or(now, |current| current.since);
        let said = same.map(|current| current.said).filter(|&said| now - said < REMINDER);
        let lasts = now - since;
        let gone = why == OutOfSight::TopicAbsent && lasts >= DELETED_AFTER;
        let deleted = gone && !self.deleted;
        self.deleted |= gone;
        self.current = Some(Current { why, since, said: said.unwrap_or(now) });
        Miss { lasts, say: said.is_none(), deleted }
    }

    /// The topic is seen at `now`, with or without all partitions that were read;
    /// says whether it has lacked some for too long to be the same topic.
    pub(super) fn lacks(&mut self, some: bool, now: Instant) -> bool {
        if !some {
            self.lacking = None;
            return false;
        }
        now - *self.lacking.get_or_insert(now) >= DELETED_AFTER
    }

    /// The topic is seen at `now`; says for how long it was not, if it was not,
    /// and whether it had been deleted meanwhile.
    pub(super) fn end(&mut self, now: Instant) -> (Option<Duration>, bool) {
        let lasted = self.current.take().map(|current| now - current.since);
        (lasted, std::mem::take(&mut self.deleted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks in vain at these seconds; what each meant as (said, deleted).
    #[track_caller]
    fn check(looks: &[(u64, Option<&str>)], expected: &[(bool, bool)], was_deleted: bool) {
        let (mut absence, start) = (Absence::default(), Instant::now());
        let misses = looks.iter().map(|&(second, reason)| {
            let why = match reason {
                Some(reason) => OutOfSight::BrokerAway { reason: reason.to_owned() },
                None => OutOfSight::TopicAbsent,
            };
            let miss = absence.miss(why, start + Duration::from_secs(second));
            (miss.say, miss.deleted)
        });
        assert_eq!(misses.collect::<Vec<_>>(), expected);
        assert_eq!(absence.end(Instant::now()).1, was_deleted);
        assert_eq!(absence.end(Instant::now()), (None, false));
    }

    #[test]
    fn what_stays_the_same_is_said_every_half_minute() {
        let looks =
            [(0, Some("refused")), (1, Some("timed out")), (29, Some("x")), (30, Some("x")), (31, Some("x"))];
        check(&looks, &[(true, false), (false, false), (false, false), (true, false), (false, false)], false);
    }

    #[test]
    fn a_topic_that_stays_absent_has_been_deleted() {
        check(
            &[(0, None), (1, None), (2, None), (3, None)],
            &[(true, false), (false, false), (false, true), (false, false)],
            true,
        );
    }

    #[test]
    fn a_topic_that_goes_on_lacking_a_partition_is_another() {
        let (mut absence, start) = (Absence::default(), Instant::now());
        let looks = [(0, true), (1, true), (2, false), (3, true), (4, true), (5, true)];
        let another = looks.map(|(second, some)| absence.lacks(some, start + Duration::from_secs(second)));
        assert_eq!(another, [false, false, false, false, false, true]);
    }

    #[test]
    fn a_topic_that_is_absent_for_a_moment_has_not() {
        check(&[(0, None), (1, None)], &[(true, false), (false, false)], false);
        // Nor is one that is absent before and after the broker was away.
        check(&[(0, None), (1, Some("x")), (3, None)], &[(true, false), (true, false), (true, false)], false);
    }
}
