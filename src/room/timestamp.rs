//! Instants, to the millisecond, and the one grammar in which they are written.
//!
//! Owns reading and writing dates for events, for the endpoint and for the
//! configuration, so that all three accept the same texts. The grammar is the
//! ISO part of what JavaScript's `Date.parse` takes, with the additions that
//! `docs/endpoint.md` lists; everything else is refused, never guessed.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use super::calendar::days_since_epoch;
use super::iso_string;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is no date in the accepted grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date such as 2020-09-09T00:11:22.345Z")]
pub struct NotADate;

const MS_PER_MINUTE: i64 = 60_000;
const MS_PER_DAY: i64 = 24 * 60 * MS_PER_MINUTE;

impl Timestamp {
    /// The earliest instant that a date can name: JavaScript's, 100 million days
    /// before the epoch (ECMA-262, time values).
    pub const MIN: Self = Self(-100_000_000 * MS_PER_DAY);
    /// The latest instant that a date can name, as many days after the epoch.
    pub const MAX: Self = Self(100_000_000 * MS_PER_DAY);

    /// The instant so many milliseconds after (or, negative, before) the epoch.
    pub const fn from_millis(epoch_ms: i64) -> Self {
        Self(epoch_ms)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `ms` later, or the last one there is.
    #[must_use]
    pub const fn saturating_add_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Reads a date: `2020-09-09T00:11:22.345Z` and its shorter forms
    /// (`2020-09-09`, `2020-09`, `2020`, seconds or the offset left out), offsets
    /// as `+02:00`, `+0200` or, where a `+` came as a blank, ` 02:00` and
    /// ` 0200`; a blank or `t` for `T`, `z` for `Z`. No offset means UTC, digits
    /// finer than a millisecond are cut, `T24:00` is the next midnight.
    pub fn parse(text: &str) -> Result<Self, NotADate> {
        if let Some(ms) = text.as_bytes().try_into().ok().and_then(iso_string::millis) {
            return Ok(Self(ms));
        }
        Self::parse_any(text)
    }

    fn parse_any(text: &str) -> Result<Self, NotADate> {
        let mut rest = Cursor(text.as_bytes());
        let day_start_ms = rest.date()?;
        if rest.is_at_end() {
            return Ok(Self(day_start_ms));
        }
        rest.one_of(b"Tt ")?;
        let ms_of_day = rest.time_of_day()?;
        let offset_ms = rest.offset()?;
        if !rest.is_at_end() {
            return Err(NotADate);
        }
        Ok(Self(day_start_ms + ms_of_day - offset_ms))
    }
}

impl fmt::Display for Timestamp {
    /// `2020-09-09T00:11:22.345Z`; outside chrono's years the bare number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(instant) = DateTime::<Utc>::from_timestamp_millis(self.0) else {
            return write!(f, "{} ms", self.0);
        };
        // Most, and one for every answer.
        match iso_string::text(instant).as_ref().map(|text| std::str::from_utf8(text)) {
            Some(Ok(text)) => f.write_str(text),
            _ => f.write_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}

/// What is left of the text that is being read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.0.first() == Some(&wanted);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn one_of(&mut self, wanted: &[u8]) -> Result<u8, NotADate> {
        let (&first, rest) = self.0.split_first().ok_or(NotADate)?;
        if !wanted.contains(&first) {
            return Err(NotADate);
        }
        self.0 = rest;
        Ok(first)
    }

    fn digits(&mut self, count: usize) -> Result<u16, NotADate> {
        let (digits, rest) = self.0.split_at_checked(count).ok_or(NotADate)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(NotADate);
        }
        self.0 = rest;
        Ok(digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
    }

    fn number_up_to(&mut self, largest: u16) -> Result<i64, NotADate> {
        let number = self.digits(2)?;
        if number > largest {
            return Err(NotADate);
        }
        Ok(i64::from(number))
    }

    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as the midnight that begins it.
    fn date(&mut self) -> Result<i64, NotADate> {
        let year = self.digits(4)?;
        let (mut month, mut day) = (1, 1);
        if self.take(b'-') {
            month = self.two_digits()?;
            if self.take(b'-') {
                day = self.two_digits()?;
            }
        }
        Ok(days_since_epoch(year, month, day).ok_or(NotADate)? * MS_PER_DAY)
    }

    fn two_digits(&mut self) -> Result<u8, NotADate> {
        self.digits(2)?.try_into().map_err(|_| NotADate)
    }

    /// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, in milliseconds.
    fn time_of_day(&mut self) -> Result<i64, NotADate> {
        let hours = self.number_up_to(24)?;
        self.one_of(b":")?;
        let minutes = self.number_up_to(59)?;
        let mut ms = 0;
        if self.take(b':') {
            ms = self.number_up_to(59)? * 1_000;
            if self.take(b'.') {
                ms += self.fraction()?;
            }
        }
        let ms_of_day = (hours * 60 + minutes) * MS_PER_MINUTE + ms;
        if ms_of_day > MS_PER_DAY {
            return Err(NotADate);
        }
        Ok(ms_of_day)
    }

    /// The digits behind the point, cut to milliseconds.
    fn fraction(&mut self) -> Result<i64, NotADate> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        if digits.is_empty() {
            return Err(NotADate);
        }
        self.0 = rest;
        let thousandths = digits.iter().copied().chain(std::iter::repeat(b'0')).take(3);
        Ok(thousandths.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// The distance from UTC in milliseconds; nothing means UTC.
    fn offset(&mut self) -> Result<i64, NotADate> {
        if self.is_at_end() {
            return Ok(0);
        }
        // A plus sign that was not encoded in a URL arrives as a blank.
        let sign = match self.one_of(b"Zz+- ")? {
            b'Z' | b'z' => return Ok(0),
            b'-' => -1,
            _ => 1,
        };
        let hours = self.number_up_to(23)?;
        self.take(b':');
        let minutes = self.number_up_to(59)?;
        Ok(sign * (hours * 60 + minutes) * MS_PER_MINUTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = Timestamp::parse(text).ok().map(|ts| ts.to_string());
        assert_eq!(found.as_deref(), expected, "{text:?}");
    }

    proptest! {
        #[test]
        fn what_javascript_writes_is_read_as_the_grammar_has_it(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}Z",
            (at, byte) in (0..48_usize, any::<char>()),
        ) {
            prop_assert_eq!(Timestamp::parse(&text), Timestamp::parse_any(&text));
            let changed: String = text.char_indices().map(|(place, c)| if place == at { byte } else { c }).collect();
            prop_assert_eq!(Timestamp::parse(&changed), Timestamp::parse_any(&changed));
        }

        #[test]
        fn what_is_written_is_read(ms in -62_167_219_200_000..253_402_300_800_000_i64) {
            let ts = Timestamp(ms);
            prop_assert_eq!(Timestamp::parse(&ts.to_string()), Ok(ts));
        }
    }

    #[test]
    fn a_date_is_read_to_the_millisecond() {
        assert_eq!(Timestamp::parse("2020-09-09T00:11:22.345Z"), Ok(Timestamp(1_599_610_282_345)));
        assert_eq!(Timestamp::parse("1970-01-01"), Ok(Timestamp(0)));
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59.999Z"), Ok(Timestamp(-1)));
    }

    #[test]
    fn an_instant_is_written_as_chrono_writes_it() {
        let day_ms = 86_400_000_i64;
        // Before the year 0 to behind the year 9999, with another time on each day.
        for day in -720_000..2_940_000 {
            let ms = day * day_ms + (day * 7_919_993).rem_euclid(day_ms);
            let expected = DateTime::<Utc>::from_timestamp_millis(ms)
                .map(|instant| instant.to_rfc3339_opts(SecondsFormat::Millis, true));
            assert_eq!(Some(Timestamp(ms).to_string()), expected);
        }
    }

    #[test]
    fn every_accepted_form_names_its_instant() {
        for (text, expected) in [
            ("2020-09-09T00:11:22.345+02:00", "2020-09-08T22:11:22.345Z"),
            ("2020-09-09T00:11:22.345+0200", "2020-09-08T22:11:22.345Z"),
            ("2020-09-09T00:11:22.345 02:00", "2020-09-08T22:11:22.345Z"),
            ("2020-09-09T00:11:22.345 0200", "2020-09-08T22:11:22.345Z"),
            ("2020-09-09T00:11:22-23:59", "2020-09-10T00:10:22.000Z"),
            ("2020-09-09T00:11:22-00:00", "2020-09-09T00:11:22.000Z"),
            ("2020-09-09", "2020-09-09T00:00:00.000Z"),
            ("2020-09", "2020-09-01T00:00:00.000Z"),
            ("2020", "2020-01-01T00:00:00.000Z"),
            ("0000", "0000-01-01T00:00:00.000Z"),
            ("2020-09T00:00Z", "2020-09-01T00:00:00.000Z"),
            ("2020T10:00Z", "2020-01-01T10:00:00.000Z"),
            ("2020-09-09T00:11:22.345", "2020-09-09T00:11:22.345Z"),
            ("2020-09-09t00:11:22z", "2020-09-09T00:11:22.000Z"),
            ("2020-09-09 00:11", "2020-09-09T00:11:00.000Z"),
            ("2020-09-09T00:11:22.3Z", "2020-09-09T00:11:22.300Z"),
            ("2020-09-09T00:11:22.345999999Z", "2020-09-09T00:11:22.345Z"),
            ("2020-02-29T24:00:00Z", "2020-03-01T00:00:00.000Z"),
            ("2020-12-31T24:00Z", "2021-01-01T00:00:00.000Z"),
        ] {
            check(text, Some(expected));
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            " ",
            "now",
            "1600000000000",
            "1600000000",
            "20200909",
            "2020-13-01",
            "2020-00-01",
            "2020-02-30",
            "2021-02-29",
            "2020-09-00",
            "2020-01-01x",
            "2020-x01-02",
            "2020-9-09",
            "2020-09-9",
            "2020-09-09T00Z",
            "2020-09-09T00:60Z",
            "2020-09-09T00:00:60Z",
            "2020-09-09T24:00:01Z",
            "2020-09-09T24:01Z",
            "2020-09-09T25:00Z",
            "2020-09-09T00:11:22,345Z",
            "2020-09-09T00:11:22.Z",
            "2020-09-09T00:11:22+25:00",
            "2020-09-09T00:11:22+24:00",
            "2020-09-09T00:11:22+02",
            "2020-09-09T00:11:22+02:60",
            "2020-W01",
            "2020-09-09Z",
            "2020-09-09+02:00",
            "2020-09-09T00:11:22 +0200",
            "2020-09-09T00:11:22 ",
            " 2020-09-09",
            "2020-09-09 ",
            "2020-09-09T",
            "2020-",
            "2020-09-",
            "+2020-09-09",
            "-2020-09-09",
            "+002020-09-09T00:00:00Z",
            "Sep 9 2020",
            "2020-09-09T0:11Z",
            "2020-09-09TT00:11Z",
            "２０２０-09-09",
            "2020-09-09T00:11:22ZZ",
        ] {
            check(text, None);
        }
    }
}
