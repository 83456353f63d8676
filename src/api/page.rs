//! Which rows are on a page, and in which order.
//!
//! Owns paging and sorting. Invariant: the order of rows is total and does not
//! depend on the page, so pages put together are the whole.

use std::cmp::Reverse;

use serde_json::Value;

use crate::config::Http;
use crate::tally::{Answer, Row};

use super::body;

/// The part of the rows that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// Rows to leave out before the first.
    pub(super) offset: u64,
    /// Rows wanted at most, as the request says it; 0 means all.
    pub(super) count: Option<u64>,
    /// Their order.
    pub(super) sort: Sort,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// No department first, then by the bytes of the id.
    #[default]
    Id,
    /// The same backwards.
    IdDescending,
    /// By rooms; among equals as [`Sort::Id`].
    Rooms,
    /// By rooms, most first; among equals as [`Sort::Id`].
    RoomsDescending,
}

impl Sort {
    /// Reads `{"rooms":1}`, `{"rooms":-1}`, `{"_id":1}` or `{"_id":-1}`; any
    /// other text means the default.
    pub(super) fn read(text: &str) -> Self {
        let Ok(Value::Object(keys)) = serde_json::from_str(text) else { return Self::default() };
        let mut keys = keys.iter();
        match (keys.next().map(|(key, way)| (key.as_str(), way.as_i64())), keys.next()) {
            (Some(("rooms", Some(1))), None) => Self::Rooms,
            (Some(("rooms", Some(-1))), None) => Self::RoomsDescending,
            (Some(("_id", Some(-1))), None) => Self::IdDescending,
            _ => Self::default(),
        }
    }
}

/// How many rows a page may have; each number at least 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    default: u64,
    upper: u64,
    unlimited_allowed: bool,
}

impl Limits {
    pub(super) fn new(http: &Http) -> Self {
        Self {
            default: http.default_count,
            upper: http.upper_count_limit,
            unlimited_allowed: http.allow_infinite_count,
        }
    }

    /// The page that is asked for, as a body.
    pub(super) fn page(&self, answer: &Answer, asked: Asked) -> Vec<u8> {
        let offset = usize::try_from(asked.offset).unwrap_or(usize::MAX);
        let cut = Cut { offset, count: self.rows_max(asked.count), asked, total: answer.len() };
        // Each order by a loop of its own, so that no row is copied before it is written.
        match asked.sort {
            Sort::Id => cut.page(answer.rows()),
            Sort::IdDescending => cut.page(answer.rows().rev()),
            Sort::Rooms => cut.page(sorted(answer, |row| row.rooms)),
            Sort::RoomsDescending => cut.page(sorted(answer, |row| Reverse(row.rooms))),
        }
    }

    fn rows_max(&self, count: Option<u64>) -> usize {
        let count = match count {
            Some(0) if self.unlimited_allowed => return usize::MAX,
            None | Some(0) => self.default,
            Some(count) => count,
        };
        usize::try_from(count.min(self.upper)).unwrap_or(usize::MAX)
    }
}

/// Where a page begins and ends, and what it is of.
struct Cut {
    offset: usize,
    count: usize,
    asked: Asked,
    total: usize,
}

impl Cut {
    fn page<'a>(&self, rows: impl Iterator<Item = Row<'a>>) -> Vec<u8> {
        body::page(rows.skip(self.offset).take(self.count), self.asked.offset, self.total)
    }
}

fn sorted<K: Ord>(answer: &Answer, by: impl Fn(&Row<'_>) -> K) -> impl Iterator<Item = Row<'_>> {
    let mut rows: Vec<_> = answer.rows().collect();
    rows.sort_by_key(by);
    rows.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_known_orders_are_honoured() {
        for (text, expected) in [
            (r#"{"rooms":1}"#, Sort::Rooms),
            (r#" { "rooms" : -1 } "#, Sort::RoomsDescending),
            (r#"{"_id":1}"#, Sort::Id),
            (r#"{"_id":-1}"#, Sort::IdDescending),
            (r#"{"rooms":-1,"_id":1}"#, Sort::Id),
            (r#"{"rooms":"-1"}"#, Sort::Id),
            (r#"{"rooms":-2}"#, Sort::Id),
            (r#"{"name":-1}"#, Sort::Id),
            ("{}", Sort::Id),
            ("[]", Sort::Id),
            ("rooms", Sort::Id),
            ("", Sort::Id),
        ] {
            assert_eq!(Sort::read(text), expected, "{text:?}");
        }
        assert_eq!(Sort::read(&"[".repeat(8_000)), Sort::Id);
    }
}
