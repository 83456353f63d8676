//! The names of all departments, by slot.
//!
//! Owns them in pages that never move, so that an answer names its rows without copying a
//! name, and is written while names are added. Invariant: a slot's name never changes.

use std::sync::{Arc, OnceLock};

use crate::room::DepartmentSlot;

/// The first page has so many names, each further one twice as many as the one before.
const FIRST_PAGE: usize = 64;
/// All slots that 32 bits number.
const PAGES: usize = 27;

/// Names by slot; that of slot 0, which stands for none, is never there.
#[derive(Debug)]
pub(super) struct Names([OnceLock<Page>; PAGES]);

type Page = Box<[OnceLock<Arc<str>>]>;

impl Default for Names {
    fn default() -> Self {
        Self([const { OnceLock::new() }; PAGES])
    }
}

impl Names {
    /// The department's name, if it has one.
    pub(super) fn get(&self, slot: DepartmentSlot) -> Option<&Arc<str>> {
        let (page, at) = place(slot);
        self.0.get(page)?.get()?.get(at)?.get()
    }

    /// Gives a slot its name, once.
    pub(super) fn set(&self, slot: DepartmentSlot, name: Arc<str>) {
        let (page, at) = place(slot);
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
            assert_eq!(names.get(DepartmentSlot(number)), None);
            names.set(DepartmentSlot(number), number.to_string().into());
        }
        for number in 1..100_000 {
            let name = names.get(DepartmentSlot(number)).map(ToString::to_string);
            assert_eq!(name, Some(number.to_string()));
        }
        assert_eq!(names.get(DepartmentSlot(0)), None);
        assert_eq!(place(DepartmentSlot(u32::MAX)).0, PAGES - 1);
    }
}
