//! Keeps what is on disk in step with what is counted.
//!
//! Owns the decision what the next generation's file holds. Usually that is what
//! changed since another generation; once those files have grown too large
//! against the rooms, all rooms are written anew. That is done while counting
//! goes on: the rooms are visited piece by piece, and every change that happens
//! meanwhile is written behind them, in order, so that the last word on a room is
//! always the latest. Invariant: a generation is the rooms of exactly the instant
//! of its positions, and is published only after they were confirmed.

use std::io;
use std::time::Duration;

use crate::room::Timestamp;
use crate::snapshot::changes::ChangeLog;
use crate::snapshot::directory::{Directory, FileKind, FileName, Links};
use crate::snapshot::format::{FrameKind, Header, Link, Writer, Written};
use crate::snapshot::full::{Full, name_departments};
use crate::snapshot::load::{Base, LoadError, Loaded, load};
use crate::snapshot::policy::Policy;
use crate::snapshot::read::read_back;
use crate::snapshot::rooms::Changes;
use crate::snapshot::state::State;
use crate::tally::TallyReader;

/// The instant whose rooms and positions are to be kept together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Everything but the rooms; the number of the generation is filled in.
    pub state: State,
    /// How many departments were known, without none.
    pub departments: usize,
    /// What [`Store::visited`] said at the instant.
    pub visited: u64,
}

/// A generation that is on disk for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub generation: u64,
    /// The bytes of its file.
    pub bytes: u64,
    /// The bytes of all files that it stands in: its own and those it builds upon.
    pub bytes_in_all: u64,
    /// What its file holds.
    pub kind: FileKind,
    /// When its positions were taken for it.
    pub written_at: Timestamp,
}

impl Published {
    /// The name of its file.
    pub fn name(&self) -> FileName {
        FileName { generation: self.generation, kind: self.kind }
    }
}

/// What is on disk, and what is to come.
#[derive(Debug)]
pub struct Store {
    directory: Directory,
    rooms: TallyReader,
    policy: Policy,
    links: Links,
    base: Option<Base>,
    log: ChangeLog,
    full: Option<Full>,
    /// How many times all rooms have been visited.
    visited: u64,
    cut: Option<(Cut, u64)>,
    stumbled: Option<io::Error>,
}

impl Store {
    /// Goes on from what was loaded; the rooms are asked of `rooms`.
    pub fn new(directory: Directory, rooms: TallyReader, policy: Policy, loaded: &Loaded) -> Self {
        directory.discard(FileKind::Full);
        directory.discard(FileKind::Changes);
        let base = loaded.found.as_ref().map(|found| found.base);
        let (links, log) = (loaded.links.clone(), ChangeLog::new(&policy));
        let (full, cut, stumbled) = (None, None, None);
        Self { directory, rooms, policy, links, base, log, full, visited: 0, cut, stumbled }
    }

    /// Rooms were changed, after all that was told before.
    pub fn changed(&mut self, changes: Changes) {
        self.log.push(changes);
        if self.cut.is_none() {
            self.write_behind(self.log.end());
        }
        self.log.bound();
        if self.full.as_ref().is_some_and(|full| full.next_part() < self.log.begin()) {
            self.give_up_full();
        }
    }

    /// Changes were not told: only all rooms make a generation again.
    pub fn lost_changes(&mut self) {
        self.log.miss();
        self.cut = None;
        self.give_up_full();
    }

    /// Why a file with all rooms was given up, or could not be begun, beside what is
    /// asked of the store; told once.
    pub fn take_stumble(&mut self) -> Option<io::Error> {
        self.stumbled.take()
    }

    /// A cut after all that was told so far; it waits to be confirmed.
    pub fn cut(&mut self, cut: Cut) {
        self.cut = Some((cut, self.log.end()));
    }

    /// The cut is not to be kept.
    pub fn reject(&mut self) {
        self.cut = None;
    }

    /// How many times all rooms have been visited. A cut that is taken after this
    /// has grown can complete the file with all rooms.
    pub fn visited(&self) -> u64 {
        self.visited
    }

    /// Whether there is something for [`Store::visit`] to do.
    pub fn is_visiting(&self) -> bool {
        self.full.as_ref().is_some_and(|full| !full.has_visited_all())
    }

    /// Visits some more rooms for a file that holds all; says for how long counting
    /// had to wait.
    ///
    /// # Errors
    /// When the file cannot be written; it is given up.
    pub fn visit(&mut self) -> io::Result<Duration> {
        let Some(full) = self.full.as_mut().filter(|full| !full.has_visited_all()) else {
            return Ok(Duration::ZERO);
        };
        let visited = full.visit(&self.rooms, self.policy.visited_at_once);
        if visited.is_err() {
            self.give_up_full();
            return visited;
        }
        if full.has_visited_all() {
            self.visited += 1;
        }
        visited
    }

    /// The cut's positions are known to belong to the log: makes a generation of it,
    /// or begins to visit all rooms if it takes those.
    ///
    /// # Errors
    /// When a file cannot be written. What was on disk is still there, and the next
    /// cut tries anew with all that this one would have held.
    pub fn confirm(&mut self) -> io::Result<Option<Published>> {
        let Some((cut, end)) = self.cut.take() else { return Ok(None) };
        let published = match self.full.take_if(|full| full.has_visited_all() && cut.visited == self.visited)
        {
            Some(full) => self.complete(full, &cut, end).map(Some),
            None if self.base.is_some() && self.log.is_kept() => self.write_changes(&cut, end).map(Some),
            None => Ok(None),
        };
        // What came behind the cut was held back for it.
        self.write_behind(self.log.end());
        if self.full.is_none() && self.needs_full() {
            match Full::begin(&self.directory, self.log.end()) {
                Ok(full) => self.full = Some(full),
                Err(error) if matches!(published, Ok(None)) => return Err(error),
                Err(error) if published.is_ok() => self.stumbled = Some(error),
                Err(_) => {}
            }
        }
        published
    }

