//! A file with all rooms, while it is being written.
//!
//! Owns the order of what goes into it. Invariant: a change stands behind every
//! visit that may have seen the room before it, and the changes stand in their
//! order, so whoever reads the file from front to back and believes the last
//! word on each room has the rooms of the instant behind the last change.

use std::io;
use std::time::{Duration, Instant};

use crate::snapshot::changes::ChangeLog;
use crate::snapshot::directory::{Directory, FileKind};
use crate::snapshot::format::{FrameKind, Header, Writer, Written};
use crate::snapshot::read::encode_departments;
use crate::snapshot::rooms::RoomsPayload;
use crate::tally::{TallyReader, WalkCursor};

#[derive(Debug)]
pub(super) struct Full {
    writer: Writer,
    cursor: WalkCursor,
    visited_all: bool,
    payload: RoomsPayload,
    /// How many departments it names so far.
    departments: usize,
    /// The first part of the log that is not in it yet.
    next_part: u64,
    changes: usize,
}

impl Full {
    /// Begins the file; changes from the part `next_part` on belong into it.
    pub(super) fn begin(directory: &Directory, next_part: u64) -> io::Result<Self> {
        let writer = Writer::begin(directory.create(FileKind::Full)?, Header { previous: None })?;
        Ok(Self {
            writer,
            cursor: WalkCursor::default(),
            visited_all: false,
            payload: RoomsPayload::default(),
            departments: 0,
            next_part,
            changes: 0,
        })
    }

    pub(super) fn has_visited_all(&self) -> bool {
        self.visited_all
    }

    pub(super) fn next_part(&self) -> u64 {
        self.next_part
    }

    pub(super) fn has_outgrown(&self, min: usize, rooms: usize) -> bool {
        self.changes > min.max(rooms)
    }

    /// Visits some rooms; says how long counting had to wait for it.
    pub(super) fn visit(&mut self, rooms: &TallyReader, max: usize) -> io::Result<Duration> {
        let (cursor, payload) = (&mut self.cursor, &mut self.payload);
        let began = Instant::now();
        let all = rooms.walk(cursor, max, |id, room| payload.push(id, room));
        let waited = began.elapsed();
        // The rooms that were visited belong to departments that are known by now.
        self.name(rooms, usize::MAX)?;
        if self.payload.len() > 0 {
            let payload = self.payload.take();
            self.writer.frame(FrameKind::Rooms, &[&payload])?;
        }
        self.visited_all = all;
        Ok(waited)
    }

    /// Writes the changes up to `end`.
    pub(super) fn write_behind(&mut self, log: &ChangeLog, end: u64, rooms: &TallyReader) -> io::Result<()> {
        for changes in log.between(self.next_part, end) {
            self.name(rooms, changes.departments())?;
            let (head, records, texts) = changes.payload();
            self.writer.frame(FrameKind::Changes, &[&head, records, texts])?;
            self.changes += changes.len();
        }
        self.next_part = self.next_part.max(end);
        Ok(())
    }

    /// Names the departments that are not named yet, up to so many in all.
    pub(super) fn name(&mut self, rooms: &TallyReader, departments: usize) -> io::Result<()> {
        self.departments += name_departments(&mut self.writer, rooms, self.departments, departments)?;
        Ok(())
    }

    pub(super) fn finish(mut self, state: &[u8]) -> io::Result<Written> {
        self.writer.frame(FrameKind::State, &[state])?;
        self.writer.finish()
    }
}

/// Names the departments behind the first `known` of them, up to so many in all;
/// says how many that are.
pub(super) fn name_departments(
    writer: &mut Writer,
    rooms: &TallyReader,
    known: usize,
    departments: usize,
) -> io::Result<usize> {
    if departments <= known {
        return Ok(0);
    }
    let mut names = rooms.departments_since(known);
    names.truncate(departments - known);
    for payload in encode_departments(known, &names) {
        writer.frame(FrameKind::Departments, &[&payload])?;
    }
    Ok(names.len())
}
