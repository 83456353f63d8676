//! The rooms that every program of this folder speaks of: the same ones in every run.
//!
//! Owns a room's id, department and creation time by its number. Invariant: ids have 17
//! letters and are scattered, as Rocket.Chat's are; rooms lie evenly over one year, each in a
//! department drawn by lot.

#![allow(dead_code, reason = "no program of this folder needs all of it")]

pub(crate) mod records;

use roomtally::room::Timestamp;

/// When the year begins.
pub(crate) const BEGIN_MS: i64 = 1_735_689_600_000;
/// How long it is.
pub(crate) const YEAR_MS: i64 = 365 * 86_400_000;

const LETTERS: &[u8; 55] = b"23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz";
/// What departments are numbered from, so that no room has the id of one.
const DEPARTMENTS_FROM: u64 = 1 << 60;

/// A number that looks drawn by lot, another one for each (the last step of
/// Steele, Lea and Flood's `SplitMix64`).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A room's id.
pub(crate) fn id(number: u64) -> [u8; 17] {
    let mut id = [0; 17];
    let (first, last) = id.split_at_mut(9);
    for (letters, mut mixed) in [(first, mixed(number)), (last, mixed(number | 1 << 61))] {
        for letter in letters {
            *letter = LETTERS[usize::try_from(mixed % 55).unwrap_or(0)];
            mixed /= 55;
        }
    }
    id
}

/// Which rooms there are.
#[derive(Clone, Copy)]
pub(crate) struct Rooms {
    /// How many share the year.
    pub(crate) count: u64,
    /// How many departments share them.
    pub(crate) departments: u64,
    /// Whether they come in any order, and not in that of their creation.
    pub(crate) is_scattered: bool,
}

impl Rooms {
    /// The number of the department that a room is in.
    pub(crate) fn department_of(self, room: u64) -> u64 {
        mixed(!mixed(room)) % self.departments
    }

    /// When a room was created.
    pub(crate) fn created(self, room: u64) -> Timestamp {
        let year = YEAR_MS.unsigned_abs();
        let place = if self.is_scattered {
            mixed(mixed(room) ^ 1) % year
        } else {
            let share = u128::from(room) * u128::from(year) / u128::from(self.count.max(1));
            u64::try_from(share).unwrap_or(year)
        };
        Timestamp::from_millis(BEGIN_MS + place.cast_signed())
    }
}

/// The id of the department with this number.
pub(crate) fn department(number: u64) -> [u8; 17] {
    id(DEPARTMENTS_FROM + number)
}

/// Random ranges of the year, from the earlier of two instants to the later.
pub(crate) fn ranges(seed: u64) -> impl Iterator<Item = (i64, i64)> {
    let instant = |dice: u64| BEGIN_MS + (mixed(dice) % YEAR_MS.unsigned_abs()).cast_signed();
    (seed..).map(move |number| {
        let (one, other) = (instant(number * 2 + 1), instant(number * 2 + 2));
        (one.min(other), one.max(other))
    })
}
