//! From files back to rooms and positions.
//!
//! Owns the strict load. It tries generations from the newest to the oldest and
//! takes the first that is whole with all that it builds upon. Invariants: a state
//! is taken over only if every byte behind it was right; a damaged file never
//! stands in the way of an older whole one; and nothing in the directory is
//! changed unless a state, or none at all, was settled upon.

use std::io;

use crate::snapshot::directory::{Directory, FileKind, FileName, Links};
use crate::snapshot::format::{Link, ReadError, VERSION};
use crate::snapshot::read::read_file;
use crate::snapshot::state::State;
use crate::tally::Loading;

/// Why a start cannot go on. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system could not read: that says nothing of the files.
    #[error("cannot read {what}: {error}")]
    Io {
        /// The file, or the directory.
        what: String,
        /// The system's words.
        error: io::Error,
    },
    /// Written by a newer roomtally.
    #[error(
        "{name} has format version {version}, and this roomtally reads up to {VERSION}; start the newer \
         roomtally that wrote it, or name another directory"
    )]
    Newer {
        /// The file.
        name: FileName,
        /// Its version.
        version: u32,
    },
    /// Rooms of another topic.
    #[error(
        "{name} holds rooms of the topic {found}, and the configured topic is {wanted}; name the topic with \
         --topic or another directory with --data-dir"
    )]
    OtherTopic {
        /// The file.
        name: FileName,
        /// Its topic.
        found: String,
        /// The topic that was asked for.
        wanted: String,
    },
}

/// A file that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Which.
    pub name: FileName,
    /// What is wrong with it.
    pub why: &'static str,
}

/// What a load came to.
#[derive(Debug)]
pub struct Loaded {
    /// The newest state that is whole, if there is one.
    pub found: Option<Found>,
    /// Files that are damaged.
    pub damaged: Vec<Damaged>,
    pub(super) links: Links,
}

/// A whole state.
#[derive(Debug)]
pub struct Found {
    tally: Loading,
    /// Everything else.
    pub state: State,
    /// The bytes of the files that it stands in.
    pub bytes: u64,
    pub(super) base: Base,
}

impl Found {
    /// The rooms, once; nothing the second time.
    pub fn take_tally(&mut self) -> Loading {
        std::mem::replace(&mut self.tally, Loading::new(0))
    }
}

/// Rooms are entered on no more threads: the file is read by one.
const THREADS_MAX: usize = 8;

/// What a file of changes can build upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    /// The generation that the next changes are to be applied on.
    pub(super) link: Link,
    /// How many departments it names, with what it builds upon.
    pub(super) departments: usize,
    /// The size of the file with all rooms at the beginning of the chain.
    pub(super) full_bytes: u64,
    /// The size of the files of changes behind it.
    pub(super) changes_bytes: u64,
}

/// Reads the newest whole state. `departments` is the limit that the tally shall
/// have for new ones; `topic` must be the one whose rooms these are.
///
/// # Errors
/// When nothing could be settled; then nothing is said of the files.
pub fn load(directory: &Directory, departments: usize, topic: Option<&str>) -> Result<Loaded, LoadError> {
    let mut loaded = survey(directory)?;
    let mut candidates: Vec<_> = loaded.links.names().collect();
    while let Some(candidate) = candidates.pop() {
        let Some(mut chain) = loaded.links.chain(candidate) else { continue };
        chain.reverse();
        let mut tally = loading(departments);
        match read_chain(directory, &chain, &mut tally, |_, _| {}) {
            Ok((state, base, bytes)) => {
                check_topic(candidate, &state, topic)?;
                loaded.found = Some(Found { tally, state, bytes, base });
                break;
            }
            Err((name, error)) => {
                loaded.links.forget(name);
                passed_over(&mut loaded, name, error)?;
                // Without the damaged file it has no base, and is passed over at once,
                // unless another file has the number of the damaged one.
                candidates.extend((name != candidate).then_some(candidate));
            }
        }
    }
    Ok(loaded)
}

/// What rooms are read into, on as many threads as there are cores, as far as more are of use.
pub(super) fn loading(departments: usize) -> Loading {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Loading::new(departments).on_threads(cores.min(THREADS_MAX))
}

/// Puts damaged files aside, so that they are kept and not tried again; says under
/// which names, or why not.
pub fn put_aside(directory: &Directory, damaged: &[Damaged]) -> Vec<io::Result<String>> {
    damaged.iter().map(|damaged| directory.put_aside(damaged.name)).collect()
}

/// Reads every header, so that a newer format is found before anything is done.
pub(super) fn survey(directory: &Directory) -> Result<Loaded, LoadError> {
    let io = |error| LoadError::Io { what: "the data directory".to_owned(), error };
    let mut loaded = Loaded { found: None, damaged: Vec::new(), links: Links::default() };
    for name in directory.generations().map_err(io)? {
        match directory.open(name) {
            Ok(reader) => loaded.links.note(name, reader.header()),
            Err(error) => passed_over(&mut loaded, name, error)?,
        }
    }
    Ok(loaded)
}

/// A file that vanished while others were read is no error: a running service
/// removes old generations.
fn passed_over(loaded: &mut Loaded, name: FileName, error: ReadError) -> Result<(), LoadError> {
    match error {
        ReadError::Io(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        ReadError::Io(error) => Err(LoadError::Io { what: name.to_string(), error }),
        ReadError::Newer(version) => Err(LoadError::Newer { name, version }),
        ReadError::Bad(why) => {
            loaded.damaged.push(Damaged { name, why });
            Ok(())
        }
    }
}

fn check_topic(name: FileName, state: &State, wanted: Option<&str>) -> Result<(), LoadError> {
    match wanted {
        Some(wanted) if wanted != state.topic => {
            Err(LoadError::OtherTopic { name, found: state.topic.clone(), wanted: wanted.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Reads a chain from the file with all rooms to its newest changes; `each` sees
/// every file's state.
pub(super) fn read_chain(
    directory: &Directory,
    chain: &[FileName],
    tally: &mut Loading,
    mut each: impl FnMut(FileName, State),
) -> Result<(State, Base, u64), (FileName, ReadError)> {
    let mut last: Option<(State, Base)> = None;
    let mut bytes = 0;
    for &name in chain {
        let previous = last.as_ref().map(|(_, base)| base.link);
        let (state, written) = read_file(directory, name, previous, tally).map_err(|error| (name, error))?;
        bytes += written.bytes;
        each(name, state.clone());
        let link = Link { generation: name.generation, digest: written.digest };
        let base = match last {
            None => Base { link, departments: 0, full_bytes: written.bytes, changes_bytes: 0 },
            Some((_, base)) => Base { link, changes_bytes: base.changes_bytes + written.bytes, ..base },
        };
        last = Some((state, Base { departments: tally.departments(), ..base }));
    }
    let nothing = || (FileName { generation: 0, kind: FileKind::Full }, ReadError::Bad("there is no file"));
    last.map(|(state, base)| (state, base, bytes)).ok_or_else(nothing)
}
