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

/// Whether a topic that is seen is named as the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// By its id; or none is known yet, and this is the first.
    Same,
    /// The known one has an id, and this time the broker did not tell one.
    Untold,
    /// The known one has no id that could be told.
    None,
}

/// What a topic that is seen is, by how it was out of sight.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Back {
    /// Nothing speaks against its being the same.
    Same,
    /// The name was free meanwhile.
    Another,
    /// The name may have been free, and whether this is the same one can be asked: the
    /// next look that has its id tells.
    Unclear,
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

    /// The topic is seen at `now`; says for how long it was not, if it was not.
    pub(super) fn end(&mut self, now: Instant) -> Option<Duration> {
        self.current.take().map(|current| now - current.since)
    }

    /// The topic is seen at `now`, named like this, with or without all partitions that
    /// were read. What is suspected of it stays so until its id, or its having none, tells.
    pub(super) fn judge(&mut self, naming: Naming, lacks_some: bool, now: Instant) -> Back {
        // Kafka never takes a partition from a topic: one that lacks some is another.
        self.lacking = self.lacking.or(Some(now)).filter(|_| lacks_some);
        let is_suspect = self.deleted || self.lacking.is_some_and(|since| now - since >= DELETED_AFTER);
        if is_suspect && naming == Naming::Untold {
            return Back::Unclear;
        }
        self.deleted = false;
        if is_suspect && naming == Naming::None { Back::Another } else { Back::Same }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
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
        let now = start + Duration::from_mins(2);
        assert!(absence.end(now).is_some() && absence.end(now).is_none());
        let expected = if was_deleted { Back::Another } else { Back::Same };
        assert_eq!(absence.judge(Naming::None, false, now), expected);
        assert_eq!(absence.judge(Naming::None, false, now), Back::Same);
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
        let mut judge = |(second, some), naming| {
            absence.judge(naming, some, start + Duration::from_secs(second)) == Back::Another
        };
        assert_eq!(looks.map(|look| judge(look, Naming::None)), [false, false, false, false, false, true]);
        assert!(!judge((6, true), Naming::Same), "its id tells that it is not");
    }

    #[test]
    fn a_topic_that_is_back_is_another_only_where_its_id_does_not_or_cannot_tell_otherwise() {
        for (looks, expected) in [
            // A broker that has just come up may be too busy to tell the id at first.
            (&[Naming::Untold, Naming::Untold, Naming::Same][..], Back::Same),
            (&[Naming::Same], Back::Same),
            (&[Naming::None], Back::Another),
        ] {
            for deleted in [false, true] {
                let (mut absence, start) = (Absence::default(), Instant::now());
                let now = start + DELETED_AFTER;
                if deleted {
                    let _ = absence.miss(OutOfSight::TopicAbsent, start);
                    let _ = absence.miss(OutOfSight::TopicAbsent, now);
                } else {
                    assert_eq!(absence.judge(Naming::None, true, start), Back::Same);
                }
                let (last, before) = looks.split_last().unwrap();
                for naming in before {
                    let _ = absence.end(now);
                    assert_eq!(absence.judge(*naming, !deleted, now), Back::Unclear);
                }
                assert_eq!(absence.judge(*last, !deleted, now), expected, "{looks:?}");
                assert_eq!(absence.judge(Naming::None, false, now), Back::Same, "it is told once");
            }
        }
    }

    #[test]
    fn a_topic_that_is_absent_for_a_moment_has_not() {
        check(&[(0, None), (1, None)], &[(true, false), (false, false)], false);
        // Nor is one that is absent before and after the broker was away.
        check(&[(0, None), (1, Some("x")), (3, None)], &[(true, false), (true, false), (true, false)], false);
    }
}
