//! Spans of 32 days, their days, and the hours of those.
//!
//! Owns the way from an hour's number to the hour, and which of the three levels
//! covers a range. Invariant: what holds no room is not there, at any level.

use std::ops::Range;

use crate::buckets::Count;
use crate::buckets::hour::Hour;
use crate::buckets::records::{HourNumber, Place, Records};
use crate::buckets::shares::Shares;
use crate::buckets::sums::Sums;

const DAY_HOURS: i64 = 24;
const SPAN_DAYS: i64 = 32;
pub(super) const SPAN_HOURS: i64 = SPAN_DAYS * DAY_HOURS;

impl HourNumber {
    /// The number of the span that the hour belongs to.
    pub(super) fn span(self) -> i64 {
        self.0.div_euclid(SPAN_HOURS)
    }

    /// Which day of its span, and which hour of that day.
    fn inside_span(self) -> (usize, usize) {
        let hour = self.0.rem_euclid(SPAN_HOURS);
        let [day, hour] = [hour / DAY_HOURS, hour % DAY_HOURS].map(|n| usize::try_from(n).unwrap_or(0));
        (day, hour)
    }
}

#[derive(Debug, Default)]
pub(super) struct Span {
    sums: Sums,
    days: [Option<Box<Day>>; 32],
}

#[derive(Debug, Default)]
pub(super) struct Day {
    sums: Sums,
    hours: [Option<Box<Hour>>; 24],
}

impl Span {
    pub(super) fn is_empty(&self) -> bool {
        self.days.iter().all(Option::is_none)
    }

    /// Adds up the rooms of all hours, from none on; the span begins with the hour
    /// `first`.
    pub(super) fn sum_up(&mut self, records: &Records, first: i64, shares: &mut Shares) {
        for (first, day) in (first..).step_by(24).zip(&mut self.days) {
            let Some(day) = day else { continue };
            for (number, hour) in (first..).zip(&mut day.hours) {
                let Some(hour) = hour else { continue };
                shares.fill(hour.each(records).map(|record| record.room(HourNumber(number))));
                hour.sums.add_shares(shares);
                day.sums.add_shares(shares);
                self.sums.add_shares(shares);
            }
        }
    }

    /// The hour, which is there then and must not stay without a room. The sums are the
    /// caller's to keep.
    pub(super) fn hour_mut(&mut self, number: HourNumber) -> &mut Hour {
        let (day, hour) = number.inside_span();
        let day = self.days[day].get_or_insert_default();
        day.hours[hour].get_or_insert_default()
    }

    /// Removes the record from its hour, see [`Hour::remove`].
    pub(super) fn remove(&mut self, records: &mut Records, number: HourNumber, hole: Place) -> Option<Place> {
        let (day_at, hour_at) = number.inside_span();
        let day = self.days[day_at].as_mut()?;
        let hour = day.hours[hour_at].as_mut()?;
        let from = hour.remove(records, hole);
        if hour.rooms() == 0 {
            day.hours[hour_at] = None;
            if day.hours.iter().all(Option::is_none) {
                self.days[day_at] = None;
            }
        }
        from
    }

    /// The sums on the way to an hour that is there, coarsest first.
    pub(super) fn each_sums(&mut self, number: HourNumber, mut each: impl FnMut(&mut Sums)) {
        let (day, hour) = number.inside_span();
        each(&mut self.sums);
        if let Some(day) = &mut self.days[day] {
            each(&mut day.sums);
            if let Some(hour) = &mut day.hours[hour] {
                each(&mut hour.sums);
            }
        }
    }

    pub(super) fn hour(&self, number: HourNumber) -> Option<&Hour> {
        let (day, hour) = number.inside_span();
        self.days[day].as_ref()?.hours[hour].as_deref()
    }

    /// All hours in order; the span begins with the hour `first`.
    pub(super) fn hours(&self, first: i64) -> impl Iterator<Item = (HourNumber, &Hour)> {
        self.days_from(first).flat_map(|(first, day)| day.hours_from(first))
    }

    fn days_from(&self, first: i64) -> impl Iterator<Item = (i64, &Day)> {
        let days = (0..).zip(&self.days);
        days.filter_map(move |(day, below)| Some((first + day * DAY_HOURS, below.as_deref()?)))
    }

    /// Calls `sum` with the fewest sums that, added up, make the part of the span
    /// that lies in the range; the span begins with the hour `first`. Where more
    /// than half of a bucket is wanted, what is not is taken from its sum.
    pub(super) fn cover(&self, first: i64, hours: &Range<i64>, sum: &mut impl FnMut(&Sums, Sign)) {
        let whole = first..first + SPAN_HOURS;
        let inside = common(&whole, hours);
        if !is_more_than_half(&inside, &whole) {
            return self.cover_days(first, &inside, Sign::Plus, sum);
        }
        sum(&self.sums, Sign::Plus);
        self.cover_days(first, &(whole.start..inside.start), Sign::Minus, sum);
        self.cover_days(first, &(inside.end..whole.end), Sign::Minus, sum);
    }

    fn cover_days(&self, first: i64, hours: &Range<i64>, sign: Sign, sum: &mut impl FnMut(&Sums, Sign)) {
        if hours.is_empty() {
            return;
        }
        for (first, day) in self.days_from(first) {
            let inside = common(&(first..first + DAY_HOURS), hours);
            if !inside.is_empty() {
                day.cover(first, &inside, sign, sum);
            }
        }
    }
}

impl Day {
    fn cover(&self, first: i64, inside: &Range<i64>, sign: Sign, sum: &mut impl FnMut(&Sums, Sign)) {
        let is_taken_from = is_more_than_half(inside, &(first..first + DAY_HOURS));
        if is_taken_from {
            sum(&self.sums, sign);
        }
        let hour_sign = if is_taken_from { sign.other() } else { sign };
        for (number, hour) in self.hours_from(first) {
            if inside.contains(&number.0) != is_taken_from {
                sum(&hour.sums, hour_sign);
            }
        }
    }

    fn hours_from(&self, first: i64) -> impl Iterator<Item = (HourNumber, &Hour)> {
        let hours = (first..).zip(&self.hours);
        hours.filter_map(|(number, hour)| Some((HourNumber(number), hour.as_deref()?)))
    }
}

/// Whether a sum is added or taken away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    fn other(self) -> Self {
        match self {
            Self::Plus => Self::Minus,
            Self::Minus => Self::Plus,
        }
    }

    /// The count as it goes into the sum.
    pub(super) fn of(self, count: Count) -> Count {
        match self {
            Self::Plus => count,
            Self::Minus => Count { rooms: -count.rooms, waiting: -count.waiting },
        }
    }
}

fn common(one: &Range<i64>, other: &Range<i64>) -> Range<i64> {
    one.start.max(other.start)..one.end.min(other.end)
}

fn is_more_than_half(part: &Range<i64>, whole: &Range<i64>) -> bool {
    2 * (part.end - part.start) > whole.end - whole.start
}
