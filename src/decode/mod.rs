//! Bytes from the topic to a room change, or the reason why not.

mod reason;

pub use reason::RejectReason;
