//! How texts are quoted: plainly, or once more because all of it stands in a text.
//!
//! Owns where a text ends and which escapes it may have. `{"after":"{\"_id\":\"x\"}"}` holds
//! an object whose texts begin and end with `\"`. Invariant: what [`Within`] lets through
//! is what unescaping the text around it and reading that plainly would let through, and
//! says the same; it may refuse what is rare, which is then read that way.

use bumpalo::Bump;

use super::unescape::unescape;
use super::{NotJson, Text, run};

/// A way of quoting.
pub(super) trait Quotes {
    /// What texts begin and end with.
    const MARK: &'static [u8];

    /// Whether a text may be opened to read the object in it.
    const MAY_OPEN: bool;

    /// Whether a byte may stand between tokens.
    fn is_blank(byte: u8) -> bool;

    /// Parts a text, whose inside begins here, from what is behind it.
    fn split(inside: &[u8]) -> Result<Split<'_>, NotJson>;

    /// Reads a text with escapes, which have been checked.
    fn unescape<'a>(raw: &'a str, memory: &'a Bump) -> Result<Text<'a>, NotJson>;
}

/// A text, and what is behind it.
pub(super) struct Split<'a> {
    /// How many bytes stand between its quotes.
    pub(super) length: usize,
    pub(super) escaped: bool,
    pub(super) behind: &'a [u8],
}

/// JSON as it is.
pub(super) enum Plain {}

/// JSON in a text of JSON.
pub(super) enum Within {}

impl Quotes for Plain {
    const MARK: &'static [u8] = b"\"";
    const MAY_OPEN: bool = true;

    #[inline(always)]
    fn is_blank(byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    }

    #[inline(always)]
    fn split(inside: &[u8]) -> Result<Split<'_>, NotJson> {
        let length = run::plain(inside);
        match inside.get(length..) {
            Some([b'"', behind @ ..]) => Ok(Split { length, escaped: false, behind }),
            _ => split_with_escapes(inside, length),
        }
    }

    fn unescape<'a>(raw: &'a str, memory: &'a Bump) -> Result<Text<'a>, NotJson> {
        Ok(unescape(raw, memory))
    }
}

impl Quotes for Within {
    const MARK: &'static [u8] = b"\\\"";
    const MAY_OPEN: bool = false;

    /// All others are escaped in a text.
    #[inline(always)]
    fn is_blank(byte: u8) -> bool {
        byte == b' '
    }

    #[inline(always)]
    fn split(inside: &[u8]) -> Result<Split<'_>, NotJson> {
        let length = run::plain(inside);
        match inside.get(length..) {
            Some([b'\\', b'"', behind @ ..]) => Ok(Split { length, escaped: false, behind }),
            _ => split_with_double_escapes(inside, length),
        }
    }

    fn unescape<'a>(_: &'a str, _: &'a Bump) -> Result<Text<'a>, NotJson> {
        Err(NotJson)
    }
}

/// Goes on from the first escape.
#[inline(never)]
fn split_with_escapes(inside: &[u8], mut at: usize) -> Result<Split<'_>, NotJson> {
    loop {
        match inside.get(at..).unwrap_or_default() {
            [b'"', behind @ ..] => return Ok(Split { length: at, escaped: true, behind }),
            [b'\\', escaped @ ..] => at += 1 + escape(escaped)?,
            _ => return Err(NotJson),
        }
        at += inside.get(at..).map_or(0, run::plain);
    }
}

/// The same where each backslash is escaped, and so are the quotes and backslashes that
/// those escape.
#[inline(never)]
fn split_with_double_escapes(inside: &[u8], mut at: usize) -> Result<Split<'_>, NotJson> {
    loop {
        match inside.get(at..).unwrap_or_default() {
            [b'\\', b'"', behind @ ..] => return Ok(Split { length: at, escaped: true, behind }),
            [b'\\', b'\\', b'\\', b'"' | b'\\', ..] => at += 4,
            [b'\\', b'\\', b'"' | b'\\', ..] => return Err(NotJson),
            [b'\\', b'\\', escaped @ ..] => at += 2 + escape(escaped)?,
            _ => return Err(NotJson),
        }
        at += inside.get(at..).map_or(0, run::plain);
    }
}

/// How long the escape is that stands behind a backslash.
fn escape(behind: &[u8]) -> Result<usize, NotJson> {
    match behind {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Ok(1),
        [b'u', digits @ ..]
            if digits.first_chunk::<4>().is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
        {
            Ok(5)
        }
        _ => Err(NotJson),
    }
}
