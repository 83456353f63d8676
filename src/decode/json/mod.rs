//! JSON as change capture really writes it: read tolerantly, copied never.
//!
//! Owns the grammar. It is JSON's, with what connectors add to it: bare `NaN`,
//! `Infinity` and `-Infinity`, and escapes of lone surrogates; the last of
//! duplicate names wins, which readers get by overwriting. Invariant: whatever
//! [`parse`] lets through has been checked to its last byte, so walking the
//! members of an object cannot fail. Nothing is allocated for what is not read.

mod scanner;

use std::borrow::Cow;
use std::fmt::Write as _;

use bumpalo::Bump;

use scanner::Scanner;

/// The text is not JSON, or nests too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// The text escapes half of a surrogate pair, so it is no Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

/// A value, unread where it can be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    /// The digits as they stand.
    Number(&'a str),
    /// `NaN`, `Infinity` or `-Infinity`.
    NonFinite,
    Text(Text<'a>),
    Array(Array<'a>),
    Object(Object<'a>),
}

/// A text between its quotes, escapes and all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

/// An object's source, from brace to brace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a>(&'a str);

/// An array's source, from bracket to bracket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Array<'a>(&'a str);

/// Reads a whole text as one value.
pub(super) fn parse(text: &str) -> Result<Json<'_>, NotJson> {
    Scanner::new(text).whole()
}

impl<'a> Object<'a> {
    /// The members in the order of the text.
    pub(super) fn members(self) -> impl Iterator<Item = (Text<'a>, Json<'a>)> {
        let mut scanner = Scanner::inside(self.0);
        let mut first = true;
        std::iter::from_fn(move || {
            let member = scanner.member(first, 1).ok().flatten();
            first = false;
            member
        })
    }

    /// The value of the only name that the object has, if it is this one.
    pub(super) fn sole(self, name: &str) -> Option<Json<'a>> {
        let mut found = None;
        for (other, value) in self.members() {
            if !other.is(name) {
                return None;
            }
            found = Some(value);
        }
        found
    }
}

impl<'a> Array<'a> {
    /// The elements in their order.
    pub(super) fn elements(self) -> impl Iterator<Item = Json<'a>> {
        let mut scanner = Scanner::inside(self.0);
        let mut first = true;
        std::iter::from_fn(move || {
            let element = scanner.element(first, 1).ok().flatten();
            first = false;
            element
        })
    }
}

impl<'a> Text<'a> {
    /// Whether it says this.
    pub(super) fn is(self, expected: &str) -> bool {
        if self.escaped { self.read().is_ok_and(|text| text == expected) } else { self.raw == expected }
    }

    /// What it says.
    pub(super) fn read(self) -> Result<Cow<'a, str>, LoneSurrogate> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut read = String::with_capacity(self.raw.len());
        unescape(self.raw, |part| match part {
            Part::Literal(text) => {
                read.push_str(text);
                Ok(())
            }
            Part::Char(char) => {
                read.push(char);
                Ok(())
            }
            Part::Lone(_) => Err(LoneSurrogate),
        })?;
        Ok(Cow::Owned(read))
    }

    /// What it says, as JSON of its own: half a surrogate pair stays an escape,
    /// for in there it may stand in a field that nobody reads. What has to be
    /// unescaped is put into `memory`.
    pub(super) fn read_as_json(self, memory: &'a Bump) -> &'a str {
        if !self.escaped {
            return self.raw;
        }
        let mut read = bumpalo::collections::String::with_capacity_in(self.raw.len(), memory);
        let written = unescape(self.raw, |part| {
            match part {
                Part::Literal(text) => read.push_str(text),
                Part::Char(char) => read.push(char),
                Part::Lone(unit) => {
                    // Writing to memory does not fail.
                    let _ = write!(read, "\\u{unit:04x}");
                }
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match written {
            Ok(()) => read.into_bump_str(),
        }
    }
}

/// One piece of a text with escapes.
enum Part<'a> {
    Literal(&'a str),
    Char(char),
    Lone(u16),
}

/// Takes a text apart whose escapes have been checked.
fn unescape<'a, E>(raw: &'a str, mut each: impl FnMut(Part<'a>) -> Result<(), E>) -> Result<(), E> {
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        each(Part::Literal(&rest[..at]))?;
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        let char = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (part, length) = unicode_escape(rest);
                each(part)?;
                rest = &rest[length..];
                continue;
            }
            other => char::from(other),
        };
        each(Part::Char(char))?;
    }
    each(Part::Literal(rest))
}

