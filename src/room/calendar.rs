//! The Gregorian calendar, reaching back before its beginning as ISO 8601 wants it.

/// From 0000-01-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_528;
/// Before each month of a year that has no 29th of February.
const DAYS_BEFORE: [u16; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

/// How many days after 1970-01-01 a date is, or before it; none if there is no such date.
pub(super) fn days_since_epoch(year: u16, month: u8, day: u8) -> Option<i64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let at = usize::from(month).checked_sub(1)?;
    let (before, next) = (*DAYS_BEFORE.get(at)?, *DAYS_BEFORE.get(at + 1)?);
    let length = next - before + u16::from(is_leap && month == 2);
    if day == 0 || u16::from(day) > length {
        return None;
    }
    let year = i64::from(year);
    // Of the years before this one, the year 0 among them.
    let leap_days = (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    let of_year = i64::from(before) + i64::from(is_leap && month > 2) + i64::from(day) - 1;
    Some(year * 365 + leap_days + of_year - DAYS_TO_EPOCH)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::days_since_epoch;

    #[test]
    fn every_day_is_where_chrono_has_it() {
        // The calendar repeats itself after 400 years.
        for year in (0..401).chain(1_800..2_201).chain(9_600..10_000) {
            for (month, day) in (0..14).flat_map(|month| (0..33).map(move |day| (month, day))) {
                let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
                let expected = date.map(|date| i64::from(date.to_epoch_days()));
                assert_eq!(days_since_epoch(year, month, day), expected, "{year}-{month}-{day}");
            }
        }
    }
}
