//! Dates in every spelling that JSON from MongoDB has for them.
//!
//! Owns `{"$date": …}`, `{"$numberLong": …}`, bare milliseconds and text in the
//! grammar of [`Timestamp::parse`]. A number finer than a millisecond is cut
//! down to it, as a text is.

use crate::decode::json::Json;
use crate::room::{NotADate, Timestamp};

/// Reads a date.
pub(super) fn date(value: &Json<'_>) -> Result<Timestamp, NotADate> {
    match value {
        Json::Object(object) => match object.sole("$date") {
            Some(dated) => number_or_text(dated),
            None => number_long(value),
        },
        _ => number_or_text(value),
    }
}

fn number_or_text(value: &Json<'_>) -> Result<Timestamp, NotADate> {
    match value {
        Json::Number(digits) => number(digits),
        Json::Text(text) => Timestamp::parse(text.read().map_err(|_| NotADate)?),
        _ => number_long(value),
    }
}

fn number_long(value: &Json<'_>) -> Result<Timestamp, NotADate> {
    let Json::Object(object) = value else { return Err(NotADate) };
    let Some(Json::Text(text)) = object.sole("$numberLong") else { return Err(NotADate) };
    let text = text.read().map_err(|_| NotADate)?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotADate);
    }
    number(text)
}

/// Milliseconds since the epoch; what no date can name saturates, and is then
/// out of every range.
fn number(digits: &str) -> Result<Timestamp, NotADate> {
    if let Ok(ms) = digits.parse() {
        return Ok(Timestamp::from_millis(ms));
    }
    if let Some((whole, fraction)) = digits.split_once('.').filter(|(_, rest)| !rest.contains(['e', 'E'])) {
        let below = digits.starts_with('-') && fraction.bytes().any(|digit| digit != b'0');
        if let Ok(ms) = whole.parse::<i64>() {
            return Ok(Timestamp::from_millis(ms.saturating_sub(i64::from(below))));
        }
    }
    let ms: f64 = digits.parse().map_err(|_| NotADate)?;
    #[allow(clippy::cast_possible_truncation, reason = "a cast from a float saturates, as wanted")]
    Ok(Timestamp::from_millis(ms.floor() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::json::parse;

    #[track_caller]
    fn check(text: &str, expected_ms: Option<i64>) {
        let Ok(value) = parse(text) else { panic!("no JSON: {text}") };
        assert_eq!(date(&value).ok().map(Timestamp::as_millis), expected_ms, "{text}");
    }

    #[test]
    fn every_spelling_of_a_date_is_read() {
        for (text, expected_ms) in [
            (r#"{"$date":1600000000000}"#, 1_600_000_000_000),
            (r#"{"$date":"2026-07-03T17:59:45.729Z"}"#, 1_783_101_585_729),
            (r#"{"$date":{"$numberLong":"1600000000000"}}"#, 1_600_000_000_000),
            (r#"{"$numberLong":"1600000000000"}"#, 1_600_000_000_000),
            (r#"{"$numberLong":"-1"}"#, -1),
            ("1600000000000", 1_600_000_000_000),
            ("1.6e12", 1_600_000_000_000),
            ("1600000000000.9", 1_600_000_000_000),
            ("1500000000000.99999999999", 1_500_000_000_000),
            ("-0.5", -1),
            ("-1.0", -1),
            ("1e400", i64::MAX),
            ("-99999999999999999999", i64::MIN),
            (r#""2020-09-09T00:11:22.345Z""#, 1_599_610_282_345),
            (r#""2020-09-09T00:11:22.3459""#, 1_599_610_282_345),
        ] {
            check(text, Some(expected_ms));
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "null",
            "true",
            "NaN",
            "Infinity",
            "-Infinity",
            "[]",
            "{}",
            r#""""#,
            r#""1600000000000""#,
            r#""now""#,
            r#"{"$date":null}"#,
            r#"{"$date":{}}"#,
            r#"{"$date":{"$date":1}}"#,
            r#"{"$date":NaN}"#,
            r#"{"$date":1,"x":2}"#,
            r#"{"$numberLong":1}"#,
            r#"{"$numberLong":"1.5"}"#,
            r#"{"$numberLong":""}"#,
            r#"{"$numberLong":"-"}"#,
            r#"{"$numberLong":"+1"}"#,
            r#"{"$numberInt":"1"}"#,
            r#""\ud800""#,
        ] {
            check(text, None);
        }
    }
}
