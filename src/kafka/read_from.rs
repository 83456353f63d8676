//! Which cluster records are read from.
//!
//! Owns the way from the client that looks to the one that reads. Nothing is sent and
//! nobody waits: librdkafka keeps the id that a broker told last, and the reading
//! thread goes on as it is. Invariant: what a client heard before it was given
//! something to read, or after it was given nothing more, is not told.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::kafka::context::Context;
use crate::kafka::native;

/// The client that reads, as long as it does.
#[derive(Clone, Default)]
pub struct ReadFrom(Arc<Mutex<Weak<BaseConsumer<Context>>>>);

impl ReadFrom {
    /// The id of the cluster, as the reading client knows it now; none while nothing is
    /// read, and until a broker has told it.
    pub(super) fn cluster(&self) -> Option<String> {
        let client = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade()?;
        native::cluster_id(client.client())
    }

    /// Records are read with this client.
    pub(super) fn begin(&self, client: &Arc<BaseConsumer<Context>>) {
        self.set(Arc::downgrade(client));
    }

    /// Nothing is read.
    pub(super) fn end(&self) {
        self.set(Weak::new());
    }

    /// Whether something is read.
    pub(super) fn is_any(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).strong_count() > 0
    }

    fn set(&self, client: Weak<BaseConsumer<Context>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }
}

impl std::fmt::Debug for ReadFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ReadFrom").field(&self.cluster()).finish()
    }
}
