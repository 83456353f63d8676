//! What texts with escapes say.

use std::fmt::Write as _;

use bumpalo::Bump;
use bumpalo::collections::String;

use super::{Text, Unicode};

/// Reads a text whose escapes have been checked into memory that lives as long. Half a
/// surrogate pair stays an escape.
pub(super) fn unescape<'a>(raw: &str, memory: &'a Bump) -> Text<'a> {
    let mut read = String::with_capacity_in(raw.len(), memory);
    let mut unicode = Unicode::Whole;
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        read.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        read.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (unit, length) = unit(rest);
                rest = &rest[length..];
                match unit {
                    Ok(char) => char,
                    Err(lone) => {
                        unicode = Unicode::Broken;
                        // Writing to memory does not fail.
                        let _ = write!(read, "\\u{lone:04x}");
                        continue;
                    }
                }
            }
            other => char::from(other),
        });
    }
    read.push_str(rest);
    Text { text: read.into_bump_str(), unicode }
}

/// What the digits behind a `\u` say, with the other half of a pair if there is one; and
/// how many bytes that took.
fn unit(rest: &str) -> (Result<char, u16>, usize) {
    let unit_at = |at: usize| rest.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let first = unit_at(0).unwrap_or_default();
    let second = if rest.get(4..6) == Some("\\u") { unit_at(6) } else { None };
    if let Some(Ok(char)) = char::decode_utf16([first]).next() {
        return (Ok(char), 4);
    }
    match second.and_then(|second| char::decode_utf16([first, second]).next()) {
        Some(Ok(char)) => (Ok(char), 10),
        _ => (Err(first), 4),
    }
}
