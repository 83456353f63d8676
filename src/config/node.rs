//! A value as it was given, before anyone knows what it should be.
//!
//! Owns the step from TOML text to values with line numbers, and back to one
//! line of TOML. Invariant: an error says where and what kind, and never quotes
//! the text, which may be a secret. For the same reason nothing here is `Debug`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secret::HIDDEN;

/// A value and the line it stands on.
pub(super) struct Node {
    /// From 1; `None` outside files.
    pub(super) line: Option<usize>,
    pub(super) value: Value,
}

/// TOML's kinds of value, as far as the configuration tells them apart.
pub(super) enum Value {
    Text(String),
    Integer(i64),
    /// A number that is not a whole one, or not one of 64 bits.
    Number(String),
    Switch(bool),
    Date(String),
    List(Vec<Node>),
    /// In the order of the names.
    Table(Vec<(String, Node)>),
}

/// Why a text is not TOML.
pub(super) struct NotToml {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    pub(super) message: String,
}

impl Node {
    /// A value that stands on no line.
    pub(super) fn new(value: Value) -> Self {
        Self { line: None, value }
    }

    /// Reads one value, as from an environment variable; without lines.
    pub(super) fn parse_value(text: &str) -> Result<Self, NotToml> {
        let value = DeValue::parse(text).map_err(|error| NotToml::new(text, &error))?;
        Ok(Self::read(value.get_ref(), None, None))
    }

    /// Reads a whole file, its nodes with their lines.
    pub(super) fn parse_document(text: &str) -> Result<Vec<(String, Self)>, Vec<NotToml>> {
        let (document, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(read_table(document.get_ref(), Some(&Lines::of(text))));
        }
        let mut faults: Vec<_> = errors.iter().map(|e| NotToml::new(text, e)).collect();
        faults.sort_by_key(|fault| (fault.line, fault.column));
        // What follows the first fault of a line is usually its echo.
        faults.dedup_by_key(|fault| fault.line);
        Err(faults)
    }

    fn read(value: &DeValue<'_>, line: Option<usize>, lines: Option<&Lines>) -> Self {
        let value = match value {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::Number(number.to_string()), Value::Integer),
            DeValue::Float(number) => Value::Number(number.as_str().to_owned()),
            DeValue::Boolean(on) => Value::Switch(*on),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Array(items) => Value::List(
                items.iter().map(|item| Self::read(item.get_ref(), line_of(item, lines), lines)).collect(),
            ),
            DeValue::Table(table) => Value::Table(read_table(table, lines)),
        };
        Self { line, value }
    }

    /// The value as one line of TOML; the entries of tables under a name for
    /// which `hide` is true are hidden.
    pub(super) fn to_toml(&self, hide: fn(&str) -> bool) -> String {
        match &self.value {
            Value::Text(text) => quoted(text),
            Value::Integer(number) => number.to_string(),
            Value::Number(text) | Value::Date(text) => text.clone(),
            Value::Switch(on) => on.to_string(),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.to_toml(hide)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Table(entries) if entries.is_empty() => "{}".to_owned(),
            Value::Table(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(name, node)| {
                        if hide(name) {
                            format!("{} = {}", key_text(name), quoted(HIDDEN))
                        } else {
                            format!("{} = {}", key_text(name), node.to_toml(hide))
                        }
                    })
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    /// The kind of value, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a text",
            Value::Integer(_) | Value::Number(_) => "a number",
            Value::Switch(_) => "true or false",
            Value::Date(_) => "a date without quotes",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

impl NotToml {
    fn new(text: &str, error: &toml::de::Error) -> Self {
        // Only the message: the error's own text quotes the line.
        let offset = error.span().map_or(text.len(), |span| span.start);
        Self::at(text, offset, error.message().to_owned())
    }

    /// A fault at a byte of the text.
    pub(super) fn at(text: &str, offset: usize, message: String) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self { line: Lines::of(text).at(offset), column: before[line_start..].chars().count() + 1, message }
    }
}

fn read_table(table: &DeTable<'_>, lines: Option<&Lines>) -> Vec<(String, Node)> {
    table
        .iter()
        .map(|(name, value)| {
            let node = Node::read(value.get_ref(), line_of(name, lines), lines);
            (name.get_ref().clone().into_owned(), node)
        })
        .collect()
}

fn line_of<T>(spanned: &Spanned<T>, lines: Option<&Lines>) -> Option<usize> {
    lines.map(|lines| lines.at(spanned.span().start))
}

/// Where the newlines of a text are, in bytes.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, from 1.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|&newline| newline < offset) + 1
    }
}

/// A name as it stands in a path: quoted if it could be taken for a path itself.
pub(super) fn key_text(name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A TOML string on one line.
pub(super) fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut toml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => toml.extend(['\\', c]),
            '\n' => toml.push_str("\\n"),
            '\t' => toml.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(toml, "\\u{:04X}", u32::from(c));
            }
            c => toml.push(c),
        }
    }
    toml.push('"');
    toml
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_back_as_one_line_of_toml() {
        for (text, line) in [
            ("\"a\"", "\"a\""),
            ("'a\"\\'", r#""a\"\\""#),
            ("\"\"\"a\nb\"\"\"", r#""a\nb""#),
            ("\"\\u0007\"", r#""\u0007""#),
            ("0x10", "16"),
            ("1_000", "1000"),
            ("1.50", "1.50"),
            ("true", "true"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[1, [2]]", "[1, [2]]"),
            ("{ a.b = 1, 'c.d' = 'x' }", r#"{ a = { b = 1 }, "c.d" = "x" }"#),
        ] {
            let node = Node::parse_value(text).ok().unwrap();
            assert_eq!(node.to_toml(|_| false), line);
            let again = Node::parse_value(line).ok().unwrap();
            assert_eq!(again.to_toml(|_| false), line);
        }
    }

    #[test]
    fn hidden_entries_keep_their_names_only() {
        let node = Node::parse_value("[{ id = 'a', token = ['x'] }]").ok().unwrap();
        assert_eq!(node.to_toml(|name| name == "token"), r#"[{ id = "a", token = "(hidden)" }]"#);
    }

    #[test]
    fn more_than_one_value_is_not_a_value() {
        for text in ["1 2", "1\nx = 2", "", "#", "[1", "x = 1"] {
            assert!(Node::parse_value(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_fault_has_line_and_column_and_does_not_quote_the_text() {
        for (text, line, column) in [
            ("a = 1\nb = hunter2\n", 2, 5),
            ("a = 1\na = 2", 2, 1),
            ("ä = hunter2", 1, 1),
            ("a = \"hunter2", 1, 13),
            ("a = 1\nb = hunter2 hunter2", 2, 5),
            ("a = 2020-13-45hunter2", 1, 5),
            ("a = \"hunter2\\q\"", 1, 14),
            ("[hunter2", 1, 9),
        ] {
            let faults = Node::parse_document(text).err().unwrap();
            let first = &faults[0];
            assert_eq!((first.line, first.column), (line, column), "{text:?} {}", first.message);
            assert!(!first.message.contains("hunter2"), "{}", first.message);
        }
    }

    #[test]
    fn several_faults_are_told_together_one_a_line() {
        let faults = Node::parse_document("a = x\nb = 1\nc = y\n[d\ne = 2\n").err().unwrap();
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 3, 4]);
    }
}
