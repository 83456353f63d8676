//! The text of an answer.
//!
//! Owns its JSON: rows first, then what the page is of; the fields stand in the order of
//! the documentation. Most of what an answer takes is writing its rows, so their fixed
//! parts and plain ids are copied; whatever else an id may hold, `serde_json` writes it.
//! Invariant: byte for byte the text that `serde_json` would write for all of it.

use serde::Serialize;

use crate::tally::Row;

use super::to_json;

/// Bytes of a row beside its id, with rooms of up to eight digits.
const ROW: usize = 28;
/// Bytes of all that is no row.
const REST: usize = 160;

/// One page of an answer.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Rows in front of it.
    pub(super) offset: u64,
    /// Rows without paging.
    pub(super) total: usize,
}

#[derive(Serialize)]
struct Rest {
    count: usize,
    offset: u64,
    total: usize,
    success: bool,
}

impl Page<'_> {
    /// The body.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let ids: usize = self.rows.iter().map(|row| row.department.map_or(2, str::len)).sum();
        let mut body = Vec::with_capacity(self.rows.len() * ROW + ids + REST);
        body.extend_from_slice(br#"{"departments":["#);
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            write(row, &mut body);
        }
        body.extend_from_slice(b"],");
        let Self { rows, offset, total } = self;
        let rest = to_json(&Rest { count: rows.len(), offset: *offset, total: *total, success: true });
        body.extend_from_slice(rest.strip_prefix(b"{").unwrap_or(&rest));
        body
    }
}

fn write(row: &Row<'_>, body: &mut Vec<u8>) {
    body.extend_from_slice(br#"{"rooms":"#);
    body.extend_from_slice(itoa::Buffer::new().format(row.rooms).as_bytes());
    body.extend_from_slice(br#","_id":"#);
    match row.department {
        Some(id) if is_plain(id) => {
            body.push(b'"');
            body.extend_from_slice(id.as_bytes());
            body.push(b'"');
        }
        id => body.extend_from_slice(&to_json(&id)),
    }
    body.push(b'}');
}

/// Whether JSON escapes nothing of a text.
fn is_plain(text: &str) -> bool {
    let is_escaped = |byte| byte < b' ' || byte == b'"' || byte == b'\\';
    // No early end: so many letters are looked at at a time.
    text.bytes().filter(|&byte| is_escaped(byte)).count() == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Serialize)]
    struct Body<'a> {
        departments: Vec<Department<'a>>,
        count: usize,
        offset: u64,
        total: usize,
        success: bool,
    }

    #[derive(Serialize)]
    struct Department<'a> {
        rooms: u64,
        #[serde(rename = "_id")]
        id: Option<&'a str>,
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(
            rows in prop::collection::vec(
                (any::<u64>(), prop::option::of(prop_oneof!["[A-Za-z0-9]{17}", any::<String>(), "[\"\\\\\u{0}-\u{1f}\u{7f}é]{0,9}"])),
                0..20,
            ),
            offset in any::<u64>(),
            total in any::<usize>(),
        ) {
            let rows: Vec<_> =
                rows.iter().map(|(rooms, id)| Row { department: id.as_deref(), rooms: *rooms }).collect();
            let departments =
                rows.iter().map(|row| Department { rooms: row.rooms, id: row.department }).collect();
            let whole = Body { departments, count: rows.len(), offset, total, success: true };
            let expected = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(String::from_utf8(Page { rows, offset, total }.to_json()).unwrap(), expected);
        }
    }
}
