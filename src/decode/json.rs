//! JSON as change capture really writes it: read tolerantly, copied never.
//!
//! Owns the grammar. It is JSON's, with what connectors add to it: bare `NaN`,
//! `Infinity` and `-Infinity`, and escapes of lone surrogates; the last of
//! duplicate names wins, which readers get by overwriting. Invariant: whatever
//! [`parse`] lets through has been checked to its last byte, so walking the
//! members of an object cannot fail. Nothing is allocated for what is not read.

use std::borrow::Cow;

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 128;

/// The text is not JSON, or nests deeper than [`MAX_DEPTH`].
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
    Array,
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

/// Reads a whole text as one value.
pub(super) fn parse(text: &str) -> Result<Json<'_>, NotJson> {
    let mut scanner = Scanner { text, at: 0 };
    let value = scanner.value(0)?;
    scanner.skip_blanks();
    if scanner.at == text.len() { Ok(value) } else { Err(NotJson) }
}

impl<'a> Object<'a> {
    /// The members in the order of the text.
    pub(super) fn members(self) -> impl Iterator<Item = (Text<'a>, Json<'a>)> {
        let mut scanner = Scanner { text: self.0, at: 1 };
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
    /// for in there it may stand in a field that nobody reads.
    pub(super) fn read_as_json(self) -> String {
        let mut read = String::with_capacity(self.raw.len());
        let written = unescape(self.raw, |part| {
            match part {
                Part::Literal(text) => read.push_str(text),
                Part::Char(char) => read.push(char),
                Part::Lone(unit) => read.extend(["\\u", &format!("{unit:04x}")]),
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match written {
            Ok(()) => read,
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

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.take(wanted) { Ok(()) } else { Err(NotJson) }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, NotJson> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(NotJson)
        }
    }

    /// The value that begins here, inside `depth` arrays and objects.
    fn value(&mut self, depth: usize) -> Result<Json<'a>, NotJson> {
        self.skip_blanks();
        match self.peek().ok_or(NotJson)? {
            b'"' => self.text().map(Json::Text),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            b'N' => self.word("NaN", Json::NonFinite),
            b'I' => self.word("Infinity", Json::NonFinite),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, NotJson> {
        let start = self.at;
        self.at += 1;
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        let mut first = true;
        while self.member(first, depth)?.is_some() {
            first = false;
        }
        Ok(Json::Object(Object(&self.text[start..self.at])))
    }

    /// The next member of an object, or none behind the closing brace.
    fn member(&mut self, first: bool, depth: usize) -> Result<Option<(Text<'a>, Json<'a>)>, NotJson> {
        self.skip_blanks();
        if self.take(b'}') {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
            self.skip_blanks();
        }
        let name = self.text()?;
        self.skip_blanks();
        self.expect(b':')?;
        Ok(Some((name, self.value(depth)?)))
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, NotJson> {
        self.at += 1;
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        self.skip_blanks();
        if self.take(b']') {
            return Ok(Json::Array);
        }
        loop {
            self.value(depth)?;
            self.skip_blanks();
            if self.take(b']') {
                return Ok(Json::Array);
            }
            self.expect(b',')?;
        }
    }

    fn text(&mut self) -> Result<Text<'a>, NotJson> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek().ok_or(NotJson)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                0..0x20 => return Err(NotJson),
                _ => self.at += 1,
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        let bytes = &self.text.as_bytes()[self.at + 1..];
        self.at += match bytes.first().ok_or(NotJson)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' if bytes.get(1..5).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 6,
            _ => return Err(NotJson),
        };
        Ok(())
    }

    fn number(&mut self) -> Result<Json<'a>, NotJson> {
        let start = self.at;
        if self.take(b'-') && self.peek() == Some(b'I') {
            return self.word("Infinity", Json::NonFinite);
        }
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(NotJson) }
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
        assert_eq!(text.read_as_json(), r#"{"a":"\ud800","b":"\ud800"}"#);
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
