//! What stands between an hour and all of time.
//!
//! Owns the levels of sums and which of them cover a range: hours, quarters of a day,
//! days, 8 days, 64 days, 512 days. Each level has 4 to 8 of the one below, so that few
//! sums cover any range. Invariant: what holds no room is not there, at any level.

use std::ops::Range;

use crate::buckets::hour::Hour;
use crate::buckets::record::HourNumber;
use crate::buckets::records::{Place, Records};
use crate::buckets::shares::Shares;
use crate::buckets::sums::Sums;
use crate::buckets::totals::Sign;
use crate::buckets::whole::{Cover, Whole};
use crate::room::{DepartmentSlot, Room};

const QUARTER_HOURS: i64 = 6;
const DAY_HOURS: i64 = 24;
const EIGHT_DAYS_HOURS: i64 = 8 * DAY_HOURS;
const SPAN_HOURS: i64 = 64 * DAY_HOURS;
pub(super) const ERA_HOURS: i64 = 512 * DAY_HOURS;

/// Where an hour stands: in which span of its era, which day of that, which hour of that.
#[derive(Clone, Copy)]
struct Address {
    span: usize,
    day: usize,
    hour: usize,
}

impl HourNumber {
    /// The number of the era that the hour belongs to.
    pub(super) fn era(self) -> i64 {
        self.0.div_euclid(ERA_HOURS)
    }

    fn address(self) -> Address {
        let inside = |whole, part| usize::try_from(self.0.rem_euclid(whole) / part).unwrap_or(0);
        Address {
            span: inside(ERA_HOURS, SPAN_HOURS),
            day: inside(SPAN_HOURS, DAY_HOURS),
            hour: inside(DAY_HOURS, 1),
        }
    }
}

/// 512 days.
#[derive(Debug, Default)]
pub(super) struct Era {
    sums: Sums,
    spans: [Option<Box<Span>>; 8],
}

/// 64 days.
#[derive(Debug)]
struct Span {
    sums: Sums,
    eight_days: [Sums; 8],
    days: [Option<Box<Day>>; 64],
}

#[derive(Debug, Default)]
struct Day {
    sums: Sums,
    quarters: [Sums; 4],
    hours: [Option<Box<Hour>>; 24],
}

impl Default for Span {
    fn default() -> Self {
        Self { sums: Sums::default(), eight_days: Default::default(), days: [const { None }; 64] }
    }
}

impl Era {
    pub(super) fn is_empty(&self) -> bool {
        self.spans.iter().all(Option::is_none)
    }

    /// Adds up the rooms of all hours, from none on.
    pub(super) fn sum_up(&mut self, records: &Records, shares: &mut Shares) {
        for span in self.spans.iter_mut().flatten() {
            span.sum_up(records, shares);
            self.sums.add_all(&span.sums);
        }
    }

    /// The hour, which is there then and must not stay without a room. The sums are the
    /// caller's to keep.
    pub(super) fn hour_mut(&mut self, number: HourNumber) -> &mut Hour {
        let Address { span, day, hour } = number.address();
        let span = self.spans[span].get_or_insert_default();
        let day = span.days[day].get_or_insert_default();
        day.hours[hour].get_or_insert_default()
    }

    /// Adds a room to all sums above its hour, which is there then.
    #[inline]
    pub(super) fn add(&mut self, number: HourNumber, room: Room) -> &mut Hour {
        let Address { span, day, hour } = number.address();
        self.sums.add(room);
        let span = self.spans[span].get_or_insert_default();
        span.sums.add(room);
        span.eight_days[day / 8].add(room);
        let day = span.days[day].get_or_insert_default();
        day.sums.add(room);
        day.quarters[hour / 6].add(room);
        day.hours[hour].get_or_insert_default()
    }

