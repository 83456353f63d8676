//! A data directory on this machine: that it is there, and ours alone.
//!
//! Owns the lock, which holds as long as the process lives and no longer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::snapshot::directory::Directory;
use crate::snapshot::files::RealFiles;

/// The file that a running service holds locked.
const LOCK: &str = "lock";

/// How often a directory that seems to be in use is looked at again, and when.
const LOOKS: usize = 5;
const LOOK: Duration = Duration::from_millis(20);

/// A directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is none.
    #[error(
        "the data directory {0} is not there; name the one that is meant with --data-dir or snapshot.dir (a \
         relative one lies below the working directory), or make it before a first start (mkdir -p {0}); it is \
         not made by itself, so that a volume that is not mounted is noticed"
    )]
    Missing(PathBuf),
    /// Something else has its name.
    #[error("{0} is no directory; name another with --data-dir (snapshot.dir)")]
    NoDirectory(PathBuf),
    /// It cannot be written to, or not be read.
    #[error(
        "cannot use the data directory {dir}: {error}; give this user the right to read and write it, or name \
         another with --data-dir"
    )]
    Refused {
        /// Which.
        dir: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// Another process has it.
    #[error(
        "the data directory {0} is in use by another process; two cannot share one: stop the other, or name \
         another directory with --data-dir"
    )]
    InUse(PathBuf),
}

/// A directory that is this process's alone, until it ends.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    _lock: File,
}

impl Place {
    /// Takes a directory for this process alone.
    ///
    /// # Errors
    /// When it cannot be used; nothing has been touched.
    pub fn take(dir: &Path) -> Result<Self, PlaceError> {
        look(dir)?;
        let refused = |error| PlaceError::Refused { dir: dir.to_owned(), error };
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK));
        let lock = lock.map_err(refused)?;
        for attempt in 1.. {
            match lock.try_lock() {
                Ok(()) => break,
                // Whoever only looks whether it is taken holds it for an instant.
                Err(TryLockError::WouldBlock) if attempt < LOOKS => thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return Err(PlaceError::InUse(dir.to_owned())),
                Err(TryLockError::Error(error)) => return Err(refused(error)),
            }
        }
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// Its files.
    pub fn directory(&self) -> Directory {
        directory(&self.dir)
    }
}

/// The files of a directory that another process may have taken: to be read.
///
/// # Errors
/// When it is not there.
pub fn look(dir: &Path) -> Result<Directory, PlaceError> {
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(directory(dir)),
        Ok(_) => Err(PlaceError::NoDirectory(dir.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Where that is depends on the directory in which the program was started.
            Err(PlaceError::Missing(std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())))
        }
        Err(error) => Err(PlaceError::Refused { dir: dir.to_owned(), error }),
    }
}

/// Whether another process has taken the directory.
pub fn is_taken(dir: &Path) -> bool {
    let lock = OpenOptions::new().write(true).open(dir.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

fn directory(dir: &Path) -> Directory {
    Directory::new(Box::new(RealFiles::new(dir)))
}
