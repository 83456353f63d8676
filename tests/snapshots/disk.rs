//! A disk in memory that fails, ends and forgets as it is told.
//!
//! What the process sees and what would survive a loss of power are kept apart:
//! bytes are durable once synced, names once the directory was. Invariant: nothing
//! that was synced is ever lost, and what was not may be there in any part.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roomtally::snapshot::{Files, NewFile};

use crate::rig::Dice;

pub(crate) const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EINTR: i32 = 4;

/// What happens at an operation, and at those behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// This and so many more fail with this error.
    Error(i32, u64),
    /// This and so many more read and write at most so many bytes.
    Short(usize, u64),
    /// Neither this nor any later one happens; a write is cut off somewhere.
    End,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    /// So many of them are durable.
    synced: usize,
    /// A sync failed: later ones succeed and do nothing.
    lost: bool,
}

#[derive(Debug, Clone)]
enum NameStep {
    Put(String, usize),
    Rename(String, String, usize),
    Remove(String),
}

#[derive(Clone, Default)]
struct Inner {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    unsynced: Vec<NameStep>,
    steps: u64,
    fault: Option<(u64, Fault)>,
    /// Which operations there were.
    kinds: BTreeMap<&'static str, u64>,
    ended: bool,
}

/// A disk with one directory. Clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        let names = inner.names.iter().map(|(name, inode)| (name, inner.inodes[*inode].bytes.len()));
        f.debug_map().entries(names).finish()
    }
}

impl Disk {
    /// A disk on which these files are durable.
    pub(crate) fn with(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut inner = Inner::default();
        for (name, bytes) in files {
            inner.names.insert(name.clone(), inner.inodes.len());
            inner.inodes.push(Inode { bytes: bytes.clone(), synced: bytes.len(), lost: false });
        }
        inner.durable = inner.names.clone();
        Self(Arc::new(Mutex::new(inner)))
    }

    pub(crate) fn files(&self) -> Box<dyn Files> {
        Box::new(self.clone())
    }