    /// Removes the record from its hour, see [`Hour::remove`].
    pub(super) fn remove(&mut self, records: &mut Records, number: HourNumber, hole: Place) -> Option<Place> {
        let Address { span: span_at, day: day_at, hour: hour_at } = number.address();
        let span = self.spans[span_at].as_mut()?;
        let day = span.days[day_at].as_mut()?;
        let hour = day.hours[hour_at].as_mut()?;
        let from = hour.remove(records, hole);
        if hour.rooms() == 0 {
            day.hours[hour_at] = None;
            if day.hours.iter().all(Option::is_none) {
                span.days[day_at] = None;
                if span.days.iter().all(Option::is_none) {
                    self.spans[span_at] = None;
                }
            }
        }
        from
    }

    /// The sums on the way to a part of an hour that is there, coarsest first.
    #[inline]
    pub(super) fn each_sums(&mut self, number: HourNumber, part: u8, mut each: impl FnMut(&mut Sums)) {
        let Address { span, day, hour } = number.address();
        each(&mut self.sums);
        let Some(span) = &mut self.spans[span] else { return };
        each(&mut span.sums);
        each(&mut span.eight_days[day / 8]);
        let Some(day) = &mut span.days[day] else { return };
        each(&mut day.sums);
        each(&mut day.quarters[hour / 6]);
        if let Some(hour) = &mut day.hours[hour] {
            hour.each_sums(part, each);
        }
    }

    pub(super) fn hour(&self, number: HourNumber) -> Option<&Hour> {
        let Address { span, day, hour } = number.address();
        self.spans[span].as_ref()?.days[day].as_ref()?.hours[hour].as_deref()
    }

    /// Has what a department's room adds to fetched; coarser sums are few and near.
    pub(super) fn fetch_sums(&self, number: HourNumber, department: DepartmentSlot) {
        let Address { span, day, hour } = number.address();
        let Some(day) = self.spans[span].as_ref().and_then(|span| span.days[day].as_ref()) else { return };
        day.sums.fetch(department);
        day.quarters[hour / 6].fetch(department);
        if let Some(hour) = &day.hours[hour] {
            hour.sums.fetch(department);
        }
    }

    /// The hours from this one on, in order; the era begins with the hour `first`. What
    /// lies before is passed over by spans and days.
    pub(super) fn hours_from(
        &self,
        first: i64,
        from: HourNumber,
    ) -> impl Iterator<Item = (HourNumber, &Hour)> {
        let ends_behind = move |first: i64, hours: i64| first + hours > from.0;
        let spans = there(first, SPAN_HOURS, &self.spans);
        let days = spans
            .filter(move |&(first, _)| ends_behind(first, SPAN_HOURS))
            .flat_map(|(first, span)| there(first, DAY_HOURS, &span.days));
        let hours = days
            .filter(move |&(first, _)| ends_behind(first, DAY_HOURS))
            .flat_map(|(first, day)| there(first, 1, &day.hours));
        hours.filter(move |&(number, _)| number >= from.0).map(|(number, hour)| (HourNumber(number), hour))
    }

    /// The last hour; the era begins with the hour `first`.
    pub(super) fn last_hour(&self, first: i64) -> Option<(HourNumber, &Hour)> {
        let (first, span) = there(first, SPAN_HOURS, &self.spans).next_back()?;
        let (first, day) = there(first, DAY_HOURS, &span.days).next_back()?;
        let (number, hour) = there(first, 1, &day.hours).next_back()?;
        Some((HourNumber(number), hour))
    }

    /// Adds to `cover` few sums that, added up, make the part of the era that lies
    /// in the range; the era begins with the hour `first`.
    pub(super) fn cover<'a>(&'a self, first: i64, wanted: &Range<i64>, sign: Sign, cover: &mut Cover<'a>) {
        Whole { hours: first..first + ERA_HOURS, sums: &self.sums }.cover(
            wanted,
            sign,
            cover,
            |wanted, sign, cover| {
                for (first, at) in parts_in(wanted, first, SPAN_HOURS, self.spans.len()) {
                    let Some(span) = &self.spans[at] else { continue };
                    span.cover(first, wanted, sign, cover);
                }
            },
        );
    }
}

