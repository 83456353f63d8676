//! When a file is replaced, built upon or begun anew, and how much is in memory.
//!
//! Owns the numbers behind those decisions, each with its reason. No number here
//! decides whether a state is right: tests take small ones to meet every path.

/// When a file is replaced, built upon or begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Generations that are kept, beside those that they need. At least one.
    pub keep: usize,
    /// All rooms are written anew when the files of changes come to so many
    /// hundredths of them. With a hundredth of the rooms changing from one
    /// generation to the next, as much is written for a full one every so often as
    /// for the changes in between (`docs/snapshots.md` has the sum).
    pub changes_percent_max: u64,
    /// A file of changes is built upon when it holds so many; a smaller one is
    /// replaced by the next, which holds its changes too, so that a slow trickle
    /// makes no endless chain of small files.
    pub sealed_changes_min: usize,
    /// The same as a share of the rooms. At least one.
    pub sealed_rooms_share: u64,
    /// So many changes are kept in memory; with more, all rooms are written instead.
    pub kept_changes_max: usize,
    /// Parts of the changes in memory are joined up to so many, so that no frame
    /// becomes long.
    pub joined_changes_max: usize,
    /// Rooms visited at a time. Counting waits meanwhile.
    pub visited_at_once: usize,
    /// A file with all rooms that holds more changes than this and than there are
    /// rooms has been overtaken, and is begun anew another time.
    pub outgrown_changes_min: usize,
}

impl Default for Policy {
    /// What is right for millions of rooms: about 28 MB of changes in memory, and
    /// visits well below a millisecond.
    fn default() -> Self {
        Self {
            keep: 3,
            changes_percent_max: 40,
            sealed_changes_min: 16 * 1024,
            sealed_rooms_share: 1024,
            kept_changes_max: 1024 * 1024,
            joined_changes_max: 16 * 1024,
            visited_at_once: 4 * 1024,
            outgrown_changes_min: 1024 * 1024,
        }
    }
}

impl Policy {
    /// Whether so many changes on top of so many rooms are built upon.
    pub(super) fn seals(&self, changes: usize, rooms: u64) -> bool {
        let share = usize::try_from(rooms / self.sealed_rooms_share.max(1)).unwrap_or(usize::MAX);
        changes >= self.sealed_changes_min.max(share)
    }

    /// Whether files of changes of so many bytes ask for a new file of all rooms.
    pub(super) fn asks_for_full(&self, changes_bytes: u64, full_bytes: u64) -> bool {
        changes_bytes.saturating_mul(100) > full_bytes.saturating_mul(self.changes_percent_max)
    }
}
