//! A part of the index: places by the hash of their room's id.
//!
//! Owns how places lie in memory. A shard is a row of lines, each as long as a line of the
//! processor's memory and with twelve places, so that a look at a room costs one far look. A hash has
//! one line that it belongs to; where that one is full the place stands in the next that is not.
//! A line knows how many places were led past it, so a search ends at the first line that
//! none was, and a removal leaves no marks behind. (The idea of such a count is from
//! Facebook's F14 tables.)
//! Invariant: a place stands in its hash's line, or behind it with every line between full when
//! it came and each of them counting it.

use prefetch_index::prefetch_index;

use crate::buckets::Place;

const LINE_PLACES: usize = 12;
/// Seven of eight places may be in use: fewer take more memory, more make a search look at more lines.
const FULL: (usize, usize) = (7, 8);

/// Places, and eight bits of each hash.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line {
    places: [Place; LINE_PLACES],
    tags: [u8; LINE_PLACES],
    /// How many of the places are in use; those are the first ones.
    used: u8,
    /// How many places stand in a later line since this one was full.
    passed: u16,
}

const EMPTY: Line =
    Line { places: [Place::NOWHERE; LINE_PLACES], tags: [0; LINE_PLACES], used: 0, passed: 0 };

/// Places by hash.
#[derive(Debug, Default)]
pub(super) struct Shard {
    lines: Box<[Line]>,
    places: usize,
}

/// Where a place stands in a shard.
#[derive(Debug, Clone, Copy)]
struct Spot {
    line: usize,
    at: usize,
}

impl Line {
    /// Where a place with this tag may stand.
    #[inline]
    fn with_tag(&self, tag: u8) -> impl Iterator<Item = usize> + use<> {
        let mut found: u16 = 0;
        // All of them at a time, which the compiler makes one comparison of.
        for (at, &other) in self.tags.iter().enumerate() {
            found |= u16::from(other == tag) << at;
        }
        found &= (1 << self.used) - 1;
        std::iter::from_fn(move || {
            let at = found.trailing_zeros();
            found &= found.wrapping_sub(1);
            (at < u16::BITS).then_some(at as usize)
        })
    }

    fn used(&self) -> usize {
        usize::from(self.used).min(LINE_PLACES)
    }

    fn is_full(&self) -> bool {
        self.used() == LINE_PLACES
    }
}

