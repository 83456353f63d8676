//! What a file holds, one document after the other.
//!
//! Owns the two layouts: one document a line, and one array of documents, as
//! `mongoexport --jsonArray` writes it, told apart by the first byte that is not blank.
//! Nothing is understood of a document here but where it ends. Of one that is longer
//! than any record may be, only so much is kept that it is found too large.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Documents read ahead of the one that is sent; each may be `limits.record_bytes` long.
const READ_AHEAD: usize = 64;

/// Where a document stands, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Line(u64),
    Element(u64),
}

/// A document, or what stands in its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// Without blanks around it; empty for a blank line.
    pub(super) text: Vec<u8>,
    pub(super) at: At,
    /// How many bytes of the input end with it.
    pub(super) bytes: u64,
}

/// The documents, read by a thread of their own: a read of standard input may wait for
/// ever, and a stop must not wait for it. An error is the last of them.
pub(super) fn read_documents(
    input: Box<dyn Read + Send>,
    record_bytes: usize,
) -> Receiver<io::Result<Document>> {
    let (sender, documents) = sync_channel(READ_AHEAD);
    thread::spawn(move || {
        for document in Documents::new(BufReader::new(input), record_bytes) {
            let failed = document.is_err();
            if sender.send(document).is_err() || failed {
                return;
            }
        }
    });
    documents
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Unknown,
    Lines,
    Array,
    BehindArray,
}

struct Documents<R> {
    input: R,
    layout: Layout,
    /// How much is kept of a document.
    longest: usize,
    /// Lines or elements so far.
    count: u64,
    bytes: u64,
}

impl<R: BufRead> Documents<R> {
    fn new(input: R, record_bytes: usize) -> Self {
        Self { input, layout: Layout::Unknown, longest: record_bytes + 1, count: 0, bytes: 0 }
    }

    fn next_document(&mut self) -> io::Result<Option<Document>> {
        if self.layout == Layout::Unknown {
            self.find_layout()?;
        }
        let text = match self.layout {
            Layout::Lines | Layout::Unknown => self.line()?,
            Layout::Array => self.element()?,
            Layout::BehindArray => self.nothing().map(|()| None)?,
        };
        let Some(text) = text else { return Ok(None) };
        self.count += 1;
        let at = if self.layout == Layout::Lines { At::Line(self.count) } else { At::Element(self.count) };
        Ok(Some(Document { text: text.trim_ascii().to_vec(), at, bytes: self.bytes }))
    }

    /// Looks at the first byte that is not blank; lines in front of it have been read.
    fn find_layout(&mut self) -> io::Result<()> {
        while let Some(&byte) = self.input.fill_buf()?.first() {
            if !byte.is_ascii_whitespace() {
                self.layout = if byte == b'[' { Layout::Array } else { Layout::Lines };
                break;
            }
            self.take_byte();
            self.count += u64::from(byte == b'\n');
        }
        if self.layout == Layout::Array {
            self.take_byte();
            self.count = 0;
        }
        Ok(())
    }

    fn take_byte(&mut self) {
        self.input.consume(1);
        self.bytes += 1;
    }

    /// The next line without its end; none at the end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = u64::try_from(self.longest).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = self.input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if bytes == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > self.longest {
            bytes += self.input.skip_until(b'\n')?;
            line.truncate(self.longest);
        }
        self.bytes += bytes as u64;
        Ok(Some(line))
    }

    /// The next element of the array; none behind the last one.
    fn element(&mut self) -> io::Result<Option<Vec<u8>>> {
        let (mut element, mut depth, mut quoted, mut escaped) = (Vec::new(), 0_u32, false, false);
        loop {
            let Some(&byte) = self.input.fill_buf()?.first() else {
                return Err(invalid("it ends inside the array: the closing ] is missing"));
            };
            self.take_byte();
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'{' | b'[' => depth += 1,
                b',' if depth == 0 => return Ok(Some(element)),
                b']' if depth == 0 => {
                    self.layout = Layout::BehindArray;
                    return if element.is_empty() {
                        self.nothing().map(|()| None)
                    } else {
                        Ok(Some(element))
                    };
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            let is_blank_before = element.is_empty() && byte.is_ascii_whitespace();
            if !is_blank_before && element.len() < self.longest {
                element.push(byte);
            }
        }
    }

    /// Behind an array there is nothing.
    fn nothing(&mut self) -> io::Result<()> {
        while let Some(&byte) = self.input.fill_buf()?.first() {
            if !byte.is_ascii_whitespace() {
                return Err(invalid("it goes on behind the end of the array"));
            }
            self.take_byte();
        }
        Ok(())
    }
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = io::Result<Document>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_document().transpose()
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Element(number) => write!(f, "element {number}"),
        }
    }
}

fn invalid(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LONGEST: usize = 20;

    fn read(text: &str, buffered: usize) -> Result<Vec<(At, String)>, String> {
        let input = BufReader::with_capacity(buffered, text.as_bytes());
        let mut found = Vec::new();
        for document in Documents::new(input, LONGEST) {
            let Document { text, at, .. } = document.map_err(|error| error.to_string())?;
            found.push((at, String::from_utf8(text).unwrap()));
        }
        Ok(found)
    }

    #[track_caller]
    fn check(text: &str, at: fn(u64) -> At, expected: &[(u64, &str)]) {
        for buffered in [1, 3, 1_000] {
            let expected: Vec<_> =
                expected.iter().map(|&(number, text)| (at(number), text.to_owned())).collect();
            assert_eq!(read(text, buffered), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn one_document_stands_in_each_line() {
        check("", At::Line, &[]);
        check("\n \n", At::Line, &[]);
        check("{}", At::Line, &[(1, "{}")]);
        check("\n {\"a\":1} \r\n\n{}\n", At::Line, &[(2, "{\"a\":1}"), (3, ""), (4, "{}")]);
        check("{\n[", At::Line, &[(1, "{"), (2, "[")]);
    }

    #[test]
    fn the_elements_of_an_array_may_stand_in_any_lines() {
        check("[]", At::Element, &[]);
        check("\n[ ]\n", At::Element, &[]);
        check("[{},{}]\n", At::Element, &[(1, "{}"), (2, "{}")]);
        check("[{\n\"a\": [1,2]\n},\n{}\n]", At::Element, &[(1, "{\n\"a\": [1,2]\n}"), (2, "{}")]);
        check(r#"[{"a":"]},\""},"x",5]"#, At::Element, &[(1, r#"{"a":"]},\""}"#), (2, "\"x\""), (3, "5")]);
        check(r#"["\\",{}]"#, At::Element, &[(1, r#""\\""#), (2, "{}")]);
    }

    #[test]
    fn an_array_that_does_not_end_or_goes_on_is_an_error() {
        for (text, problem) in
            [("[{}", "closing ]"), ("[{},", "closing ]"), ("[\"]", "closing ]"), ("[] x", "behind")]
        {
            let error = read(text, 1_000).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn of_a_document_that_is_too_long_a_little_more_than_is_allowed_is_kept() {
        let long = "x".repeat(50);
        for text in [format!("{long}\n{{}}"), format!("[{long},{{}}]")] {
            let found = read(&text, 7).unwrap();
            assert_eq!((found[0].1.len(), found[1].1.as_str()), (LONGEST + 1, "{}"), "{text}");
        }
    }

    #[test]
    fn the_bytes_come_to_the_whole_input() {
        for text in ["{}\n\n{}", "[{}, {}]", "[{}]"] {
            let last = Documents::new(text.as_bytes(), LONGEST).last().unwrap().unwrap();
            assert_eq!(last.bytes, text.len() as u64, "{text}");
        }
    }
}
