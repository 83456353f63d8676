//! The one walk over a text: everything is checked, and what has a name that some form
//! reads is kept.
//!
//! Invariant: every byte is passed once. Only a text that an object was sought in, and
//! that holds none or one with rare escapes, is passed a second time.

use bumpalo::Bump;

use super::quotes::{Plain, Quotes, Within};
use super::scanner::{Scalar, Scanner};
use super::{Array, Json, NotJson, Object, Text, Unicode};
use crate::decode::name::{Name, Names};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 128;

/// On the way through a text.
pub(super) struct Walk<'a, Q> {
    scanner: Scanner<'a, Q>,
    memory: &'a Bump,
}

impl<'a> Walk<'a, Plain> {
    pub(super) fn over(text: &'a str, memory: &'a Bump) -> Self {
        Self { scanner: Scanner::over(text), memory }
    }

    /// The one value that the text is; if it is a text and `may_quote`, the object in it.
    pub(super) fn whole(mut self, may_quote: bool) -> Result<Json<'a>, NotJson> {
        let value = self.value(may_quote, 0)?;
        self.scanner.skip_blanks();
        if self.scanner.is_at_end() { Ok(value) } else { Err(NotJson) }
    }
}

impl<'a, Q: Quotes> Walk<'a, Q> {
    /// Passes the blanks before a value, and the mark if it is a text.
    #[inline(always)]
    fn begins_text(&mut self) -> bool {
        if self.scanner.opens_text() {
            return true;
        }
        self.scanner.skip_blanks();
        self.scanner.opens_text()
    }

    /// The value that comes next, inside `depth` arrays and objects.
    #[inline(always)]
    fn value(&mut self, may_quote: bool, depth: usize) -> Result<Json<'a>, NotJson> {
        if self.begins_text() {
            if may_quote
                && Q::MAY_OPEN
                && self.scanner.peek() == Some(b'{')
                && let Ok(object) = self.quoted()
            {
                return Ok(Json::Quoted(object));
            }
            return Ok(Json::Text(self.text()?));
        }
        match self.scanner.peek() {
            Some(b'{') => self.object(depth + 1).map(Json::Object),
            Some(b'[') => self.array(depth + 1).map(Json::Array),
            _ => Ok(match self.scanner.scalar()? {
                Scalar::Null => Json::Null,
                Scalar::Bool(is) => Json::Bool(is),
                Scalar::Number(length) => Json::Number(self.scanner.passed(length)),
                Scalar::NonFinite => Json::NonFinite,
            }),
        }
    }

    /// The object that is all of the text whose inside begins here.
    fn quoted(&mut self) -> Result<Object<'a>, NotJson> {
        let mut inside = Walk::<Within> { scanner: self.scanner.within(), memory: self.memory };
        let object = inside.object(1)?;
        inside.scanner.expect(b'"')?;
        self.scanner.follow(&inside.scanner);
        Ok(object)
    }

    #[inline(always)]
    fn text(&mut self) -> Result<Text<'a>, NotJson> {
        let (text, escaped) = self.scanner.text()?;
        if escaped { Q::unescape(text, self.memory) } else { Ok(Text { text, unicode: Unicode::Whole }) }
    }

    /// The object that begins here as the last of `depth` arrays and objects.
    fn object(&mut self, depth: usize) -> Result<Object<'a>, NotJson> {
        let mut object = Object::default();
        if self.enters_empty(b'}', depth)? {
            return Ok(object);
        }
        loop {
            if let Some(name) = self.name()? {
                let value = self.value(name.may_quote(), depth)?;
                object = object.with(name, value, self.memory);
            } else {
                object.names = object.names.and_others();
                self.skip(depth)?;
            }
            if self.scanner.is_last(b'}')? {
                return Ok(object);
            }
        }
    }

    /// A member's name, if it is known, and the colon.
    #[inline(always)]
    fn name(&mut self) -> Result<Option<Name>, NotJson> {
        self.scanner.expect_text()?;
        let name = self.text_as_name()?;
        self.scanner.expect(b':')?;
        Ok(name)
    }

    /// The name that the text says whose inside begins here, if it is known.
    #[inline(always)]
    fn text_as_name(&mut self) -> Result<Option<Name>, NotJson> {
        let (bytes, escaped) = self.scanner.text_bytes()?;
        if escaped { self.escaped_name(bytes) } else { Ok(Name::of(bytes)) }
    }

    #[inline(never)]
    fn escaped_name(&self, bytes: &'a [u8]) -> Result<Option<Name>, NotJson> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotJson)?;
        Ok(Q::unescape(text, self.memory)?.name())
    }

    fn array(&mut self, depth: usize) -> Result<Array, NotJson> {
        let mut names = Names::default();
        if self.enters_empty(b']', depth)? {
            return Ok(Array { names });
        }
        loop {
            if self.begins_text() {
                names = names.and_maybe(self.text_as_name()?);
            } else {
                self.skip(depth)?;
                names = names.and_others();
            }
            if self.scanner.is_last(b']')? {
                return Ok(Array { names });
            }
        }
    }

    /// Passes the brace or bracket here, and that at its end if there is nothing between.
    #[inline(always)]
    fn enters_empty(&mut self, end: u8, depth: usize) -> Result<bool, NotJson> {
        if depth > MAX_DEPTH {
            return Err(NotJson);
        }
        self.scanner.pass();
        self.scanner.skip_blanks();
        Ok(self.scanner.take(end))
    }

    /// Passes the value that comes next.
    #[inline(always)]
    fn skip(&mut self, depth: usize) -> Result<(), NotJson> {
        if self.begins_text() {
            return self.scanner.text_bytes().map(drop);
        }
        match self.scanner.peek() {
            Some(b'{') => self.skip_object(depth + 1),
            Some(b'[') => self.skip_array(depth + 1),
            _ => self.scanner.scalar().map(drop),
        }
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), NotJson> {
        if self.enters_empty(b'}', depth)? {
            return Ok(());
        }
        loop {
            self.scanner.expect_text()?;
            self.scanner.text_bytes()?;
            self.scanner.expect(b':')?;
            self.skip(depth)?;
            if self.scanner.is_last(b'}')? {
                return Ok(());
            }
        }
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), NotJson> {
        if self.enters_empty(b']', depth)? {
            return Ok(());
        }
        loop {
            self.skip(depth)?;
            if self.scanner.is_last(b']')? {
                return Ok(());
            }
        }
    }
}
