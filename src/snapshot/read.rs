//! One file, from its first byte to its last.
//!
//! Owns what a file's frames may hold and in which order. Invariant: a file is
//! read back before it is published with the same eyes that read it at a start,
//! so what is written and would be refused never becomes the newest generation.

use std::io;
use std::sync::Arc;

use crate::room::{MAX_ID_BYTES, Room, StoredIdRef};
use crate::snapshot::directory::{Directory, FileKind, FileName};
use crate::snapshot::format::{FrameKind, Link, ReadError, Reader, Written, u32_at};
use crate::snapshot::rooms::{Malformed, read_changes, read_rooms};
use crate::snapshot::state::State;
use crate::tally::Loading;

/// Departments named in one frame, so that it stays below a megabyte however many
/// there are and however long their names.
const DEPARTMENTS_AT_ONCE: usize = 4 * 1024;

/// Who takes what a file holds.
trait Taker {
    /// About so many rooms will come in all.
    fn expect(&mut self, _rooms: usize) {}
    fn departments(&self) -> usize;
    fn department(&mut self, name: &str) -> Result<(), Malformed>;
    fn put(&mut self, id: StoredIdRef<'_>, room: Room) -> Result<(), Malformed>;
    fn change(&mut self, id: StoredIdRef<'_>, room: Option<Room>) -> Result<(), Malformed>;
}

impl Taker for Loading {
    fn expect(&mut self, rooms: usize) {
        Loading::expect(self, rooms);
    }

    fn departments(&self) -> usize {
        Loading::departments(self)
    }

    fn department(&mut self, name: &str) -> Result<(), Malformed> {
        Loading::department(self, name).map_err(|_| Malformed)
    }

    fn put(&mut self, id: StoredIdRef<'_>, room: Room) -> Result<(), Malformed> {
        Loading::put(self, id, room).map_err(|_| Malformed)
    }

    fn change(&mut self, id: StoredIdRef<'_>, room: Option<Room>) -> Result<(), Malformed> {
        Loading::change(self, id, room).map_err(|_| Malformed)
    }
}

/// Takes nothing and looks at everything; how many departments were named.
struct Looker(usize);

impl Taker for Looker {
    fn departments(&self) -> usize {
        self.0
    }

    fn department(&mut self, _: &str) -> Result<(), Malformed> {
        self.0 += 1;
        Ok(())
    }

    fn put(&mut self, _: StoredIdRef<'_>, room: Room) -> Result<(), Malformed> {
        if room.department.0 as usize <= self.0 { Ok(()) } else { Err(Malformed) }
    }

    fn change(&mut self, id: StoredIdRef<'_>, room: Option<Room>) -> Result<(), Malformed> {
        room.map_or(Ok(()), |room| self.put(id, room))
    }
}

/// Reads one file on top of what was read so far, and holds it against itself.
pub(super) fn read_file(
    directory: &Directory,
    name: FileName,
    previous: Option<Link>,
    tally: &mut Loading,
) -> Result<(State, Written), ReadError> {
    let (state, written) = read_into(directory.open(name)?, name.kind, previous, tally)?;
    if state.generation == name.generation {
        Ok((state, written))
    } else {
        Err(ReadError::Bad("it was written under another name"))
    }
}

/// The same for a file of any name.
pub(super) fn read_into(
    mut reader: Reader,
    kind: FileKind,
    previous: Option<Link>,
    tally: &mut Loading,
) -> Result<(State, Written), ReadError> {
    if reader.header().previous != previous {
        return Err(ReadError::Bad("it builds upon another file than the one that is there"));
    }
    let state = read_frames(&mut reader, kind, tally)?;
    let written = reader.finish()?;
    if state.rooms != tally.rooms() as u64 {
        return Err(ReadError::Bad("it does not come to as many rooms as it says"));
    }
    Ok((state, written))
}

/// Reads a file that has just been written and has no name yet, before it is relied
/// on; `departments` are named by what it builds upon.
pub(super) fn read_back(
    opened: Result<Reader, ReadError>,
    kind: FileKind,
    departments: usize,
    state: &State,
    written: Written,
) -> io::Result<()> {
    let bad = |error: ReadError| match error {
        ReadError::Io(error) => error,
        other => {
            io::Error::new(io::ErrorKind::InvalidData, format!("what was written reads back wrong: {other}"))
        }
    };
    let mut reader = opened.map_err(bad)?;
    let read = read_frames(&mut reader, kind, &mut Looker(departments)).map_err(bad)?;
    if reader.finish().map_err(bad)? != written || read != *state {
        return Err(bad(ReadError::Bad("it is another file")));
    }
    Ok(())
}

fn read_frames(reader: &mut Reader, kind: FileKind, taker: &mut impl Taker) -> Result<State, ReadError> {
    let malformed = |Malformed| ReadError::Bad("it holds something that is never written");
    let (mut state, mut rooms, mut changes) = (None, 0, 0);
    while let Some((frame, payload)) = reader.next()? {
        if state.is_some() {
            return Err(ReadError::Bad("it goes on behind its state"));
        }
        match frame {
            FrameKind::Departments => read_departments(payload, taker).map_err(malformed)?,
            FrameKind::Rooms if kind == FileKind::Full => {
                read_rooms(payload, |id, room| {
                    rooms += 1;
                    taker.put(id, room)
                })
                .map_err(malformed)?;
                // Some of what changed while it was written are new rooms. Too few cost the time
                // to make place again, too many the memory of that.
                taker.expect(reader.extrapolated(rooms + changes.min(rooms / 2)));
            }
            FrameKind::Rooms => {
                return Err(ReadError::Bad("it holds whole hours, which only a full one does"));
            }
            FrameKind::Changes => {
                read_changes(payload, |id, room| {
                    changes += 1;
                    taker.change(id, room)
                })
                .map_err(malformed)?;
            }
            FrameKind::State => state = Some(State::decode(payload).ok_or(Malformed).map_err(malformed)?),
        }
    }
    state.ok_or(ReadError::Bad("it has no state"))
}

/// The payloads for departments: where their slots begin, and the names.
pub(super) fn encode_departments(first: usize, names: &[Arc<str>]) -> impl Iterator<Item = Vec<u8>> {
    names.chunks(DEPARTMENTS_AT_ONCE).enumerate().map(move |(chunk, names)| {
        let first = first + chunk * DEPARTMENTS_AT_ONCE;
        let mut payload = u32::try_from(first).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        for name in names {
            // An id has at most 128 bytes.
            payload.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            payload.extend_from_slice(name.as_bytes());
        }
        payload
    })
}

fn read_departments(mut payload: &[u8], taker: &mut impl Taker) -> Result<(), Malformed> {
    let first = payload.split_off(..4).ok_or(Malformed)?;
    if u32_at(first, 0) as usize != taker.departments() || payload.is_empty() {
        return Err(Malformed);
    }
    while let Some(length) = payload.split_off_first() {
        let length = usize::from(*length);
        let name = payload.split_off(..length).filter(|_| length <= MAX_ID_BYTES).ok_or(Malformed)?;
        taker.department(std::str::from_utf8(name).map_err(|_| Malformed)?)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn very_many_departments_are_named_in_several_frames_below_a_megabyte() {
        let names: Vec<Arc<str>> = (0..10_000).map(|number| format!("{number:0128}").into()).collect();
        let (mut tally, mut frames) = (Loading::new(0), 0);
        for known in [0, 5_000] {
            for payload in encode_departments(known, &names[known..known + 5_000]) {
                assert!(payload.len() < 1 << 20);
                read_departments(&payload, &mut tally).unwrap();
                frames += 1;
            }
        }
        assert_eq!((tally.departments(), frames), (10_000, 4));
    }

    #[test]
    fn departments_are_named_in_their_places_once_and_with_names_that_ids_can_have() {
        let long = |length: usize| {
            let mut payload = vec![0, 0, 0, 0, u8::try_from(length).unwrap()];
            payload.extend(vec![b'x'; length]);
            payload
        };
        let check = |payload: &[u8]| read_departments(payload, &mut Loading::new(0));
        assert_eq!(check(&long(128)), Ok(()));
        assert_eq!(check(&long(0)), Ok(()));
        for payload in [
            &long(129)[..],
            &long(128)[..100],
            &[0, 0, 0, 0],
            &[0, 0, 0],
            &[1, 0, 0, 0, 1, b'x'],
            &[0, 0, 0, 0, 1, b'x', 1, b'x'],
            &[0, 0, 0, 0, 1, 0xff],
        ] {
            assert_eq!(check(payload), Err(Malformed), "{payload:?}");
        }
    }
}
