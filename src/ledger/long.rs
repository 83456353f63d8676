//! The texts of ids that have no packing.
//!
//! Owns their numbers. Invariant: a number stands for one text from the moment
//! it is taken until it is freed; then it is given out again.

/// Texts by number, in pages that are never moved, so that growing copies none.
#[derive(Debug, Default)]
pub(super) struct LongIds {
    pages: Vec<Vec<Option<Box<str>>>>,
    free: Vec<u32>,
}

const PAGE_IDS: u32 = 1 << 14;

impl LongIds {
    /// Gives a text a number.
    ///
    /// # Panics
    /// When numbers end: going on would take one room for another.
    pub(super) fn take(&mut self, text: &str) -> u32 {
        if let Some(number) = self.free.pop() {
            let (page, at) = place(number);
            self.pages[page][at] = Some(text.into());
            return number;
        }
        if self.pages.last().is_none_or(|page| page.len() == PAGE_IDS as usize) {
            self.pages.push(Vec::with_capacity(PAGE_IDS as usize));
        }
        let page = self.pages.len() - 1;
        let number = page * PAGE_IDS as usize + self.pages[page].len();
        assert!(number < u32::MAX as usize, "more long ids than one process can number");
        self.pages[page].push(Some(text.into()));
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    pub(super) fn free(&mut self, number: u32) {
        let (page, at) = place(number);
        self.pages[page][at] = None;
        self.free.push(number);
    }

    /// The text with this number; none is ever empty.
    pub(super) fn text(&self, number: u32) -> &str {
        let (page, at) = place(number);
        self.pages[page][at].as_deref().unwrap_or_default()
    }
}

fn place(number: u32) -> (usize, usize) {
    ((number / PAGE_IDS) as usize, (number % PAGE_IDS) as usize)
}
