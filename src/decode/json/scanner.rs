//! The grammar's tokens: from one to the next.
//!
//! Invariant: what is ahead only gets shorter, and what was passed is JSON with the
//! tolerances of the module above.

use std::marker::PhantomData;

use super::quotes::{Quotes, Split};
use super::{NotJson, run};

/// A place in a text.
pub(super) struct Scanner<'a, Q> {
    text: &'a str,
    /// The bytes from the place on.
    ahead: &'a [u8],
    quotes: PhantomData<Q>,
}

/// A value that holds no others and is no text.
pub(super) enum Scalar {
    Null,
    Bool(bool),
    /// So many bytes long.
    Number(usize),
    /// `NaN`, `Infinity` or `-Infinity`.
    NonFinite,
}

impl<'a, Q: Quotes> Scanner<'a, Q> {
    pub(super) fn over(text: &'a str) -> Self {
        Self { text, ahead: text.as_bytes(), quotes: PhantomData }
    }

    /// At the same place with other quotes.
    pub(super) fn within<P: Quotes>(&self) -> Scanner<'a, P> {
        Scanner { text: self.text, ahead: self.ahead, quotes: PhantomData }
    }

    /// Goes to where another scanner of the text is.
    pub(super) fn follow<P: Quotes>(&mut self, other: &Scanner<'a, P>) {
        self.ahead = other.ahead;
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.ahead.is_empty()
    }

    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.ahead.first().copied()
    }

    #[inline(always)]
    pub(super) fn skip_blanks(&mut self) {
        while let [byte, ahead @ ..] = self.ahead
            && Q::is_blank(*byte)
        {
            self.ahead = ahead;
        }
    }

    /// Passes this byte, if it comes next.
    #[inline(always)]
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        match self.ahead {
            [byte, ahead @ ..] if *byte == wanted => {
                self.ahead = ahead;
                true
            }
            _ => false,
        }
    }

    /// Passes this byte and the blanks before it.
    #[inline(always)]
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.take(wanted) {
            return Ok(());
        }
        self.skip_blanks();
        if self.take(wanted) { Ok(()) } else { Err(NotJson) }
    }

    /// Passes a comma, or the end of what it separates: then it says so.
    #[inline(always)]
    pub(super) fn is_last(&mut self, end: u8) -> Result<bool, NotJson> {
        if self.take(b',') {
            return Ok(false);
        }
        self.skip_blanks();
        if self.take(end) {
            return Ok(true);
        }
        if self.take(b',') { Ok(false) } else { Err(NotJson) }
    }

    /// Passes the mark at which a text begins, if one begins here.
    #[inline(always)]
    pub(super) fn opens_text(&mut self) -> bool {
        match self.ahead.strip_prefix(Q::MARK) {
            Some(ahead) => {
                self.ahead = ahead;
                true
            }
            None => false,
        }
    }

    /// The same behind blanks, where nothing else may begin.
    #[inline(always)]
    pub(super) fn expect_text(&mut self) -> Result<(), NotJson> {
        if self.opens_text() {
            return Ok(());
        }
        self.skip_blanks();
        if self.opens_text() { Ok(()) } else { Err(NotJson) }
    }

    /// Passes the text whose inside begins here; says what stood there and whether it has
    /// escapes.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<(&'a str, bool), NotJson> {
        let Split { length, escaped, behind } = Q::split(self.ahead)?;
        let text = self.ahead_as_text(length);
        self.ahead = behind;
        Ok((text, escaped))
    }

    /// The same as bytes.
    #[inline(always)]
    pub(super) fn text_bytes(&mut self) -> Result<(&'a [u8], bool), NotJson> {
        let Split { length, escaped, behind } = Q::split(self.ahead)?;
        let bytes = &self.ahead[..length];
        self.ahead = behind;
        Ok((bytes, escaped))
    }

    /// So many bytes of what is ahead, of which a number or a text consists.
    #[inline(always)]
    fn ahead_as_text(&self, length: usize) -> &'a str {
        let start = self.text.len() - self.ahead.len();
        &self.text[start..start + length]
    }

    #[inline(always)]
    pub(super) fn scalar(&mut self) -> Result<Scalar, NotJson> {
        match self.peek() {
            Some(b't') => self.word(b"true", Scalar::Bool(true)),
            Some(b'f') => self.word(b"false", Scalar::Bool(false)),
            Some(b'n') => self.word(b"null", Scalar::Null),
            Some(b'N') => self.word(b"NaN", Scalar::NonFinite),
            Some(b'I') => self.word(b"Infinity", Scalar::NonFinite),
            _ => self.number(),
        }
    }

    #[inline(always)]
    fn word(&mut self, word: &[u8], scalar: Scalar) -> Result<Scalar, NotJson> {
        self.ahead = self.ahead.strip_prefix(word).ok_or(NotJson)?;
        Ok(scalar)
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Scalar, NotJson> {
        let length = self.ahead.len();
        if self.take(b'-') && self.peek() == Some(b'I') {
            return self.word(b"Infinity", Scalar::NonFinite);
        }
        if !self.take(b'0') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            self.fraction()?;
        }
        Ok(Scalar::Number(length - self.ahead.len()))
    }

    #[inline(never)]
    fn fraction(&mut self) -> Result<(), NotJson> {
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Result<(), NotJson> {
        let count = run::digits(self.ahead);
        self.ahead = &self.ahead[count..];
        if count > 0 { Ok(()) } else { Err(NotJson) }
    }

    /// What was just passed, so many bytes long.
    #[inline(always)]
    pub(super) fn passed(&self, length: usize) -> &'a str {
        let end = self.text.len() - self.ahead.len();
        &self.text[end - length..end]
    }

    /// Passes a byte that was seen here.
    #[inline(always)]
    pub(super) fn pass(&mut self) {
        self.ahead = self.ahead.get(1..).unwrap_or_default();
    }
}
