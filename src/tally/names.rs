//! The names of all departments, in the order in which answers tell them.
//!
//! Owns that order, none first and then by the bytes of the ids, as a table that is never
//! changed: an answer goes through it from its beginning to its end, shares it instead of
//! copying names, and is written while departments come, for which there is another table.
//! Beside each name stands what whoever writes an answer would else find out for every row
//! again.

use std::sync::Arc;

use prefetch_index::prefetch_index;

use crate::buckets::{AT_ONCE, Rank};
use crate::room::DepartmentSlot;

/// Names by rank.
#[derive(Debug)]
pub(super) struct Names {
    /// The first stands for none.
    by_rank: Box<[Option<Name>]>,
    /// By slot.
    rank_of: Box<[Rank]>,
}

/// A department's name.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    /// The same once more where an answer comes by, unless it is long or has to be escaped.
    pub(super) near: Option<NearName>,
}

/// A name of at most 30 bytes that JSON writes as it stands, between quotes. It stands in the
/// table itself, so that an answer of many rows does not wait for each name's own memory, and
/// in a piece of fixed size, which is copied in two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearName {
    length: u8,
    bytes: [u8; NearName::BYTES],
}

impl NearName {
    /// Bytes of the longest one.
    pub const BYTES: usize = 30;

    /// None if the name is longer or has to be escaped.
    pub fn of(name: &str) -> Option<Self> {
        let is_plain = name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        let mut bytes = [0; Self::BYTES];
        bytes.get_mut(..name.len()).filter(|_| is_plain)?.copy_from_slice(name.as_bytes());
        Some(Self { length: name.len().try_into().ok()?, bytes })
    }

    /// Its bytes, with zeros behind them.
    pub fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.bytes
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.length.into()
    }
}

impl Names {
    /// The table of these departments, which stand in their order.
    pub(super) fn of<'a>(
        slots: &[DepartmentSlot],
        text: impl Fn(DepartmentSlot) -> Option<&'a Arc<str>>,
    ) -> Self {
        let name = |text: &Arc<str>| Name { near: NearName::of(text), text: Arc::clone(text) };
        let mut by_rank = Vec::with_capacity(slots.len());
        for slots in slots.chunks(AT_ONCE) {
            // Each lies anywhere.
            let texts = slots.iter().map(|&slot| text(slot));
            texts.clone().flatten().for_each(|text| prefetch_index(text.as_bytes(), 0));
            by_rank.extend(texts.map(|text| text.map(name)));
        }
        let mut rank_of = vec![Rank(0); slots.len()].into_boxed_slice();
        for (rank, slot) in (0..).map(Rank).zip(slots) {
            rank_of[slot.0 as usize] = rank;
        }
        Self { by_rank: by_rank.into(), rank_of }
    }

    /// The name of the department with this rank, if it has one.
    #[inline]
    pub(super) fn get(&self, Rank(rank): Rank) -> Option<&Name> {
        self.by_rank.get(rank as usize)?.as_ref()
    }

    /// The rank of a department that is in the table.
    pub(super) fn rank_of(&self, DepartmentSlot(slot): DepartmentSlot) -> Rank {
        self.rank_of[slot as usize]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_department_is_found_by_its_rank() {
        let texts = ["b", "a \"quoted\" one", "c"].map(Arc::from);
        let order = [0, 2, 1, 3].map(DepartmentSlot);
        let text = |DepartmentSlot(slot)| texts.get((slot as usize).checked_sub(1)?);
        let names = Names::of(&order, text);
        assert_eq!((names.rank_of(DepartmentSlot::NONE), names.get(Rank(0)).is_none()), (Rank(0), true));
        for slot in (1..4).map(DepartmentSlot) {
            let name = names.get(names.rank_of(slot)).unwrap();
            assert_eq!(Some(&name.text), text(slot));
            assert_eq!(name.near, NearName::of(&name.text));
        }
        assert!(names.get(Rank(4)).is_none());
    }
}
