//! A range that cuts an hour.
//!
//! Owns which sums and which records the wanted part of an hour is made of: as few
//! records as its arrangement allows. Invariant: the sums, those taken away among them,
//! and what the records that are looked at have inside of their ranges come to the wanted
//! part, to the millisecond.

use std::ops::Range;

use crate::buckets::fetch::fetch_all;
use crate::buckets::hour::{EIGHTH_MS, Hour, Part};
use crate::buckets::record::{HOUR, Mark};
use crate::buckets::records::Records;
use crate::buckets::totals::Sign;
use crate::buckets::whole::Cover;

const QUARTER_MS: u32 = 2 * EIGHTH_MS;

/// Records that are looked at one by one, for those of a range.
pub(super) struct Scan<'a> {
    parts: &'a [Part],
    /// Milliseconds of the hour.
    pub(super) ms: Range<u32>,
    pub(super) sign: Sign,
}

/// More are never needed: a range cuts two hours at one place each, or one at two.
pub(super) const SCANS_MAX: usize = 4;

impl Hour {
    /// Covers a part of this hour.
    pub(super) fn cover<'a>(&'a self, ms: Range<u32>, cover: &mut Cover<'a>, scans: &mut Vec<Scan<'a>>) {
        let (_, eighths, _) = self.arranged();
        if eighths.is_empty() || !is_more_than_half(&ms, &(0..HOUR)) {
            return self.cover_short(ms, Sign::Plus, cover, scans);
        }
        // The rest of the hour is less to look at.
        cover.push((&self.sums, Sign::Plus));
        for rest in rests(&ms, &(0..HOUR)) {
            self.cover_short(rest, Sign::Minus, cover, scans);
        }
    }

    fn cover_short<'a>(
        &'a self,
        ms: Range<u32>,
        sign: Sign,
        cover: &mut Cover<'a>,
        scans: &mut Vec<Scan<'a>>,
    ) {
        let (mixed, eighths, quarters) = self.arranged();
        scans.push(Scan { parts: std::slice::from_ref(mixed), ms: ms.clone(), sign });
        if eighths.is_empty() {
            return;
        }
        let mut scan = |ms: Range<u32>, sign| {
            let near = (ms.start / EIGHTH_MS) as usize..ms.end.div_ceil(EIGHTH_MS) as usize;
            scans.push(Scan { parts: &eighths[near], ms, sign });
        };
        let Some(quarters) = quarters else { return scan(ms, sign) };
        for (first, sums) in (0..).step_by(QUARTER_MS as usize).zip(quarters) {
            let quarter = first..first + QUARTER_MS;
            let inside = ms.start.max(quarter.start)..ms.end.min(quarter.end);
            if is_more_than_half(&inside, &quarter) {
                cover.push((sums, sign));
                rests(&inside, &quarter).for_each(|rest| scan(rest, sign.other()));
            } else if !inside.is_empty() {
                scan(inside, sign);
            }
        }
    }
}

fn is_more_than_half(part: &Range<u32>, whole: &Range<u32>) -> bool {
    !part.is_empty() && 2 * (part.end - part.start) > whole.end - whole.start
}

/// What a part leaves of the whole.
fn rests(part: &Range<u32>, whole: &Range<u32>) -> impl Iterator<Item = Range<u32>> {
    [whole.start..part.start, part.end..whole.end].into_iter().filter(|rest| !rest.is_empty())
}

impl<'a> Scan<'a> {
    /// The marks of all records that may be of the range, and others, block by block.
    pub(super) fn marks(&self, records: &'a Records) -> impl Iterator<Item = &'a [Mark]> {
        self.parts.iter().flat_map(|part| part.marks(records))
    }

    /// Has fetched which blocks there are, for [`Self::fetch_blocks`].
    pub(super) fn fetch_parts(&self) {
        fetch_all(self.parts);
    }

    /// Has fetched where they are, for [`Self::fetch_marks`].
    pub(super) fn fetch_blocks(&self) {
        self.parts.iter().for_each(Part::fetch_blocks);
    }

    /// Has fetched what [`Self::marks`] tells.
    pub(super) fn fetch_marks(&self, records: &Records) {
        self.marks(records).for_each(fetch_all);
    }
}
