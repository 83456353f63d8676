//! Which canaries cannot be read, and why.
//!
//! Owns what is known of each partition over all orders, so that a reason is news
//! once and not with every order. Invariant: nothing is news twice in a row, but for
//! what keeps the log from being verified, and that not before some time is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::log::Partition;

/// After which a reason is news again that somebody may have to do something about.
const REMINDED: Duration = Duration::from_mins(1);

/// Why a canary cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its batch does not match its checksum, and it need not be read.
    Damaged,
    /// The broker has not sent it in the longest time that there is for it.
    Late,
    /// What the client says, by its first words: those behind a colon may differ each time.
    Fault(String),
}

impl Reason {
    /// The reason in the client's words.
    pub(super) fn of_fault(message: &str) -> Self {
        Self::Fault(message.split(':').next().unwrap_or_default().to_owned())
    }
}

/// The partitions whose canary was not read when it was last tried, and when that
/// was news.
#[derive(Debug, Default)]
pub(super) struct Unread(BTreeMap<Partition, (Reason, Instant)>);

impl Unread {
    /// Their canaries cannot be read; those of which that is news.
    #[must_use]
    pub(super) fn learn(
        &mut self,
        partitions: impl IntoIterator<Item = Partition>,
        reason: &Reason,
        now: Instant,
    ) -> Vec<Partition> {
        let mut news = |partition: &Partition| {
            let is_known = self.0.get(partition).is_some_and(|(before, said)| {
                before == reason && (*reason == Reason::Damaged || now.duration_since(*said) < REMINDED)
            });
            if !is_known {
                self.0.insert(*partition, (reason.clone(), now));
            }
            !is_known
        };
        partitions.into_iter().filter(|partition| news(partition)).collect()
    }

    /// Their canaries were read; those of which that is news.
    #[must_use]
    pub(super) fn read(&mut self, partitions: Vec<Partition>) -> Vec<Partition> {
        partitions.into_iter().filter(|partition| self.0.remove(partition).is_some()).collect()
    }

    /// The partition's canary is not in the log any more, and is not to be read.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.0.remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Partition = Partition(1);
    const TWO: Partition = Partition(2);

    #[test]
    fn a_reason_is_news_once_for_each_partition_and_again_after_another_one() {
        let (mut unread, now) = (Unread::default(), Instant::now());
        let fault = Reason::of_fault("NOT_AUTHORISED: after 3 ms");
        let cases = [
            (vec![ONE], Reason::Late, vec![ONE]),
            (vec![ONE, TWO], Reason::Late, vec![TWO]),
            (vec![ONE], Reason::Damaged, vec![ONE]),
            (vec![ONE, TWO], Reason::Damaged, vec![TWO]),
            (vec![TWO], fault, vec![TWO]),
            (vec![TWO], Reason::of_fault("NOT_AUTHORISED: after 4 ms"), vec![]),
            (vec![TWO], Reason::of_fault("UNKNOWN: after 4 ms"), vec![TWO]),
        ];
        for (partitions, reason, expected) in cases {
            assert_eq!(unread.learn(partitions.clone(), &reason, now), expected, "{partitions:?} {reason:?}");
        }
    }

    #[test]
    fn what_keeps_the_log_from_being_verified_is_news_again_after_a_while() {
        let (mut unread, now) = (Unread::default(), Instant::now());
        let mut learn = |partition, reason, after| {
            let news = unread.learn([partition], &reason, now + after);
            !news.is_empty()
        };
        for (after, expected) in [(0, true), (1, false), (59, false), (60, true), (119, false), (120, true)] {
            let after = Duration::from_secs(after);
            assert_eq!(learn(ONE, Reason::Late, after), expected, "{after:?}");
            assert_eq!(learn(TWO, Reason::Damaged, after), after.is_zero(), "{after:?}");
        }
    }

    #[test]
    fn a_canary_that_is_read_is_news_where_it_could_not_be() {
        let (mut unread, now) = (Unread::default(), Instant::now());
        assert_eq!(unread.read(vec![ONE]), []);
        assert_eq!(unread.learn([ONE, TWO], &Reason::Late, now), [ONE, TWO]);
        assert_eq!(unread.read(vec![ONE]), [ONE]);
        assert_eq!(unread.read(vec![ONE]), []);
        assert_eq!(unread.learn([ONE], &Reason::Late, now), [ONE]);
        unread.forget(TWO);
        assert_eq!(unread.read(vec![TWO]), []);
    }
}
