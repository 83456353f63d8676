//! The text of an answer.
//!
//! Owns its JSON: rows first, then what the page is of; the fields stand in the order of
//! the documentation. A large answer is little but rows, so they are copied from pieces that
//! lie ready; an id that JSON escapes, or none, is written by `serde_json`.
//! Invariant: byte for byte the text that `serde_json` would write for all of it.

use crate::tally::{NearName, Row};

use super::to_json;

/// Bytes of a row with an id of 36 letters and rooms of up to eight digits.
const ROW: usize = 64;
/// Bytes of all that is no row.
const REST: usize = 160;
/// Bytes that are gathered before they go on: small pieces go more quickly to a place that
/// is always the same and near, and from there all at once to where they stay.
const GATHERED: usize = 2_048;

const ROOMS: &[u8; 9] = br#"{"rooms":"#;
const DIGITS: usize = 8;
const ID: &[u8; 8] = br#","_id":""#;
const ROW_END: &[u8; 3] = br#""},"#;
/// The longest row that is gathered.
const NEAR_ROW: usize = ROOMS.len() + DIGITS + ID.len() + NearName::BYTES + ROW_END.len();

/// The body of one page with these rows, `offset` rows in front of it, out of `total` rows.
pub(super) fn page<'a>(rows: impl Iterator<Item = Row<'a>>, offset: u64, total: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(rows.size_hint().0 * ROW + REST);
    body.extend_from_slice(br#"{"departments":["#);
    let count = write_rows(rows, &mut body);
    if count > 0 {
        // The comma behind the last row.
        body.pop();
    }
    for (name, number) in
        [(r#"],"count":"#, count), (r#","offset":"#, offset), (r#","total":"#, total as u64)]
    {
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
    body.extend_from_slice(br#","success":true}"#);
    body
}

/// Writes rows, each with a comma behind it; how many.
fn write_rows<'a>(rows: impl Iterator<Item = Row<'a>>, body: &mut Vec<u8>) -> u64 {
    let (mut gathered, mut length, mut count) = ([0; GATHERED], 0, 0);
    for row in rows {
        count += 1;
        if GATHERED - length < NEAR_ROW {
            body.extend_from_slice(&gathered[..length]);
            length = 0;
        }
        let place = gathered[length..].first_chunk_mut();
        if let (Some(name), Some(digits), Some(place)) = (row.near, digits(row.rooms), place) {
            length += put(place, digits, name);
        } else {
            body.extend_from_slice(&gathered[..length]);
            length = 0;
            write(&row, body);
        }
    }
    body.extend_from_slice(&gathered[..length]);
    count
}

/// Puts a row in its place; how long it is.
#[inline]
fn put(place: &mut [u8; NEAR_ROW], (digits, digits_length): ([u8; DIGITS], usize), name: &NearName) -> usize {
    let mut length = 0;
    let mut put = |piece: &[u8], wanted: usize| {
        place[length..length + piece.len()].copy_from_slice(piece);
        length += wanted;
    };
    // Always all of a piece, whose size is known; the next one covers what is not wanted.
    put(ROOMS, ROOMS.len());
    put(&digits, digits_length);
    put(ID, ID.len());
    put(name.bytes(), name.length());
    put(ROW_END, ROW_END.len());
    length
}

/// Writes any row.
#[cold]
fn write(row: &Row<'_>, body: &mut Vec<u8>) {
    body.extend_from_slice(ROOMS);
    body.extend_from_slice(itoa::Buffer::new().format(row.rooms).as_bytes());
    body.extend_from_slice(br#","_id":"#);
    body.extend_from_slice(&to_json(&row.department));
    body.extend_from_slice(b"},");
}

/// Up to eight digits and how many there are, with anything behind them; all of them are
/// found at once, in halves of halves of a word.
#[inline]
fn digits(number: u64) -> Option<([u8; DIGITS], usize)> {
    if number >= 100_000_000 {
        return None;
    }
    let fours = (number / 10_000) | (number % 10_000) << 32;
    // The divisions by 100 and by 10 are exact for what can stand there.
    let hundreds = ((fours * 10_486) >> 20) & 0x7F_0000_007F;
    let pairs = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    let ones = tens | (pairs - tens * 10) << 8;
    // The first digit is the lowest byte, and the last one stays if it is a 0.
    let zeros = (ones | 1 << 63).trailing_zeros() / 8;
    let text = (ones | 0x3030_3030_3030_3030) >> (8 * zeros);
    Some((text.to_le_bytes(), DIGITS - zeros as usize))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Serialize;

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

    /// With any number of digits.
    fn rooms() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0_u32..64).prop_map(|(number, bits)| number >> bits)
    }

    #[test]
    fn a_number_is_written_as_it_is_elsewhere() {
        let ends = (0..9).map(|digits| 10_u64.pow(digits)).flat_map(|end| [end - 1, end, end + 1]);
        for number in (0..20_000).chain((0..100_000_000).step_by(997)).chain(ends) {
            let found =
                digits(number).map(|(text, length)| String::from_utf8(text[..length].to_vec()).unwrap());
            assert_eq!(found, (number < 100_000_000).then(|| number.to_string()));
        }
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(
            rows in prop::collection::vec(
                (rooms(), prop::option::of(prop_oneof!["[A-Za-z0-9]{17}", "[a-z]{28,34}", any::<String>(), "[\"\\\\\u{0}-\u{1f}\u{7f}é]{0,9}"])),
                0..90,
            ),
            offset in any::<u64>(),
            total in any::<usize>(),
        ) {
            let near: Vec<_> = rows.iter().map(|(_, id)| id.as_deref().and_then(NearName::of)).collect();
            let rows: Vec<_> = rows
                .iter()
                .zip(&near)
                .map(|((rooms, id), near)| Row { department: id.as_deref(), rooms: *rooms, near: near.as_ref() })
                .collect();
            let departments =
                rows.iter().map(|row| Department { rooms: row.rooms, id: row.department }).collect();
            let whole = Body { departments, count: rows.len(), offset, total, success: true };
            let expected = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(String::from_utf8(page(rows.into_iter(), offset, total)).unwrap(), expected);
        }
    }
}
