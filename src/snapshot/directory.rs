//! The data directory: which files it has, under which names, and for how long.
//!
//! Owns names, numbering, publishing and removal. Invariants: a generation has
//! its name only once it is whole and durable; a number is never used twice; what
//! is damaged keeps its bytes under another name; and what some kept generation
//! builds upon is kept too.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use crate::snapshot::files::{Files, NewFile};
use crate::snapshot::format::{Header, Link, ReadError, Reader};
use crate::snapshot::load::{Damaged, put_aside};

const FULL: &str = "full";
const CHANGES: &str = "changes";
const BAD: &str = "bad";

/// Whether a generation's file holds all rooms or what changed since another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Every room.
    Full,
    /// Changes on top of another generation.
    Changes,
}

/// The name of a generation's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// The number of the generation.
    pub generation: u64,
    /// What the file holds.
    pub kind: FileKind,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FileKind::Full => FULL,
            FileKind::Changes => CHANGES,
        };
        write!(f, "{:012}.{kind}", self.generation)
    }
}

impl FileName {
    /// Reads exactly what is written.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, kind) = text.split_once('.')?;
        let kind = match kind {
            FULL => FileKind::Full,
            CHANGES => FileKind::Changes,
            _ => return None,
        };
        let name = Self { generation: number.parse().ok()?, kind };
        (name.to_string() == text).then_some(name)
    }
}

/// A data directory.
#[derive(Debug)]
pub struct Directory {
    files: Box<dyn Files>,
    /// The greatest number that was given away here, whatever became of it.
    given: Cell<u64>,
}

impl Directory {
    /// The directory behind this door.
    pub fn new(files: Box<dyn Files>) -> Self {
        Self { files, given: Cell::new(0) }
    }

