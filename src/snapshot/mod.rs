//! The state on disk: rooms and positions of one instant, in generations.
//!
//! Owns the data directory. With a topic that forgets its records these files
//! are the only copy of what was counted, so they are written as a database
//! writes its own: whole and durable before they have a name, read strictly,
//! never overwritten, and never thrown away because they are damaged.
//! `docs/snapshots.md` tells how it works, `docs/snapshot-format.md` every byte.

mod backup;
mod changes;
mod decisions;
mod directory;
mod files;
mod format;
mod full;
mod keeper;
mod load;
mod place;
mod policy;
mod read;
mod rooms;
mod state;
mod store;
mod verify;

pub use backup::{BackupError, backup, newest, restore};
pub use decisions::{Decisions, Told};
pub use directory::{Directory, FileKind, FileName};
pub use files::{Files, NewFile, RealFiles};
pub use format::{ReadError, VERSION};
pub use keeper::{CutNumber, Keeper, Kept};
pub use load::{Damaged, Found, LoadError, Loaded, load, put_aside};
pub use place::{Place, PlaceError, is_taken, look};
pub use policy::Policy;
pub use rooms::Changes;
pub use state::{Decided, State};
pub use store::{Cut, Published, Store};
pub use verify::{Checked, Inventory, newest_state, take_inventory, verify};
