//! What rdkafka does not expose of librdkafka: the one folder with `unsafe` code.
//!
//! Owns the handles that librdkafka gives away. Invariant: what we own is given
//! back exactly once, on every path, and before the client that it belongs to.

mod headers;
mod identity;
mod queue;

pub(super) use identity::{cluster_id, topic_id};
pub(super) use queue::Queue;

/// Something of librdkafka's that is ours until it is given back.
struct Owned<T> {
    native: *mut T,
    give_back: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `native` must be null, or ours alone and `give_back` the function that ends it.
    unsafe fn new(native: *mut T, give_back: unsafe extern "C" fn(*mut T)) -> Self {
        Self { native, give_back }
    }

    fn as_ptr(&self) -> *mut T {
        self.native
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.native.is_null() {
            // Safety: it is ours by the promise of `new`, and given back here alone.
            unsafe { (self.give_back)(self.native) };
        }
    }
}
