//! How it stands with snapshots, as values.

use crate::room::Timestamp;

/// What is known of the snapshots of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// Whether any are kept: the demo's log ends with its process, and so do its
    /// counts.
    pub kept: bool,
    /// The newest generation on disk.
    pub generation: Option<u64>,
    /// When it was written.
    pub written_at: Option<Timestamp>,
    /// The bytes of all files that it stands in, which are what a start reads.
    pub bytes: Option<u64>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
    /// Attempts of this process that failed.
    pub failures: u64,
    /// Whether the broker has not shown for long that its log is the one that was
    /// counted: no snapshot is kept until it does.
    pub unvouched: bool,
}

impl SnapshotStatus {
    /// One word for all of it, as the readiness body has it.
    pub fn name(&self) -> &'static str {
        match (self.kept, self.problem(), self.generation) {
            (false, ..) => "off",
            (true, Some(_), _) => "failing",
            (true, None, Some(_)) => "ok",
            (true, None, None) => "none",
        }
    }

    /// What keeps snapshots from being written, if something does.
    pub fn problem(&self) -> Option<&str> {
        const UNVOUCHED: &str = "the broker has not shown for half a minute that its log is the one that was \
                                 counted; the service's log says what is missing";
        self.error.as_deref().or_else(|| self.unvouched.then_some(UNVOUCHED))
    }

    pub(super) fn took(&mut self, generation: u64, written_at: Timestamp, bytes: u64) {
        (self.generation, self.written_at, self.bytes) = (Some(generation), Some(written_at), Some(bytes));
        self.error = None;
    }
}
