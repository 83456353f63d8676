//! Taking a whole state elsewhere, and back.
//!
//! Owns backups. To make one only reads a data directory, so a service may run
//! beside it. A backup is one file of the same format as a generation that holds
//! all rooms, so it is checked as strictly.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::snapshot::decisions::file_name;
use crate::snapshot::directory::{Directory, FileKind, FileName};
use crate::snapshot::files::{Files, RealFiles, write_all};
use crate::snapshot::format::{FrameKind, Header, ReadError, Reader, Writer};
use crate::snapshot::full::name_departments;
use crate::snapshot::load::{self, Found, LoadError};
use crate::snapshot::policy::Policy;
use crate::snapshot::read::{read_back, read_into};
use crate::snapshot::rooms::RoomsPayload;
use crate::snapshot::state::State;
use crate::tally::{self, TallyReader, WalkCursor};

/// How often a backup begins again because the service removed what it was reading.
const ATTEMPTS: usize = 5;

/// Why a state was not taken elsewhere. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The data directory could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no state in it.
    #[error(
        "the data directory holds no whole snapshot; run a service on it first, or see `snapshot verify`"
    )]
    Nothing,
    /// A file is in the way.
    #[error("{0} is there already, and is not overwritten; name another file, or move it away")]
    InTheWay(PathBuf),
    /// The directory has a state of its own.
    #[error(
        "the data directory holds the snapshot {0} already; restore into an empty one, so that nothing is lost"
    )]
    NotEmpty(FileName),
    /// The directory has an operator's decision, which was about something else.
    #[error(
        "the data directory holds the decision {0}, which a service would carry out on what is restored; \
         remove that file, or restore into an empty directory"
    )]
    Decided(String),
    /// The file is no whole backup.
    #[error("{file} is no backup that can be restored: {why}")]
    Bad {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        why: ReadError,
    },
    /// The system refused.
    #[error("cannot write {what}: {error}")]
    Io {
        /// Which file.
        what: String,
        /// The system's words.
        error: io::Error,
    },
}

/// The newest whole state, its rooms ready to be asked.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn newest(directory: &Directory) -> Result<(Found, TallyReader), BackupError> {
    for _ in 0..ATTEMPTS {
        if let Some(mut found) = load::load(directory, 0, None)?.found {
            let (mut writer, rooms) = tally::tally(0);
            writer.replace(found.take_tally());
            return Ok((found, rooms));
        }
    }
    Err(BackupError::Nothing)
}

/// Copies the newest whole state into one file, which has been read back and is
/// durable when this returns.
///
/// # Errors
/// When there is none, or the file is there already or cannot be written.
pub fn backup(directory: &Directory, into: &Path) -> Result<State, BackupError> {
    let (place, name) = split(into)?;
    if into.exists() {
        return Err(BackupError::InTheWay(into.to_owned()));
    }
    let (found, rooms) = newest(directory)?;
    // A backup that was killed, or that another process makes, is not in the way.
    let unfinished = format!("{name}.{}.unfinished", std::process::id());
    let written = write_rooms(&place, &unfinished, &rooms, &found.state);
    let io = |error| BackupError::Io { what: into.display().to_string(), error };
    if let Err(error) = written {
        let _ = place.remove(&unfinished);
        return Err(io(error));
    }
    place.rename(&unfinished, &name).and_then(|()| place.sync_names()).map_err(io)?;
    Ok(found.state)
}

/// Writes a backup under a name that says it is unfinished, and reads it as
/// `restore` would.
fn write_rooms(place: &dyn Files, name: &str, rooms: &TallyReader, state: &State) -> io::Result<()> {
    let mut writer = Writer::begin(place.create(name)?, Header { previous: None })?;
    name_departments(&mut writer, rooms, 0, usize::MAX)?;
    let (mut cursor, mut payload) = (WalkCursor::default(), RoomsPayload::default());
    let at_once = Policy::default().visited_at_once;
    while !rooms.walk(&mut cursor, at_once, |id, room| payload.push(id, room)) {
        writer.frame(FrameKind::Rooms, &[&payload.take()])?;
    }
    if payload.len() > 0 {
        writer.frame(FrameKind::Rooms, &[&payload.take()])?;
    }
    writer.frame(FrameKind::State, &[&state.encode()])?;
    let written = writer.finish()?;
    let opened = place.open(name).map_err(ReadError::Io);
    let opened = opened.and_then(|(bytes, source)| Reader::open(bytes, source));
    read_back(opened, FileKind::Full, 0, state, written)
}