    /// The files of generations, the oldest first.
    pub fn generations(&self) -> io::Result<Vec<FileName>> {
        let mut names: Vec<_> = self.files.list()?.iter().filter_map(|name| FileName::parse(name)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The files that were damaged and are kept under another name.
    pub(super) fn put_aside_before(&self) -> io::Result<Vec<String>> {
        let mut names = self.files.list()?;
        names.retain(|name| {
            let parts = name.rsplit_once('.');
            parts.is_some_and(|(name, end)| end.starts_with(BAD) && FileName::parse(name).is_some())
        });
        names.sort_unstable();
        Ok(names)
    }

    /// A number greater than any that was ever used here.
    pub(super) fn next_generation(&self) -> io::Result<u64> {
        let number = |name: &String| name.split_once('.')?.0.parse::<u64>().ok();
        let last = self.files.list()?.iter().filter_map(number).max().unwrap_or(0).max(self.given.get());
        last.checked_add(1).ok_or_else(|| io::Error::other("a file here has the last number there is"))
    }

    /// Opens a generation's file; the header is read and right.
    pub(super) fn open(&self, name: FileName) -> Result<Reader, ReadError> {
        let (bytes, source) = self.files.open(&name.to_string())?;
        let reader = Reader::open(bytes, source)?;
        let fits = match reader.header().previous {
            Some(link) => name.kind == FileKind::Changes && link.generation < name.generation,
            None => name.kind == FileKind::Full,
        };
        if fits { Ok(reader) } else { Err(ReadError::Bad("its header belongs to a file of another name")) }
    }

    /// Makes the file of a generation that is not finished yet, in the place of one
    /// that came to nothing.
    pub(super) fn create(&self, kind: FileKind) -> io::Result<Box<dyn NewFile>> {
        self.discard(kind);
        self.files.create(kind.unfinished())
    }

    /// Opens a file that was written and has not been published.
    pub(super) fn reopen(&self, kind: FileKind) -> Result<Reader, ReadError> {
        let (bytes, source) = self.files.open(kind.unfinished())?;
        Reader::open(bytes, source)
    }

    /// Gives a durable file its name, and makes the name durable.
    pub(super) fn publish(&self, name: FileName) -> io::Result<()> {
        self.given.set(name.generation);
        self.files.rename(name.kind.unfinished(), &name.to_string())?;
        self.files.sync_names()
    }

    /// Removes a file that came to nothing.
    pub(super) fn discard(&self, kind: FileKind) {
        // What cannot be removed is in the way of the next attempt, which says so.
        let _ = self.files.remove(kind.unfinished());
    }

    /// Takes back a name whose durability is not known.
    pub(super) fn unpublish(&self, name: FileName) {
        let _ = self.files.remove(&name.to_string());
    }

    /// Puts a damaged file aside under a name that no file has; says which.
    pub(super) fn put_aside(&self, name: FileName) -> io::Result<String> {
        let taken: BTreeSet<_> = self.files.list()?.into_iter().collect();
        let mut aside = format!("{name}.{BAD}");
        let mut number = 1;
        while taken.contains(&aside) {
            number += 1;
            aside = format!("{name}.{BAD}{number}");
        }
        self.files.rename(&name.to_string(), &aside)?;
        self.files.sync_names()?;
        Ok(aside)
    }

    /// Puts damaged files aside, so that they are kept and not tried again, and says so.
    pub fn report_damaged(&self, damaged: &[Damaged]) {
        for (Damaged { name, why }, aside) in damaged.iter().zip(put_aside(self, damaged)) {
            match aside {
                Ok(aside) => tracing::error!("the snapshot {name} is damaged ({why}); kept as {aside}"),
                Err(error) => tracing::error!("the snapshot {name} is damaged ({why}), and stays: {error}"),
            }
        }
    }

    /// Removes generations until `keep` are left, and those that they need: what
    /// they build upon, and the newest one that shares no file with the newest of
    /// all, so that one damaged file never takes every generation with it. A file
    /// that is damaged and could not be put aside stays; one whose base is damaged
    /// stays until it is older than all that are kept, for who mends the base.
    pub(super) fn prune(&self, keep: usize, links: &mut Links) -> io::Result<()> {
        let names = self.generations()?;
        let whole: Vec<_> = names.iter().rev().filter_map(|name| links.chain(*name)).collect();
        let newest: BTreeSet<_> = whole.first().into_iter().flatten().collect();
        let other = whole.iter().find(|chain| chain.iter().all(|name| !newest.contains(name)));
        let kept: BTreeSet<_> = whole.iter().take(keep.max(1)).chain(other).flatten().copied().collect();
        // What builds upon others goes first, so that nothing is left without its base.
        let is_surplus = |name: &&FileName| {
            let without_base = links.has(**name) && kept.first().is_some_and(|oldest| *name < oldest);
            !kept.contains(name) && (without_base || links.chain(**name).is_some())
        };
        let surplus: Vec<_> = names.iter().rev().filter(is_surplus).copied().collect();
        for &name in &surplus {
            self.files.remove(&name.to_string())?;
            links.forget(name);
        }
        if surplus.is_empty() { Ok(()) } else { self.files.sync_names() }
    }

    /// Opens any other file of the directory.
    pub(super) fn files(&self) -> &dyn Files {
        &*self.files
    }
}

impl FileKind {
    fn unfinished(self) -> &'static str {
        match self {
            Self::Full => "full.unfinished",
            Self::Changes => "changes.unfinished",
        }
    }
}

/// Which file builds upon which. Two files of one number are told apart: an
/// operator may have brought them together.
#[derive(Debug, Clone, Default)]
pub(super) struct Links(BTreeMap<FileName, Option<Link>>);

impl Links {
    /// Notes a file by its header.
    pub(super) fn note(&mut self, name: FileName, header: Header) {
        self.0.insert(name, header.previous);
    }

    /// The files, the oldest first.
    pub(super) fn names(&self) -> impl Iterator<Item = FileName> {
        self.0.keys().copied()
    }

    fn has(&self, name: FileName) -> bool {
        self.0.contains_key(&name)
    }

    /// Forgets a file that is not to be used.
    pub(super) fn forget(&mut self, name: FileName) {
        self.0.remove(&name);
    }

    /// A file and all that it builds upon, the newest first; none if a part is
    /// missing.
    pub(super) fn chain(&self, name: FileName) -> Option<Vec<FileName>> {
        let mut chain = vec![name];
        let mut link = *self.0.get(&name)?;
        while let Some(Link { generation, .. }) = link {
            let kinds = [FileKind::Full, FileKind::Changes].map(|kind| FileName { generation, kind });
            let base = kinds.into_iter().find(|name| self.has(*name))?;
            chain.push(base);
            link = *self.0.get(&base)?;
        }
        Some(chain)
    }
}
