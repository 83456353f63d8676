//! What a question gets.
//!
//! Owns the shape of an answer: it names its rows without copying the names, so that it
//! takes memory for its rows alone, and can be written when nobody waits any more.

use std::fmt;
use std::sync::Arc;

use crate::buckets::Rank;
use crate::tally::names::{Names, NearName};

/// The departments that have a share in an answer: none first, then by id, byte by byte.
#[derive(Clone)]
pub struct Answer {
    names: Arc<Names>,
    shares: Vec<(Rank, u32)>,
}

/// One department's share of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The department, or none.
    pub department: Option<&'a str>,
    /// Its rooms; never 0.
    pub rooms: u64,
    /// The department's name once more, as it is quickly written, if it can be.
    pub near: Option<&'a NearName>,
}

impl Answer {
    pub(super) fn new(names: Arc<Names>, shares: Vec<(Rank, u32)>) -> Self {
        Self { names, shares }
    }

    /// The rows in their order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> + DoubleEndedIterator + Clone {
        self.shares.iter().map(|&(rank, rooms)| {
            let name = self.names.get(rank);
            Row {
                department: name.map(|name| &*name.text),
                rooms: rooms.into(),
                near: name.and_then(|name| name.near.as_ref()),
            }
        })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.shares.len()
    }

    /// Whether no department has a share.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        self.rows().eq(other.rows())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rows()).finish()
    }
}