/// Makes a backup the only generation of a directory that has none.
///
/// # Errors
/// When the directory has one, or a decision, or the file is not a whole backup.
pub fn restore(from: &Path, directory: &Directory) -> Result<State, BackupError> {
    let bad = |why| BackupError::Bad { file: from.to_owned(), why };
    let (place, file) = split(from)?;
    let io = |error| BackupError::Io { what: "the data directory".to_owned(), error };
    if let Some(name) = directory.generations().map_err(io)?.pop() {
        return Err(BackupError::NotEmpty(name));
    }
    if let Some((stop, decision)) = directory.decisions().map_err(io)?.pop() {
        return Err(BackupError::Decided(file_name(&stop, decision)));
    }
    let opened = place.open(&file).map_err(ReadError::Io);
    let reader = opened.and_then(|(bytes, source)| Reader::open(bytes, source)).map_err(bad)?;
    let (state, written) = read_into(reader, FileKind::Full, None, &mut load::loading(0)).map_err(bad)?;
    let name = FileName { generation: state.generation, kind: FileKind::Full };
    let copied = copy(&place, &file, directory)
        .and_then(|()| read_back(directory.reopen(FileKind::Full), FileKind::Full, 0, &state, written))
        .and_then(|()| directory.publish(name));
    copied.inspect_err(|_| directory.discard(FileKind::Full)).map_err(io)?;
    Ok(state)
}

fn copy(place: &RealFiles, file: &str, directory: &Directory) -> io::Result<()> {
    let (_, mut source) = place.open(file)?;
    let mut copy = directory.create(FileKind::Full)?;
    let mut bytes = vec![0; 1 << 20];
    loop {
        match source.read(&mut bytes) {
            Ok(0) => return copy.sync(),
            Ok(read) => write_all(&mut *copy, &bytes[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The directory of a file, and its name.
fn split(path: &Path) -> Result<(RealFiles, String), BackupError> {
    let no_name = || BackupError::Io {
        what: path.display().to_string(),
        error: io::Error::new(io::ErrorKind::InvalidInput, "it has no file name"),
    };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(no_name)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((RealFiles::new(dir), name.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::log::{Decision, LogIdentity, Positions, StopId};
    use crate::room::Timestamp;
    use crate::snapshot::files::NewFile;

    /// A disk that says it has written what it was given, and has something else.
    #[derive(Debug)]
    struct Liar(RealFiles);

    #[derive(Debug)]
    struct LyingFile(Box<dyn NewFile>);

    impl Files for Liar {
        fn list(&self) -> io::Result<Vec<String>> {
            self.0.list()
        }

        fn open(&self, name: &str) -> io::Result<(u64, Box<dyn Read + Send>)> {
            self.0.open(name)
        }

        fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
            Ok(Box::new(LyingFile(self.0.create(name)?)))
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            self.0.rename(from, to)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }

        fn sync_names(&self) -> io::Result<()> {
            self.0.sync_names()
        }
    }

    impl NewFile for LyingFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut other = bytes.to_vec();
            *other.last_mut().unwrap() ^= 1;
            self.0.write(&other)
        }

        fn sync(&mut self) -> io::Result<()> {
            self.0.sync()
        }
    }

    fn state() -> State {
        State {
            generation: 3,
            topic: "rooms".to_owned(),
            identity: LogIdentity::default(),
            positions: Positions::default(),
            decisions: Vec::new(),
            written_at: Timestamp::from_millis(0),
            rooms: 0,
        }
    }

    #[test]
    fn a_backup_is_read_back_before_it_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let (_, rooms) = tally::tally(0);
        let state = state();
        let files = RealFiles::new(dir.path());
        write_rooms(&files, "well", &rooms, &state).unwrap();
        let error = write_rooms(&Liar(files), "ill", &rooms, &state).unwrap_err();
        assert!(error.to_string().starts_with("what was written reads back wrong"), "{error}");
    }

    #[test]
    fn nothing_is_restored_beside_a_decision_about_something_else() {
        let (dir, stop) = (tempfile::tempdir().unwrap(), StopId::parse("gap-0-5").unwrap());
        let (_, rooms) = tally::tally(0);
        let backup = dir.path().join("backup");
        write_rooms(&RealFiles::new(dir.path()), "backup", &rooms, &state()).unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let directory = Directory::new(Box::new(RealFiles::new(&data)));
        directory.decide(&stop, Decision::AcceptGap).unwrap();
        let error = restore(&backup, &directory).unwrap_err().to_string();
        assert!(error.contains("gap-0-5.accept-gap") && error.contains("remove"), "{error}");
        assert_eq!(directory.generations().unwrap(), []);
        std::fs::remove_file(data.join("gap-0-5.accept-gap")).unwrap();
        assert_eq!(restore(&backup, &directory).unwrap(), state());
    }
}