impl Span {
    fn sum_up(&mut self, records: &Records, shares: &mut Shares) {
        for (at, day) in self.days.iter_mut().enumerate() {
            let Some(day) = day else { continue };
            day.sum_up(records, shares);
            self.eight_days[at / 8].add_all(&day.sums);
        }
        let Self { sums, eight_days, .. } = self;
        eight_days.iter().for_each(|days| sums.add_all(days));
    }

    fn cover<'a>(&'a self, first: i64, wanted: &Range<i64>, sign: Sign, cover: &mut Cover<'a>) {
        Whole { hours: first..first + SPAN_HOURS, sums: &self.sums }.cover(
            wanted,
            sign,
            cover,
            |wanted, sign, cover| {
                for (first, at) in parts_in(wanted, first, EIGHT_DAYS_HOURS, self.eight_days.len()) {
                    let hours = first..first + EIGHT_DAYS_HOURS;
                    let (whole, days) = (Whole { hours, sums: &self.eight_days[at] }, &self.days[8 * at..]);
                    whole.cover(wanted, sign, cover, |wanted, sign, cover| {
                        for (first, at) in parts_in(wanted, first, DAY_HOURS, 8) {
                            let Some(day) = &days[at] else { continue };
                            day.cover(first, wanted, sign, cover);
                        }
                    });
                }
            },
        );
    }
}

impl Day {
    fn sum_up(&mut self, records: &Records, shares: &mut Shares) {
        for (at, hour) in self.hours.iter_mut().enumerate() {
            let Some(hour) = hour else { continue };
            shares.fill(hour.marks(records));
            hour.sums.add_shares(shares);
            self.quarters[at / 6].add_shares(shares);
            if hour.wants_quarters() {
                hour.sum_up_quarters(records, shares);
            }
        }
        let Self { sums, quarters, .. } = self;
        quarters.iter().for_each(|quarter| sums.add_all(quarter));
    }

    fn cover<'a>(&'a self, first: i64, wanted: &Range<i64>, sign: Sign, cover: &mut Cover<'a>) {
        Whole { hours: first..first + DAY_HOURS, sums: &self.sums }.cover(
            wanted,
            sign,
            cover,
            |wanted, sign, cover| {
                for (first, at) in parts_in(wanted, first, QUARTER_HOURS, self.quarters.len()) {
                    let hours = first..first + QUARTER_HOURS;
                    let (whole, hours) = (Whole { hours, sums: &self.quarters[at] }, &self.hours[6 * at..]);
                    whole.cover(wanted, sign, cover, |wanted, sign, cover| {
                        let inside = parts_in(wanted, first, 1, 6).filter_map(|(_, at)| hours[at].as_deref());
                        cover.extend(inside.map(|hour| (&hour.sums, sign)));
                    });
                }
            },
        );
    }
}

/// The first hours and the numbers of those parts that have a share in the range: there are
/// `count` of them, of so many hours each, from the hour `first` on.
#[inline]
fn parts_in(
    wanted: &Range<i64>,
    first: i64,
    hours: i64,
    count: usize,
) -> impl Iterator<Item = (i64, usize)> + use<> {
    let behind = |end: i64| usize::try_from(end.max(first) - first).unwrap_or(count);
    let hours_each = usize::try_from(hours).unwrap_or(1);
    let (begin, end) = (behind(wanted.start) / hours_each, behind(wanted.end).div_ceil(hours_each));
    let number = move |at: usize| first + i64::try_from(at).unwrap_or(i64::MAX) * hours;
    (begin.min(count)..end.min(count)).map(move |at| (number(at), at))
}

/// Those that are there, each with the number of its first hour.
fn there<T>(first: i64, hours: i64, parts: &[Option<Box<T>>]) -> impl DoubleEndedIterator<Item = (i64, &T)> {
    let number = move |at: usize| first + i64::try_from(at).unwrap_or(i64::MAX) * hours;
    let numbered = parts.iter().enumerate();
    numbered.filter_map(move |(at, part)| Some((number(at), part.as_deref()?)))
}