/// What the digits behind a `\u` say, with the other half of a pair if there is
/// one; and how many bytes that took.
fn unicode_escape(rest: &str) -> (Part<'static>, usize) {
    let unit_at = |at: usize| rest.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let first = unit_at(0).unwrap_or_default();
    let second = if rest.get(4..6) == Some("\\u") { unit_at(6) } else { None };
    if let Some(Ok(char)) = char::decode_utf16([first]).next() {
        return (Part::Char(char), 4);
    }
    match second.and_then(|second| char::decode_utf16([first, second]).next()) {
        Some(Ok(char)) => (Part::Char(char), 10),
        _ => (Part::Lone(first), 4),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn refused(text: &str) {
        assert!(parse(text).is_err(), "{text}");
    }

    #[track_caller]
    fn accepted(text: &str) {
        assert!(parse(text).is_ok(), "{text}");
    }

    #[track_caller]
    fn reads(text: &str, expected: Result<&str, LoneSurrogate>) {
        let Ok(Json::Text(found)) = parse(text) else { panic!("no text: {text}") };
        assert_eq!(found.read().as_deref(), expected.as_deref(), "{text}");
    }

    #[test]
    fn what_connectors_add_to_json_does_no_harm() {
        for text in [
            r#"{"a":NaN,"b":Infinity,"c":-Infinity}"#,
            r#"{"a":"\ud800","b":1e999,"a":2}"#,
            " \n\t\r{ \"a\" : [ 1 , -0.5e-7 , true , null , { } , [ ] ] } ",
        ] {
            accepted(text);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{,}",
            r#"{"a":1,}"#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1 "b":2}"#,
            "{a:1}",
            "{'a':1}",
            "{}{}",
            "{} x",
            "\u{feff}{}",
            "\0{}",
            r#""a"#,
            r#""\x""#,
            r#""\u12g4""#,
            r#""\u12""#,
            "\"\n\"",
            "\"\t\"",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "--1",
            "0x1",
            "nul",
            "truex",
            "nan",
            "-NaN",
            "+Infinity",
            "Infinit",
            "1,",
            "// c\n{}",
        ] {
            refused(text);
        }
    }

    #[test]
    fn nesting_is_followed_128_deep_and_no_deeper() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":["#.repeat(depth / 2), "]}".repeat(depth / 2));
        accepted(&nested(128));
        refused(&nested(130));
        refused(&format!("[{}]", nested(128)));
        refused(&"[".repeat(1 << 20));
    }

    #[test]
    fn escapes_are_read() {
        reads(r#""plain é""#, Ok("plain é"));
        reads(r#""\"\\\/\b\f\n\r\t""#, Ok("\"\\/\u{8}\u{c}\n\r\t"));
        reads(r#""\u00e9\ud83d\ude00x""#, Ok("é😀x"));
        reads(r#""\ud83d""#, Err(LoneSurrogate));
        reads(r#""\ude00\ud83d""#, Err(LoneSurrogate));
        reads(r#""\ud83dé""#, Err(LoneSurrogate));
        reads(r#""\ud83d\u0041""#, Err(LoneSurrogate));
    }

    #[test]
    fn half_a_pair_in_json_within_json_stays_an_escape() {
        let Ok(Json::Text(text)) = parse(r#""{\"a\":\"\ud800\",\"b\":\"\\ud800\"}""#) else {
            panic!("no text")
        };
        assert_eq!(text.read_as_json(&Bump::new()), r#"{"a":"\ud800","b":"\ud800"}"#);
    }

    #[test]
    fn a_name_is_compared_by_what_it_says() {
        let Ok(Json::Object(object)) = parse(r#"{"\u005fid":"x"}"#) else { panic!("no object") };
        assert!(matches!(object.sole("_id"), Some(Json::Text(text)) if text.is("x")));
        assert!(object.sole("id").is_none());
    }

    #[cfg(feature = "service")]
    proptest! {
        /// serde_json is the second opinion wherever JSON is strict.
        #[test]
        fn strict_json_is_told_from_other_text_as_serde_json_does(
            text in r#"([ \{\}\[\],:"\\untrefalsbN0-9eE.+-]|"[a-z]*"|\\u[0-9a-f]{4}|true|false|null|-?[0-9]+){0,24}"#,
        ) {
            let expected = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(parse(&text).is_ok(), expected);
        }

        #[test]
        fn every_text_is_read_as_serde_json_reads_it(text in any::<String>(), ascii in any::<bool>()) {
            let mut written = serde_json::to_string(&text).unwrap();
            if ascii {
                let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
                written = format!("\"{}\"", units.collect::<String>());
            }
            let Ok(Json::Text(found)) = parse(&written) else { panic!("no text: {written}") };
            prop_assert_eq!(found.read().unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>()) {
            if let Ok(Json::Object(object)) = parse(&text) {
                prop_assert!(object.members().count() <= text.len());
            }
        }
    }
}