    /// Throws away all that is not on disk, and reads the newest generation again.
    ///
    /// # Errors
    /// As [`crate::snapshot::load`].
    pub fn go_back(&mut self, departments: usize) -> Result<Loaded, LoadError> {
        self.cut = None;
        self.give_up_full();
        self.log.miss();
        let loaded = load(&self.directory, departments, None)?;
        self.base = loaded.found.as_ref().map(|found| found.base);
        self.links = loaded.links.clone();
        self.log = ChangeLog::new(&self.policy);
        Ok(loaded)
    }

    /// Puts aside what was found damaged.
    pub fn put_aside(&self, loaded: &Loaded) {
        self.directory.report_damaged(&loaded.damaged);
    }

    /// Nothing that is on disk is to be built upon: all rooms are another ones.
    pub fn start_over(&mut self) {
        self.lost_changes();
        self.base = None;
    }

    fn needs_full(&self) -> bool {
        let Some(base) = self.base.filter(|_| self.log.is_kept()) else { return true };
        self.policy.asks_for_full(base.changes_bytes, base.full_bytes)
    }

    fn give_up_full(&mut self) {
        if self.full.take().is_some() {
            self.directory.discard(FileKind::Full);
        }
    }

    /// Writes the changes up to `end` behind the rooms that were visited.
    fn write_behind(&mut self, end: u64) {
        let Some(full) = &mut self.full else { return };
        match full.write_behind(&self.log, end, &self.rooms) {
            Ok(()) if !full.has_outgrown(self.policy.outgrown_changes_min, self.rooms.rooms()) => return,
            Ok(()) => {}
            Err(error) => self.stumbled = Some(error),
        }
        self.give_up_full();
    }

    fn write_changes(&mut self, cut: &Cut, end: u64) -> io::Result<Published> {
        let Some(base) = self.base else { return Err(io::ErrorKind::NotFound.into()) };
        let (mut published, link) =
            self.make(FileKind::Changes, base.departments, cut, |directory, state| {
                let file = directory.create(FileKind::Changes)?;
                let mut writer = Writer::begin(file, Header { previous: Some(base.link) })?;
                name_departments(&mut writer, &self.rooms, base.departments, cut.departments)?;
                for changes in self.log.until(end) {
                    let (head, records, texts) = changes.payload();
                    writer.frame(FrameKind::Changes, &[&head, records, texts])?;
                }
                writer.frame(FrameKind::State, &[&state.encode()])?;
                writer.finish()
            })?;
        self.links.note(published.name(), Header { previous: Some(base.link) });
        // A full one may not have what was held back for an earlier cut: before it
        // is forgotten or numbered anew it has to be written there.
        self.write_behind(end);
        let changes = self.log.count_until(end);
        let sealed = self.policy.seals(changes, cut.state.rooms);
        let changes_bytes = base.changes_bytes + published.bytes;
        published.bytes_in_all = base.full_bytes + changes_bytes;
        if sealed || self.policy.asks_for_full(changes_bytes, base.full_bytes) {
            self.base = Some(Base { link, departments: cut.departments, changes_bytes, ..base });
            self.log.forget_until(end);
        } else {
            self.log.join_until(end);
        }
        self.prune();
        Ok(published)
    }

    fn complete(&mut self, mut full: Full, cut: &Cut, end: u64) -> io::Result<Published> {
        full.write_behind(&self.log, end, &self.rooms)?;
        full.name(&self.rooms, cut.departments)?;
        let (published, link) = self.make(FileKind::Full, 0, cut, |_, state| full.finish(&state.encode()))?;
        self.links.note(published.name(), Header { previous: None });
        self.base =
            Some(Base { link, departments: cut.departments, full_bytes: published.bytes, changes_bytes: 0 });
        self.log.forget_until(end);
        self.prune();
        Ok(published)
    }

    /// Writes a file, reads it back, and gives it its name.
    fn make(
        &self,
        kind: FileKind,
        departments: usize,
        cut: &Cut,
        write: impl FnOnce(&Directory, &State) -> io::Result<Written>,
    ) -> io::Result<(Published, Link)> {
        let directory = &self.directory;
        let made = directory.next_generation().and_then(|generation| {
            let state = State { generation, ..cut.state.clone() };
            let written = write(directory, &state)?;
            read_back(directory.reopen(kind), kind, departments, &state, written)?;
            let name = FileName { generation, kind };
            directory.publish(name).inspect_err(|_| directory.unpublish(name))?;
            let (bytes, written_at) = (written.bytes, cut.state.written_at);
            let published = Published { generation, bytes, bytes_in_all: bytes, kind, written_at };
            Ok((published, Link { generation, digest: written.digest }))
        });
        made.inspect_err(|_| directory.discard(kind))
    }

    fn prune(&mut self) {
        // Old generations that stay a while longer do no harm.
        if let Err(error) = self.directory.prune(self.policy.keep, &mut self.links) {
            tracing::warn!(%error, "old snapshots cannot be removed; trying again after the next one");
        }
    }
}
