//! The changes that are not in a generation yet.
//!
//! Owns their order and their bound. They come in parts, and a part has a number,
//! so that a cut between two parts is a number too. Invariant: as long as
//! [`ChangeLog::is_kept`], every change since the last [`ChangeLog::forget_until`]
//! is here.

use std::collections::VecDeque;

use crate::snapshot::policy::Policy;
use crate::snapshot::rooms::Changes;

#[derive(Debug)]
pub(super) struct ChangeLog {
    parts: VecDeque<Changes>,
    /// The number of the first part.
    begin: u64,
    changes: usize,
    lost: bool,
    kept_max: usize,
    joined_max: usize,
}

impl ChangeLog {
    pub(super) fn new(policy: &Policy) -> Self {
        let (kept_max, joined_max) = (policy.kept_changes_max, policy.joined_changes_max);
        Self { parts: VecDeque::new(), begin: 0, changes: 0, lost: false, kept_max, joined_max }
    }

    pub(super) fn push(&mut self, changes: Changes) {
        self.changes += changes.len();
        self.parts.push_back(changes);
    }

    /// Loses everything if it has become too much.
    pub(super) fn bound(&mut self) {
        if self.changes > self.kept_max {
            self.lose();
        }
    }

    /// Something that was not told is missing behind the last part.
    pub(super) fn miss(&mut self) {
        self.lose();
        self.begin += 1;
    }

    /// Nothing is kept from here on until [`ChangeLog::forget_until`] begins anew.
    fn lose(&mut self) {
        self.begin = self.end();
        self.parts.clear();
        self.changes = 0;
        self.lost = true;
    }

    /// Whether every change is here.
    pub(super) fn is_kept(&self) -> bool {
        !self.lost
    }

    /// The number of the first part that is here.
    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    /// The number of the part that will come next.
    pub(super) fn end(&self) -> u64 {
        self.begin + self.parts.len() as u64
    }

    /// The parts in front of `end`.
    pub(super) fn until(&self, end: u64) -> impl Iterator<Item = &Changes> {
        self.between(self.begin, end)
    }

    /// The parts from `begin` on and in front of `end`.
    pub(super) fn between(&self, begin: u64, end: u64) -> impl Iterator<Item = &Changes> {
        let place = |number: u64| usize::try_from(number.saturating_sub(self.begin)).unwrap_or(usize::MAX);
        let end = place(end).min(self.parts.len());
        self.parts.range(place(begin).min(end)..end)
    }

    /// How many changes there are in front of `end`.
    pub(super) fn count_until(&self, end: u64) -> usize {
        self.until(end).map(Changes::len).sum()
    }

    /// Those in front of `end` are in a generation.
    pub(super) fn forget_until(&mut self, end: u64) {
        while self.begin < end
            && let Some(part) = self.parts.pop_front()
        {
            self.changes -= part.len();
            self.begin += 1;
        }
        self.lost = self.begin > end;
    }

    /// Makes as few parts as possible of those in front of `end`.
    pub(super) fn join_until(&mut self, end: u64) {
        let joined = self.between(self.begin, end).count();
        let behind = self.parts.split_off(joined);
        let mut parts: VecDeque<Changes> = VecDeque::new();
        for part in self.parts.drain(..) {
            match parts.back_mut() {
                Some(last) if last.len() + part.len() <= self.joined_max => last.append(&part),
                _ => parts.push_back(part),
            }
        }
        // Numbers only grow: the joined parts take the last of them.
        self.begin += (joined - parts.len()) as u64;
        parts.extend(behind);
        self.parts = parts;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::room::StoredIdRef;

    fn part(ids: &[&str]) -> Changes {
        let mut changes = Changes::default();
        ids.iter().for_each(|id| changes.push(StoredIdRef::of(id), None));
        changes
    }

    fn log(kept: usize, joined: usize, parts: usize) -> ChangeLog {
        let policy = Policy { kept_changes_max: kept, joined_changes_max: joined, ..Policy::default() };
        let mut log = ChangeLog::new(&policy);
        (0..parts).for_each(|_| log.push(part(&["a", "b"])));
        log
    }

    #[test]
    fn a_mark_between_two_parts_stays_where_it_was() {
        let mut log = log(1_000, 4, 5);
        let mark = log.end();
        log.push(part(&["c"]));
        assert_eq!((log.count_until(mark), log.until(mark).count()), (10, 5));
        log.join_until(mark);
        assert_eq!((log.count_until(mark), log.until(mark).count(), log.end()), (10, 3, mark + 1));
        assert_eq!(log.between(mark, log.end()).map(Changes::len).collect::<Vec<_>>(), [1]);
        log.forget_until(mark);
        assert_eq!((log.begin(), log.end(), log.is_kept()), (mark, mark + 1, true));
    }

    #[test]
    fn a_log_that_grew_too_long_loses_all_until_it_begins_anew() {
        let mut log = log(9, 4, 4);
        log.bound();
        assert!(log.is_kept());
        let mark = log.end();
        log.push(part(&["c", "d"]));
        log.bound();
        assert!(!log.is_kept() && log.count_until(u64::MAX) == 0 && log.begin() == log.end());
        // A mark in front of what is lost makes nothing whole again.
        log.forget_until(mark);
        assert!(!log.is_kept());
        log.push(part(&["e"]));
        let mark = log.end();
        log.push(part(&["f"]));
        log.forget_until(mark);
        assert!(log.is_kept());
        assert_eq!(log.count_until(u64::MAX), 1);
    }

    #[test]
    fn what_was_not_told_has_a_number_too() {
        let mut log = log(9, 4, 2);
        let mark = log.end();
        log.miss();
        assert_eq!((log.begin(), log.end(), log.is_kept()), (mark + 1, mark + 1, false));
        log.forget_until(mark);
        assert!(!log.is_kept(), "a mark in front of the gap");
        log.forget_until(mark + 1);
        assert!(log.is_kept());
    }
}