impl Shard {
    /// The place that stands for this hash and is the one, if any.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(Place) -> bool) -> Option<Place> {
        self.spot(hash, is_it).map(|Spot { line, at }| self.lines[line].places[at])
    }

    /// The same, to be changed.
    pub(super) fn find_mut(&mut self, hash: u64, is_it: impl FnMut(Place) -> bool) -> Option<&mut Place> {
        let Spot { line, at } = self.spot(hash, is_it)?;
        Some(&mut self.lines[line].places[at])
    }

    /// A place that may stand for this hash: a guess that looks at its line alone.
    #[inline]
    pub(super) fn guess(&self, hash: u64) -> Option<Place> {
        let line = self.lines.get(self.home(hash))?;
        line.with_tag(tag(hash)).next().map(|at| line.places[at])
    }

    /// Has the line of this hash fetched.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        prefetch_index(&*self.lines, self.home(hash));
    }

    /// Adds a place that does not stand for this hash yet; `hash_of` tells those of others when
    /// the shard has to grow.
    pub(super) fn insert(&mut self, hash: u64, place: Place, hash_of: impl Fn(Place) -> u64) {
        if self.is_full() {
            self.grow(self.lines.len() * 2, hash_of);
        }
        self.put(hash, place);
    }

    /// Takes away a place that stands for this hash; whether it did.
    pub(super) fn remove(&mut self, hash: u64, place: Place) -> bool {
        let Some(Spot { line, at }) = self.spot(hash, |other| other == place) else { return false };
        let Line { places, tags, used, .. } = &mut self.lines[line];
        *used -= 1;
        let last = usize::from(*used);
        (places[at], tags[at]) = (places[last], tags[last]);
        let mut passed = self.home(hash);
        while passed != line {
            let count = &mut self.lines[passed].passed;
            // One that has come to its end counts no more.
            *count = if *count == u16::MAX { *count } else { *count - 1 };
            passed = self.behind(passed);
        }
        self.places -= 1;
        true
    }

    /// Makes so much room that this many more places need not make it grow.
    pub(super) fn reserve(&mut self, more: usize, hash_of: impl Fn(Place) -> u64) {
        let lines = (self.places + more).saturating_mul(FULL.1).div_ceil(FULL.0 * LINE_PLACES);
        if lines > self.lines.len() {
            self.grow(lines, hash_of);
        }
    }

    /// Whether it grows with the next place.
    pub(super) fn is_full(&self) -> bool {
        self.places >= self.lines.len() * LINE_PLACES * FULL.0 / FULL.1
    }

    /// How many more places make it grow.
    pub(super) fn free(&self) -> usize {
        (self.lines.len() * LINE_PLACES * FULL.0 / FULL.1).saturating_sub(self.places)
    }

    pub(super) fn len(&self) -> usize {
        self.places
    }

    /// All places, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Place> {
        self.lines.iter().flat_map(|line| &line.places[..line.used()]).copied()
    }

    fn grow(&mut self, lines: usize, hash_of: impl Fn(Place) -> u64) {
        let grown = vec![EMPTY; lines.max(1)].into_boxed_slice();
        let before = std::mem::replace(&mut self.lines, grown);
        self.places = 0;
        for line in &before {
            line.places[..line.used()].iter().for_each(|&place| self.put(hash_of(place), place));
        }
    }

    /// Adds a place where there is one free.
    fn put(&mut self, hash: u64, place: Place) {
        let mut at = self.home(hash);
        while self.lines[at].is_full() {
            self.lines[at].passed = self.lines[at].passed.saturating_add(1);
            at = self.behind(at);
        }
        let Line { places, tags, used, .. } = &mut self.lines[at];
        (places[usize::from(*used)], tags[usize::from(*used)]) = (place, tag(hash));
        *used += 1;
        self.places += 1;
    }

    #[inline]
    fn spot(&self, hash: u64, mut is_it: impl FnMut(Place) -> bool) -> Option<Spot> {
        let tag = tag(hash);
        let mut line = self.home(hash);
        // Places may have been led past every line, though none is full now.
        for _ in 0..self.lines.len() {
            let here = &self.lines[line];
            if let Some(at) = here.with_tag(tag).find(|&at| is_it(here.places[at])) {
                return Some(Spot { line, at });
            }
            if here.passed == 0 {
                break;
            }
            line = self.behind(line);
        }
        None
    }

    /// The line that a hash belongs to.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "less than the number of lines")]
    fn home(&self, hash: u64) -> usize {
        (((hash & u64::from(u32::MAX)) * self.lines.len() as u64) >> u32::BITS) as usize
    }

    fn behind(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() { 0 } else { line + 1 }
    }
}

/// Bits of a hash that choose neither its shard nor its line.
#[inline]
fn tag(hash: u64) -> u8 {
    hash.to_be_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_a_line_of_memory() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }

    /// Few lines are the home of many, and few tags tell them apart.
    fn hash(number: u32) -> u64 {
        u64::from(number % 3) << 61 | u64::from(number % 5) << 30
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_places(steps in prop::collection::vec((any::<bool>(), 0_u32..120), 1..400)) {
            let (mut shard, mut expected) = (Shard::default(), std::collections::BTreeSet::new());
            for (adds, number) in steps {
                let place = Place::numbered(number);
                let is_there = shard.find(hash(number), |other| other == place).is_some();
                prop_assert_eq!(is_there, expected.contains(&place));
                if adds && !is_there {
                    shard.insert(hash(number), place, |place| hash(place.number()));
                    expected.insert(place);
                } else if !adds {
                    prop_assert_eq!(shard.remove(hash(number), place), expected.remove(&place));
                }
                prop_assert_eq!(shard.len(), expected.len());
            }
            prop_assert!(shard.iter().collect::<std::collections::BTreeSet<_>>() == expected);
            for place in expected {
                prop_assert!(shard.remove(hash(place.number()), place));
            }
            prop_assert!(shard.lines.iter().all(|line| line.used == 0 && line.passed == 0));
        }
    }

    #[test]
    fn a_reserved_shard_does_not_grow() {
        let mut shard = Shard::default();
        shard.reserve(1_000, |_| 0);
        let lines = shard.lines.len();
        (0..1_000).for_each(|number| shard.insert(hash(number), Place::numbered(number), |_| 0));
        assert_eq!((shard.lines.len(), shard.len()), (lines, 1_000));
    }
}
