//! The query string, read into a question that can be asked.
//!
//! Owns the parameters' rules and the order in which their faults are told.
//! Invariant: a [`Query`] exists only if every parameter was acceptable, and
//! any text whatsoever is either a query or one of the refusals of a request.

use std::borrow::Cow;

use form_urlencoded::parse;

use crate::room::Timestamp;

use super::page::{Asked, Sort};
use super::refusal::Refusal;

/// The largest integer that JavaScript's numbers tell from its neighbours, plus
/// one: 2^53.
const NUMBER_MAX: u64 = 1 << 53;

/// The end of the range that a refusal speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// `start`.
    Start,
    /// `end`.
    End,
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query<'a> {
    /// The first instant.
    pub(super) from: Timestamp,
    /// The last instant, included; before the first, nothing matches.
    pub(super) to: Timestamp,
    /// Only this department.
    pub(super) department: Option<Cow<'a, str>>,
    /// Only answered rooms, only waiting ones, or all.
    pub(super) answered: Option<bool>,
    /// Which part of the rows, in which order.
    pub(super) page: Asked,
}

impl<'a> Query<'a> {
    /// Reads the text behind the question mark, without it.
    pub(super) fn read(text: &'a str) -> Result<Self, Refusal> {
        let Parameters { start, end, department_id, answered, count, offset, sort } = Parameters::read(text);
        if matches!(start, Given::Absent) {
            return Err(Refusal::Missing(Edge::Start));
        }
        if matches!(end, Given::Absent) {
            return Err(Refusal::Missing(Edge::End));
        }
        let start = start.string()?.unwrap_or_default();
        let end = end.string()?.unwrap_or_default();
        let department = department_id.string()?.filter(|id| !matches!(id.as_ref(), "" | "undefined"));
        let answered = answered.string()?.map(|text| text == "true");
        let count = count.whole_number()?;
        let offset = offset.whole_number()?.unwrap_or(0);
        let from = Timestamp::parse(&start).map_err(|_| Refusal::NotADate(Edge::Start))?;
        let to = Timestamp::parse(&end).map_err(|_| Refusal::NotADate(Edge::End))?;
        Ok(Self { from, to, department, answered, page: Asked { offset, count, sort: sort.order() } })
    }
}

/// The parameters that mean something, as they were given.
#[derive(Default)]
struct Parameters<'a> {
    start: Given<'a>,
    end: Given<'a>,
    department_id: Given<'a>,
    answered: Given<'a>,
    count: Given<'a>,
    offset: Given<'a>,
    sort: Given<'a>,
}

impl<'a> Parameters<'a> {
    fn read(text: &'a str) -> Self {
        let mut parameters = Self::default();
        for (key, value) in pairs(text) {
            let (name, nested) = name_of(&key);
            if let Some(given) = parameters.named(name) {
                *given = match given {
                    Given::Absent if !nested => Given::Once(value),
                    _ => Given::Otherwise,
                };
            }
        }
        parameters
    }

    fn named(&mut self, name: &str) -> Option<&mut Given<'a>> {
        match name {
            "start" => Some(&mut self.start),
            "end" => Some(&mut self.end),
            "departmentId" => Some(&mut self.department_id),
            "answered" => Some(&mut self.answered),
            "count" => Some(&mut self.count),
            "offset" => Some(&mut self.offset),
            "sort" => Some(&mut self.sort),
            _ => None,
        }
    }
}

/// Keys and values, decoded as of a form. Most of them are written as they stand.
fn pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    text.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        if pair.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            return parse(pair.as_bytes()).next();
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((key.into(), value.into()))
    })
}

/// The parameter that a decoded key belongs to, and whether the key nests below
/// it (`start[]`, `start[x]`). As in npm's `qs`, which upstream reads queries
/// with, a bracket that is not closed is a letter like any other.
fn name_of(key: &str) -> (&str, bool) {
    let Some((name, below)) = key.split_once('[') else { return (key, false) };
    match below.find(['[', ']']) {
        Some(at) if below[at..].starts_with(']') => (name, true),
        _ => (key, false),
    }
}

/// How a parameter came.
#[derive(Default)]
enum Given<'a> {
    /// Not at all.
    #[default]
    Absent,
    /// Once, as a text.
    Once(Cow<'a, str>),
    /// Repeated or nested, so that it would be a list or an object.
    Otherwise,
}

impl<'a> Given<'a> {
    fn string(self) -> Result<Option<Cow<'a, str>>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(text) => Ok(Some(text)),
            Self::Otherwise => Err(Refusal::NotAString),
        }
    }

    fn whole_number(self) -> Result<Option<u64>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(text) => whole_number(&text).map(Some),
            Self::Otherwise => Err(Refusal::NotANumber),
        }
    }

    fn order(self) -> Sort {
        match self {
            Self::Once(text) => Sort::read(&text),
            Self::Absent | Self::Otherwise => Sort::default(),
        }
    }
}

/// Reads digits, as many as there are, with or without a minus sign.
fn whole_number(text: &str) -> Result<u64, Refusal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::NotANumber);
    }
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(Refusal::Negative);
    }
    match significant.parse() {
        Ok(number) if number <= NUMBER_MAX => Ok(number),
        _ => Err(Refusal::NotANumber),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pairs_are_those_of_a_form(text in "[a-z=&%+0-9A-F\\[\\]é]{0,40}") {
            let expected: Vec<_> = parse(text.as_bytes()).collect();
            prop_assert_eq!(pairs(&text).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_whole_number_is_judged_by_its_value_however_it_is_written() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("-000", Ok(0)),
            ("007", Ok(7)),
            ("000000000000000000000000000000000000012", Ok(12)),
            ("9007199254740992", Ok(NUMBER_MAX)),
            ("9007199254740993", Err(Refusal::NotANumber)),
            ("99999999999999999999999999", Err(Refusal::NotANumber)),
            ("-1", Err(Refusal::Negative)),
            ("-99999999999999999999999999", Err(Refusal::Negative)),
            ("", Err(Refusal::NotANumber)),
            ("-", Err(Refusal::NotANumber)),
            ("--1", Err(Refusal::NotANumber)),
            ("+5", Err(Refusal::NotANumber)),
            (" 5", Err(Refusal::NotANumber)),
            ("1.0", Err(Refusal::NotANumber)),
            ("1e2", Err(Refusal::NotANumber)),
            ("0x10", Err(Refusal::NotANumber)),
            ("٣", Err(Refusal::NotANumber)),
        ] {
            assert_eq!(whole_number(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_key_nests_only_below_a_closed_bracket() {
        for (key, expected) in [
            ("start", ("start", false)),
            ("start[]", ("start", true)),
            ("start[x]", ("start", true)),
            ("start[x][y]", ("start", true)),
            ("start[x]y", ("start", true)),
            ("start[", ("start[", false)),
            ("start[x", ("start[x", false)),
            ("start[x[", ("start[x[", false)),
            ("start]", ("start]", false)),
            ("[start]", ("", true)),
            ("startx[]", ("startx", true)),
        ] {
            assert_eq!(name_of(key), expected, "{key:?}");
        }
    }
}
