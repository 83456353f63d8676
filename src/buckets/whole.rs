//! A bucket of whole hours, and how little covers a part of it.
//!
//! Owns the choice between adding up what is wanted and taking away what is not. Invariant:
//! the sums that are chosen, those taken away among them, come to the part that is wanted.

use std::ops::Range;

use crate::buckets::sums::Sums;
use crate::buckets::totals::Sign;

/// The sums that a range is made of.
pub(super) type Cover<'a> = Vec<(&'a Sums, Sign)>;

/// A bucket that is made of smaller ones.
pub(super) struct Whole<'a> {
    pub(super) hours: Range<i64>,
    pub(super) sums: &'a Sums,
}

impl<'a> Whole<'a> {
    /// Covers what of it is wanted: by its parts, or, where that is more than half of it,
    /// by all of it less the rest.
    pub(super) fn cover(
        &self,
        wanted: &Range<i64>,
        sign: Sign,
        cover: &mut Cover<'a>,
        by_parts: impl Fn(&Range<i64>, Sign, &mut Cover<'a>),
    ) {
        let Range { start, end } = self.hours;
        let inside = start.max(wanted.start)..end.min(wanted.end);
        if inside.is_empty() || self.sums.is_empty() {
            return;
        }
        if 2 * (inside.end - inside.start) <= end - start {
            return by_parts(&inside, sign, cover);
        }
        cover.push((self.sums, sign));
        for rest in [start..inside.start, inside.end..end] {
            if !rest.is_empty() {
                by_parts(&rest, sign.other(), cover);
            }
        }
    }
}
