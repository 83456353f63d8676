//! What a thread took of the memory: how often, how much at once, and what it kept.
//!
//! Owns the allocator of the programs that measure: the system's, counted for each thread. So
//! the counts are the same in every run, whatever other threads do.
#![allow(dead_code, unreachable_pub, reason = "each program uses a part of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static PIECES: Cell<u64> = const { Cell::new(0) };
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn taken(bytes: usize) {
    // A thread that ends has no counts any more.
    let _ = NOW.try_with(|now| {
        now.set(now.get().wrapping_add_unsigned(bytes));
        PIECES.with(|pieces| pieces.set(pieces.get() + 1));
        PEAK.with(|peak| peak.set(peak.get().max(now.get())));
        LARGEST.with(|largest| largest.set(largest.get().max(bytes)));
    });
}

fn given_back(bytes: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().wrapping_sub_unsigned(bytes)));
}

#[allow(unsafe_code, reason = "an allocator is unsafe; this one only counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What some work took.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Pieces that were taken, those among them that took the place of smaller ones.
    pub pieces: u64,
    /// The most that was taken and not given back at one time, in bytes.
    pub peak: usize,
    /// The largest piece.
    pub largest: usize,
    /// What was taken and not given back.
    pub kept: isize,
}

/// What `work` comes to, and what it took for that.
pub fn of<T>(work: impl FnOnce() -> T) -> (T, Memory) {
    let (before, pieces) = (NOW.get(), PIECES.get());
    PEAK.set(before);
    LARGEST.set(0);
    let result = work();
    let peak = usize::try_from(PEAK.get() - before).unwrap_or(0);
    (result, Memory { pieces: PIECES.get() - pieces, peak, largest: LARGEST.get(), kept: NOW.get() - before })
}
