//! Which canaries cannot be read, and why.
//!
//! Owns what is known of each partition over all orders, so that a reason is news
//! once and not with every order. Invariant: nothing is news twice in a row.

use std::collections::BTreeMap;

use crate::log::Partition;

/// Why a canary cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its batch does not match its checksum.
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

/// The partitions whose canary was not read when it was last tried.
#[derive(Debug, Default)]
pub(super) struct Unread(BTreeMap<Partition, Reason>);

impl Unread {
    /// Their canaries cannot be read; those of which that is news.
    #[must_use]
    pub(super) fn learn(
        &mut self,
        partitions: impl IntoIterator<Item = Partition>,
        reason: &Reason,
    ) -> Vec<Partition> {
        let mut news = |partition: &Partition| {
            self.0.insert(*partition, reason.clone()).is_none_or(|before| before != *reason)
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
        let mut unread = Unread::default();
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
            assert_eq!(unread.learn(partitions.clone(), &reason), expected, "{partitions:?} {reason:?}");
        }
    }

    #[test]
    fn a_canary_that_is_read_is_news_where_it_could_not_be() {
        let mut unread = Unread::default();
        assert_eq!(unread.read(vec![ONE]), []);
        assert_eq!(unread.learn([ONE, TWO], &Reason::Late), [ONE, TWO]);
        assert_eq!(unread.read(vec![ONE]), [ONE]);
        assert_eq!(unread.read(vec![ONE]), []);
        assert_eq!(unread.learn([ONE], &Reason::Late), [ONE]);
        unread.forget(TWO);
        assert_eq!(unread.read(vec![TWO]), []);
    }
}
