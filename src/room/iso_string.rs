//! Dates as JavaScript's `toISOString` writes them, which most are: all bytes at once.
//!
//! Invariant: what is read here is read alike by the grammar of the module beside it,
//! which is asked about everything that is not; and what is written here is read here.

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};

use super::calendar::days_since_epoch;

/// Where the digits stand in `2020-09-09T00:11:22.345Z`, and what stands between them.
const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";

const ONES: u64 = u64::MAX / 255;
const HIGHEST: u64 = ONES << 7;

/// The milliseconds since the epoch.
pub(super) fn millis(text: &[u8; 24]) -> Option<i64> {
    let [date, day_and_minute, below] = [digits::<0>(text)?, digits::<1>(text)?, digits::<2>(text)?];
    let pair = |eight: u64, at: usize| {
        let [tens, ones] = [eight.to_le_bytes()[at], eight.to_le_bytes()[at + 1]];
        tens * 10 + ones
    };
    let year = u16::from(pair(date, 0)) * 100 + u16::from(pair(date, 2));
    let days = days_since_epoch(year, pair(date, 5), pair(day_and_minute, 0))?;
    let (hour, minute, second) = (pair(day_and_minute, 3), pair(day_and_minute, 6), pair(below, 1));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let millis = i64::from(pair(below, 4)) * 10 + i64::from(below.to_le_bytes()[6]);
    let seconds = ((days * 24 + i64::from(hour)) * 60 + i64::from(minute)) * 60 + i64::from(second);
    Some(seconds * 1_000 + millis)
}

/// The text of an instant in the years that have four digits.
pub(super) fn text(instant: DateTime<Utc>) -> Option<[u8; 24]> {
    let year = u32::try_from(instant.year()).ok().filter(|&year| year < 10_000)?;
    let mut text = *FORM;
    let mut write = |at: usize, digits: usize, mut number: u32| {
        for letter in text[at..at + digits].iter_mut().rev() {
            *letter += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    };
    write(0, 4, year);
    write(5, 2, instant.month());
    write(8, 2, instant.day());
    write(11, 2, instant.hour());
    write(14, 2, instant.minute());
    write(17, 2, instant.second());
    write(20, 3, instant.timestamp_subsec_millis());
    Some(text)
}

/// Eight bytes of a text with zeros between the digits, if each is what the form has there.
fn digits<const PART: usize>(text: &[u8; 24]) -> Option<u64> {
    let form = const { part(FORM, PART) };
    // What has to be added to each byte to set its highest bit if it is too large.
    let too_large = const {
        let (mut added, mut at) = ([0; 24], 0);
        while at < 24 {
            added[at] = if FORM[at] == b'0' { 0x80 - 10 } else { 0x80 - 1 };
            at += 1;
        }
        part(&added, PART)
    };
    let digits = part(text, PART) ^ form;
    let is_in_form = (((digits & !HIGHEST) + too_large) | digits) & HIGHEST == 0;
    is_in_form.then_some(digits)
}

const fn part(bytes: &[u8; 24], at: usize) -> u64 {
    u64::from_le_bytes(bytes.as_chunks().0[at])
}
