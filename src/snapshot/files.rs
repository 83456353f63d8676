//! The one door to the file system.
//!
//! Owns the few operations that a data directory needs, so that tests can stand
//! behind the same door with a disk that fails, forgets and tears. A name is a
//! file's name inside the directory. Nothing is durable before it is synced: the
//! bytes by [`NewFile::sync`], the names by [`Files::sync_names`].

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Only the owner reads what rooms there are.
const MODE: u32 = 0o600;

/// A directory's files.
pub trait Files: Debug + Send {
    /// The names of all files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file to be read from its beginning; also how long it is.
    fn open(&self, name: &str) -> io::Result<(u64, Box<dyn Read + Send>)>;

    /// Makes a file that is not there yet, for the owner alone.
    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>>;

    /// Gives a file another name, which no file has.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which names there are.
    fn sync_names(&self) -> io::Result<()>;
}

/// A file that is being written.
pub trait NewFile: Debug + Send {
    /// Writes some of the bytes at the end; says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes durable what was written. After an error nothing is known of the
    /// file, and a second try would succeed without having written anything.
    fn sync(&mut self) -> io::Result<()>;
}

/// Writes all of the bytes at the end.
pub(super) fn write_all(file: &mut dyn NewFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory of the real file system.
#[derive(Debug, Clone)]
pub struct RealFiles {
    dir: PathBuf,
}

impl RealFiles {
    /// The files of this directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Files for RealFiles {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.dir.read_dir()? {
            // What has no name in Unicode is not ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<(u64, Box<dyn Read + Send>)> {
        let file = File::open(self.dir.join(name))?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        Ok((metadata.len(), Box::new(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        let path = self.dir.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.dir.join(from), self.dir.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.dir.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

#[derive(Debug)]
struct RealFile(File);

impl NewFile for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}
