//! The names of all departments, by slot.
//!
//! Owns them in pages that never move, so that an answer names its rows without copying a
//! name, and is written while names are added. Beside each stands what whoever writes an
//! answer would else find out for every row again. Invariant: a slot's name never changes.

use std::sync::{Arc, OnceLock};

use crate::room::DepartmentSlot;

/// The first page has so many names, each further one twice as many as the one before.
const FIRST_PAGE: usize = 64;
/// All slots that 32 bits number.
const PAGES: usize = 27;

/// Names by slot; that of slot 0, which stands for none, is never there.
#[derive(Debug)]
pub(super) struct Names([OnceLock<Page>; PAGES]);

type Page = Box<[OnceLock<Name>]>;

/// A department's name.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    /// The same once more where an answer comes by, unless it is long or has to be escaped.
    pub(super) near: Option<NearName>,
}

/// A name of at most 30 bytes that JSON writes as it stands, between quotes. It stands in the
/// table itself, so that an answer of many rows does not wait for each name's own memory, and
/// in a piece of fixed size, which is copied in two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NearName {
    length: u8,
    bytes: [u8; NearName::BYTES],
}

impl NearName {
    /// Bytes of the longest one.
    pub const BYTES: usize = 30;

    /// None if the name is longer or has to be escaped.
    pub fn of(name: &str) -> Option<Self> {
        let is_plain = name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        let mut bytes = [0; Self::BYTES];
        bytes.get_mut(..name.len()).filter(|_| is_plain)?.copy_from_slice(name.as_bytes());
        Some(Self { length: name.len().try_into().ok()?, bytes })
    }

    /// Its bytes, with zeros behind them.
    pub fn bytes(&self) -> &[u8; Self::BYTES] {
        &self.bytes
    }

    /// How many bytes it has.
    pub fn length(&self) -> usize {
        self.length.into()
    }
}

impl Default for Names {
    fn default() -> Self {
        Self([const { OnceLock::new() }; PAGES])
    }
}

impl Names {
    /// The department's name, if it has one.
    pub(super) fn get(&self, slot: DepartmentSlot) -> Option<&Name> {
        let (page, at) = place(slot);
        self.0.get(page)?.get()?.get(at)?.get()
    }

    /// Gives a slot its name, once.
    pub(super) fn set(&self, slot: DepartmentSlot, text: Arc<str>) {
        let (page, at) = place(slot);
        let name = Name { near: NearName::of(&text), text };
        let names = self.0[page].get_or_init(|| (0..FIRST_PAGE << page).map(|_| OnceLock::new()).collect());
        let is_new = names[at].set(name).is_ok();
        debug_assert!(is_new, "a department was named twice");
    }
}

/// The page of a slot, and its place there.
fn place(slot: DepartmentSlot) -> (usize, usize) {
    let number = slot.0 as usize + FIRST_PAGE;
    let page = (number / FIRST_PAGE).ilog2();
    (page as usize, number - (FIRST_PAGE << page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        let names = Names::default();
        for number in 1..100_000 {
            assert!(names.get(DepartmentSlot(number)).is_none());
            names.set(DepartmentSlot(number), number.to_string().into());
        }
        for number in 1..100_000 {
            let name = names.get(DepartmentSlot(number)).map(|name| name.text.to_string());
            assert_eq!(name, Some(number.to_string()));
        }
        assert!(names.get(DepartmentSlot(0)).is_none());
        assert_eq!(place(DepartmentSlot(u32::MAX)).0, PAGES - 1);
    }
}
