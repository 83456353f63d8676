//! Looking at generations without counting on from them.
//!
//! Owns what is said of files. All of it only reads a data directory, so a service
//! may run beside it; what the service removes meanwhile is no damage.

use std::io;

use crate::snapshot::directory::{Directory, FileName};
use crate::snapshot::format::{FrameKind, ReadError, Reader};
use crate::snapshot::load::{self, Damaged, LoadError, survey};
use crate::snapshot::state::State;

/// What became of one generation when it was checked.
#[derive(Debug)]
pub struct Checked {
    /// Which.
    pub name: FileName,
    /// Its state, or what is wrong with it.
    pub result: Result<State, String>,
}

/// Checks every generation: each is read with all that it builds upon, as a start
/// would, and those that share files are read together. The oldest comes first.
///
/// # Errors
/// When the directory or a file cannot be read, which says nothing of the files.
pub fn verify(directory: &Directory) -> Result<Vec<Checked>, LoadError> {
    let surveyed = survey(directory)?;
    let mut checked: Vec<Checked> = Vec::new();
    for damaged in &surveyed.damaged {
        checked.push(Checked { name: damaged.name, result: Err(damaged.why.to_owned()) });
    }
    let mut names: Vec<_> = surveyed.links.names().collect();
    while let Some(name) = names.pop() {
        // The newest goes first: most of the others were read on the way to it.
        if checked.iter().any(|other| other.name == name) {
            continue;
        }
        let Some(mut chain) = surveyed.links.chain(name) else {
            let why = "what it builds upon is missing or damaged".to_owned();
            checked.push(Checked { name, result: Err(why) });
            continue;
        };
        chain.reverse();
        check_chain(directory, &chain, &mut checked)?;
    }
    checked.sort_by_key(|checked| checked.name);
    Ok(checked)
}

/// Reads a chain, and notes of each of its files what was not known yet.
fn check_chain(
    directory: &Directory,
    chain: &[FileName],
    checked: &mut Vec<Checked>,
) -> Result<(), LoadError> {
    let mut states = Vec::new();
    let read =
        load::read_chain(directory, chain, &mut load::loading(0), |name, state| states.push((name, state)));
    let mut note = |name: FileName, result| {
        if checked.iter().all(|other| other.name != name) {
            checked.push(Checked { name, result });
        }
    };
    for (name, state) in states {
        note(name, Ok(state));
    }
    match read {
        Ok(_) => {}
        Err((name, ReadError::Bad(why))) => {
            note(name, Err(why.to_owned()));
            for &newer in chain.iter().filter(|newer| **newer > name) {
                note(newer, Err(format!("{name}, which it builds upon, is damaged")));
            }
        }
        Err((_, ReadError::Io(error))) if error.kind() == io::ErrorKind::NotFound => {}
        Err((name, ReadError::Io(error))) => return Err(LoadError::Io { what: name.to_string(), error }),
        Err((name, ReadError::Newer(version))) => return Err(LoadError::Newer { name, version }),
    }
    Ok(())
}

/// What the files of a directory say, each by itself: what one builds upon is not
/// looked at, and no rooms are kept in memory.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The state of the newest whole file.
    pub newest: Option<State>,
    /// Generations that are damaged, the newest first.
    pub damaged: Vec<Damaged>,
    /// The names of files that were damaged and were put aside by an earlier start.
    pub put_aside: Vec<String>,
}

/// The newest state without its rooms. Its file is whole; what it builds upon is
/// not looked at.
///
/// # Errors
/// When the directory or a file cannot be read.
pub fn newest_state(directory: &Directory) -> Result<Option<State>, LoadError> {
    Ok(look_until(directory, Option::is_some)?.newest)
}

/// Looks at every file.
///
/// # Errors
/// When the directory or a file cannot be read, or has a newer format: then a start
/// would fail too.
pub fn take_inventory(directory: &Directory) -> Result<Inventory, LoadError> {
    let mut inventory = look_until(directory, |_| false)?;
    inventory.put_aside = directory.put_aside_before().map_err(of_directory)?;
    Ok(inventory)
}

/// Looks at files from the newest on until that is enough.
fn look_until(
    directory: &Directory,
    enough: impl Fn(&Option<State>) -> bool,
) -> Result<Inventory, LoadError> {
    let mut inventory = Inventory::default();
    for name in directory.generations().map_err(of_directory)?.into_iter().rev() {
        if enough(&inventory.newest) {
            break;
        }
        match directory.open(name).and_then(last_state) {
            Ok(state) => inventory.newest = inventory.newest.or(Some(state)),
            Err(ReadError::Newer(version)) => return Err(LoadError::Newer { name, version }),
            Err(ReadError::Bad(why)) => inventory.damaged.push(Damaged { name, why }),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(ReadError::Io(error)) => return Err(LoadError::Io { what: name.to_string(), error }),
        }
    }
    Ok(inventory)
}

fn of_directory(error: io::Error) -> LoadError {
    LoadError::Io { what: "the data directory".to_owned(), error }
}

fn last_state(mut reader: Reader) -> Result<State, ReadError> {
    let mut state = None;
    while let Some((kind, payload)) = reader.next()? {
        state = if kind == FrameKind::State { State::decode(payload) } else { None };
    }
    reader.finish()?;
    state.ok_or(ReadError::Bad("it has no state"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::snapshot::files::{Files, NewFile, RealFiles};

    /// Counts how many times each file is opened.
    #[derive(Debug)]
    struct Opened(RealFiles, Arc<Mutex<BTreeMap<String, usize>>>);

    impl Files for Opened {
        fn list(&self) -> io::Result<Vec<String>> {
            self.0.list()
        }

        fn open(&self, name: &str) -> io::Result<(u64, Box<dyn io::Read + Send>)> {
            *self.1.lock().unwrap().entry(name.to_owned()).or_default() += 1;
            self.0.open(name)
        }

        fn create(&self, _: &str) -> io::Result<Box<dyn NewFile>> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }

        fn rename(&self, _: &str, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }

        fn remove(&self, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::ReadOnlyFilesystem.into())
        }

        fn sync_names(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn files_that_generations_share_are_read_once() {
        let golden = format!("{}/tests/snapshots/golden/v1", env!("CARGO_MANIFEST_DIR"));
        let opened = Arc::default();
        let directory = Directory::new(Box::new(Opened(RealFiles::new(golden), Arc::clone(&opened))));
        let checked = verify(&directory).unwrap();
        let generations: Vec<_> = checked.iter().map(|one| one.result.as_ref().unwrap().generation).collect();
        assert_eq!(generations, [1, 2]);
        // Once for all headers, and once for what is in it.
        let opened = opened.lock().unwrap();
        assert_eq!(opened.values().copied().collect::<Vec<_>>(), [2, 2], "{opened:?}");
    }
}
