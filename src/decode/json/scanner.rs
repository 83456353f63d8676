//! The grammar itself: from one byte to the next.
//!
//! Invariant: the place in the text only moves forward, and what it has passed
//! is JSON with the tolerances of the module above.

use super::{Array, Json, NotJson, Object, Text};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 128;

/// A place in a text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Before a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Behind the opening brace or bracket of an object or array.
    pub(super) fn inside(whole: &'a str) -> Self {
        Self { text: whole, at: 1 }
    }

    /// The one value that the text is.
    pub(super) fn whole(mut self) -> Result<Json<'a>, NotJson> {
        let value = self.value(0)?;
        self.skip_blanks();
        if self.at == self.text.len() { Ok(value) } else { Err(NotJson) }
    }

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
    pub(super) fn member(
        &mut self,
        first: bool,
        depth: usize,
    ) -> Result<Option<(Text<'a>, Json<'a>)>, NotJson> {
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
        let start = self.at;
        self.at += 1;
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        let mut first = true;
        while self.element(first, depth)?.is_some() {
            first = false;
        }
        Ok(Json::Array(Array(&self.text[start..self.at])))
    }

    /// The next element of an array, or none behind the closing bracket.
    pub(super) fn element(&mut self, first: bool, depth: usize) -> Result<Option<Json<'a>>, NotJson> {
        self.skip_blanks();
        if self.take(b']') {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
        }
        self.value(depth).map(Some)
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