    /// What the process sees.
    pub(crate) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let inner = self.inner();
        inner.names.iter().map(|(name, inode)| (name.clone(), inner.inodes[*inode].bytes.clone())).collect()
    }

    /// A bit of a file flips.
    pub(crate) fn damage(&self, name: &str) {
        let mut inner = self.inner();
        let inode = inner.names[name];
        inner.inodes[inode].bytes[100] ^= 4;
    }

    /// Lets something happen at the operation with this number; 1 is the next.
    pub(crate) fn plan(&self, at: u64, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = Some((inner.steps + at, fault));
    }

    /// Goes on counting operations where another disk is, with the same plan.
    pub(crate) fn continue_from(&self, other: &Self, steps: u64) {
        let other = other.inner().clone();
        let mut inner = self.inner();
        (inner.steps, inner.fault, inner.kinds) = (steps, other.fault, other.kinds);
    }

    /// Everything works again.
    pub(crate) fn heal(&self) {
        let mut inner = self.inner();
        // A fault that is to come still comes.
        if inner.fault.is_some_and(|(at, _)| at <= inner.steps) {
            inner.fault = None;
        }
        inner.ended = false;
    }

    pub(crate) fn steps(&self) -> u64 {
        self.inner().steps
    }

    /// Which operations there were, and how many of each.
    pub(crate) fn kinds(&self) -> BTreeMap<&'static str, u64> {
        self.inner().kinds.clone()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.inner().ended
    }

    /// What a loss of power leaves: a disk that works again.
    pub(crate) fn lose_power(&self, dice: &mut Dice) -> Self {
        let inner = self.inner();
        let mut names = inner.durable.clone();
        // Any part of the names' steps, in their order.
        let likely = dice.roll(5);
        for step in &inner.unsynced {
            if dice.roll(4) >= likely {
                continue;
            }
            match step {
                NameStep::Put(name, inode) => {
                    names.insert(name.clone(), *inode);
                }
                NameStep::Rename(from, to, inode) => {
                    if names.get(from) == Some(inode) {
                        names.remove(from);
                    }
                    names.insert(to.clone(), *inode);
                }
                NameStep::Remove(name) => {
                    names.remove(name);
                }
            }
        }
        let torn = |inode: &Inode, dice: &mut Dice| torn(inode, dice);
        let files = names.into_iter().map(|(name, inode)| (name, torn(&inner.inodes[inode], dice))).collect();
        Self::with(&files)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; how many bytes it may take at most.
    fn step(&self, kind: &'static str) -> io::Result<usize> {
        let mut inner = self.inner();
        inner.steps += 1;
        *inner.kinds.entry(kind).or_default() += 1;
        if inner.ended {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let Some((at, fault)) = inner.fault else { return Ok(usize::MAX) };
        if inner.steps < at {
            return Ok(usize::MAX);
        }
        match fault {
            Fault::Error(error, more) if inner.steps <= at + more => Err(io::Error::from_raw_os_error(error)),
            Fault::Short(bytes, more) if inner.steps <= at + more => Ok(bytes),
            Fault::End => {
                inner.ended = true;
                Err(io::Error::from_raw_os_error(EIO))
            }
            _ => Ok(usize::MAX),
        }
    }
}

/// What is left of a file's bytes: all that was synced, and of the rest any
/// sectors, with zeros or old bytes in the place of others, up to any length.
fn torn(inode: &Inode, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = inode.bytes.clone();
    let unsynced = bytes.len() - inode.synced;
    if unsynced == 0 {
        return bytes;
    }
    let sector = if dice.roll(2) == 0 { 512 } else { 4096 };
    let likely = dice.roll(5);
    for begin in (inode.synced / sector * sector..bytes.len()).step_by(sector) {
        if dice.roll(4) < likely {
            continue;
        }
        let (from, to) = (begin.max(inode.synced), (begin + sector).min(bytes.len()));
        let stale = if dice.roll(2) == 0 { 0 } else { dice.roll(256) };
        bytes[from..to].fill(u8::try_from(stale).unwrap());
    }
    if dice.roll(2) == 0 {
        let left = dice.roll(unsynced as u64 + 1);
        bytes.truncate(inode.synced + usize::try_from(left).unwrap());
    }
    bytes
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Files for Disk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.step("list")?;
        Ok(self.inner().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<(u64, Box<dyn Read + Send>)> {
        self.step("open")?;
        let inner = self.inner();
        let inode = *inner.names.get(name).ok_or_else(missing)?;
        let bytes = inner.inodes[inode].bytes.clone();
        Ok((bytes.len() as u64, Box::new(Reading { disk: self.clone(), bytes, at: 0 })))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        self.step("create")?;
        let mut inner = self.inner();
        if inner.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = inner.inodes.len();
        inner.inodes.push(Inode::default());
        inner.names.insert(name.to_owned(), inode);
        inner.unsynced.push(NameStep::Put(name.to_owned(), inode));
        Ok(Box::new(Writing { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step("rename")?;
        let mut inner = self.inner();
        assert!(!inner.names.contains_key(to), "{to} would be overwritten");
        let inode = inner.names.remove(from).ok_or_else(missing)?;
        inner.names.insert(to.to_owned(), inode);
        inner.unsynced.push(NameStep::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step("remove")?;
        let mut inner = self.inner();
        inner.names.remove(name).ok_or_else(missing)?;
        inner.unsynced.push(NameStep::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.step("sync_names")?;
        let mut inner = self.inner();
        inner.durable = inner.names.clone();
        inner.unsynced.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct Writing {
    disk: Disk,
    inode: usize,
}

impl NewFile for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let may = self.disk.step("write");
        let ended = may.is_err() && self.disk.has_ended();
        let mut inner = self.disk.inner();
        let steps = usize::try_from(inner.steps).unwrap();
        // Whoever ends in the middle of a write has written some of it.
        let length =
            if ended { steps * 7919 % (bytes.len() + 1) } else { may.as_ref().map_or(0, |may| *may) };
        let length = length.min(bytes.len());
        let file = &mut inner.inodes[self.inode].bytes;
        file.extend_from_slice(&bytes[..length]);
        may.map(|_| length)
    }

    fn sync(&mut self) -> io::Result<()> {
        let may = self.disk.step("sync");
        let mut inner = self.disk.inner();
        let inode = &mut inner.inodes[self.inode];
        inode.lost |= may.is_err();
        if !inode.lost {
            inode.synced = inode.bytes.len();
        }
        may.map(|_| ())
    }
}

struct Reading {
    disk: Disk,
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let may = self.disk.step("read")?;
        let length = into.len().min(may).min(self.bytes.len() - self.at);
        into[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
