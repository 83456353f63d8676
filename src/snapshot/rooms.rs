//! Rooms as they stand in a file.
//!
//! Owns the two payloads that hold rooms: whole hours, and changes in their
//! order. A record has a fixed size; the text of an id that has no packed form
//! stands behind the records, in their order. Nothing is taken over unless it is
//! exactly what would be written for it.

use crate::room::{DepartmentSlot, MAX_ID_BYTES, PackedId, Room, StoredIdRef, Timestamp};
use crate::snapshot::format::{u32_at, u64_at};

const HOUR_MS: i64 = 3_600_000;

/// A room in its hour: id 16, instant in the hour and state 4, department 4.
const ROOM_BYTES: usize = 24;
const GROUP_HEAD_BYTES: usize = 16;

/// A changed room: id 16, instant and state 8, department 4.
const CHANGE_BYTES: usize = 28;
const CHANGES_HEAD_BYTES: usize = 8;

/// Bits of a state: the letters of a packed id (0 where the id is a text), whether
/// the visitor waits, whether the room is gone; the instant stands above.
const LETTERS_BITS: u32 = 6;
const WAITING: u64 = 1 << LETTERS_BITS;
const REMOVED: u64 = WAITING << 1;
const STATE_BITS: u32 = LETTERS_BITS + 2;

/// Some rooms, hour by hour, on their way into a frame.
#[derive(Debug, Default)]
pub(super) struct RoomsPayload {
    groups: Vec<u8>,
    texts: Vec<u8>,
    hour: i64,
    /// Where the group that is being filled begins, if there is one.
    group: Option<usize>,
}

/// Changes in their order, on their way into a frame.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    records: Vec<u8>,
    texts: Vec<u8>,
    departments: usize,
}

/// The payload is not what would have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl RoomsPayload {
    pub(super) fn push(&mut self, id: StoredIdRef<'_>, room: Room) {
        let hour = room.ts.as_millis().div_euclid(HOUR_MS);
        if self.group.is_none() || hour != self.hour {
            self.end_group();
            self.hour = hour;
            self.group = Some(self.groups.len());
            self.groups.extend_from_slice(&hour.to_le_bytes());
            self.groups.extend_from_slice(&[0; GROUP_HEAD_BYTES - 8]);
        }
        let in_hour = room.ts.as_millis().rem_euclid(HOUR_MS);
        let letters = push_id(&mut self.groups, &mut self.texts, id);
        // An hour's milliseconds have 22 bits.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "22 + 8 bits, not negative"
        )]
        let state = ((in_hour as u64) << STATE_BITS | state(letters, room.waiting)) as u32;
        self.groups.extend_from_slice(&state.to_le_bytes());
        self.groups.extend_from_slice(&room.department.0.to_le_bytes());
    }

    /// The payload so far; leaves nothing.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.end_group();
        std::mem::take(&mut self.groups)
    }

    /// How long the payload is so far.
    pub(super) fn len(&self) -> usize {
        self.groups.len() + self.texts.len()
    }

    fn end_group(&mut self) {
        let Some(begin) = self.group.take() else { return };
        let rooms = (self.groups.len() - begin - GROUP_HEAD_BYTES) / ROOM_BYTES;
        self.groups[begin + 8..begin + 12].copy_from_slice(&length(rooms).to_le_bytes());
        self.groups[begin + 12..begin + 16].copy_from_slice(&length(self.texts.len()).to_le_bytes());
        self.groups.append(&mut self.texts);
    }
}

impl Changes {
    /// Adds a change behind those so far: the room as it is now, or that it is gone.
    pub fn push(&mut self, id: StoredIdRef<'_>, room: Option<Room>) {
        let letters = push_id(&mut self.records, &mut self.texts, id);
        let (ts, waiting, department) = match room {
            Some(room) => (room.ts.as_millis(), room.waiting, room.department.0),
            None => (0, false, 0),
        };
        let removed = if room.is_none() { REMOVED } else { 0 };
        // An instant has 54 bits, its sign among them.
        #[allow(clippy::cast_sign_loss, reason = "bits are kept as they are")]
        let state = (ts << STATE_BITS) as u64 | state(letters, waiting) | removed;
        self.records.extend_from_slice(&state.to_le_bytes());
        self.records.extend_from_slice(&department.to_le_bytes());
    }

    /// Says how many departments were known when the last one was added, without
    /// none.
    pub fn know(&mut self, departments: usize) {
        self.departments = departments;
    }

    /// How many departments they may name, without none.
    pub(super) fn departments(&self) -> usize {
        self.departments
    }

    /// Adds others behind those so far.
    pub(super) fn append(&mut self, other: &Self) {
        self.departments = self.departments.max(other.departments);
        self.records.extend_from_slice(&other.records);
        self.texts.extend_from_slice(&other.texts);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len() / CHANGE_BYTES
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The head of the payload; the two parts that follow it.
    pub(super) fn payload(&self) -> ([u8; CHANGES_HEAD_BYTES], &[u8], &[u8]) {
        let mut head = [0; CHANGES_HEAD_BYTES];
        head[..4].copy_from_slice(&length(self.len()).to_le_bytes());
        head[4..].copy_from_slice(&length(self.texts.len()).to_le_bytes());
        (head, &self.records, &self.texts)
    }
}

/// Reads the rooms of a frame one by one.
pub(super) fn read_rooms(
    mut payload: &[u8],
    mut each: impl FnMut(StoredIdRef<'_>, Room) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while !payload.is_empty() {
        let head = payload.split_off(..GROUP_HEAD_BYTES).ok_or(Malformed)?;
        let hour_ms =
            i64::from_le_bytes(u64_at(head, 0).to_le_bytes()).checked_mul(HOUR_MS).ok_or(Malformed)?;
        let (records, mut texts) = split(&mut payload, u32_at(head, 8), u32_at(head, 12), ROOM_BYTES)?;
        if records.is_empty() {
            return Err(Malformed);
        }
        for record in records.chunks_exact(ROOM_BYTES) {
            let state = u32_at(record, 16);
            let in_hour = i64::from(state >> STATE_BITS);
            if in_hour >= HOUR_MS || u64::from(state) & REMOVED != 0 {
                return Err(Malformed);
            }
            let ts = hour_ms.checked_add(in_hour).ok_or(Malformed)?;
            let id = read_id(record, u64::from(state), &mut texts)?;
            each(id, room(ts, u64::from(state), u32_at(record, 20))?)?;
        }
        if !texts.is_empty() {
            return Err(Malformed);
        }
    }
    Ok(())
}

/// Reads the changes of a frame one by one, in their order.
pub(super) fn read_changes(
    mut payload: &[u8],
    mut each: impl FnMut(StoredIdRef<'_>, Option<Room>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let head = payload.split_off(..CHANGES_HEAD_BYTES).ok_or(Malformed)?;
    let (records, mut texts) = split(&mut payload, u32_at(head, 0), u32_at(head, 4), CHANGE_BYTES)?;
    for record in records.chunks_exact(CHANGE_BYTES) {
        let state = u64_at(record, 16);
        let ts = i64::from_le_bytes(state.to_le_bytes()) >> STATE_BITS;
        let (id, department) = (read_id(record, state, &mut texts)?, u32_at(record, 24));
        let room = if state & REMOVED == 0 { Some(room(ts, state, department)?) } else { None };
        if room.is_none() && (ts != 0 || department != 0 || state & WAITING != 0) {
            return Err(Malformed);
        }
        each(id, room)?;
    }
    if texts.is_empty() && payload.is_empty() { Ok(()) } else { Err(Malformed) }
}

/// Takes records and texts from the front of a payload, if it is long enough.
fn split<'a>(
    payload: &mut &'a [u8],
    records: u32,
    texts: u32,
    size: usize,
) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let records = (records as usize).checked_mul(size).ok_or(Malformed)?;
    let records = payload.split_off(..records).ok_or(Malformed)?;
    let texts = payload.split_off(..texts as usize).ok_or(Malformed)?;
    Ok((records, texts))
}

fn state(letters: u8, waiting: bool) -> u64 {
    u64::from(letters) | if waiting { WAITING } else { 0 }
}

fn room(ts: i64, state: u64, department: u32) -> Result<Room, Malformed> {
    let ts = Timestamp::from_millis(ts);
    let department = DepartmentSlot(department);
    let inside = (Timestamp::MIN..=Timestamp::MAX).contains(&ts);
    if inside { Ok(Room { ts, department, waiting: state & WAITING != 0 }) } else { Err(Malformed) }
}

/// Writes an id's 16 bytes; says how many letters its packed form has.
fn push_id(records: &mut Vec<u8>, texts: &mut Vec<u8>, id: StoredIdRef<'_>) -> u8 {
    let (bits, letters) = match id {
        StoredIdRef::Packed(packed) => (packed.bits(), packed.letters()),
        StoredIdRef::Long(text) => {
            texts.extend_from_slice(text.as_bytes());
            ([text.len() as u64, 0], 0)
        }
    };
    bits.iter().for_each(|half| records.extend_from_slice(&half.to_le_bytes()));
    letters
}

fn read_id<'a>(record: &[u8], state: u64, texts: &mut &'a [u8]) -> Result<StoredIdRef<'a>, Malformed> {
    let bits = [u64_at(record, 0), u64_at(record, 8)];
    #[allow(clippy::cast_possible_truncation, reason = "6 bits")]
    let letters = (state & ((1 << LETTERS_BITS) - 1)) as u8;
    if letters > 0 {
        return PackedId::from_parts(bits, letters).map(StoredIdRef::Packed).ok_or(Malformed);
    }
    let length = usize::try_from(bits[0]).ok().filter(|&length| length <= MAX_ID_BYTES && bits[1] == 0);
    let text = length.and_then(|length| texts.split_off(..length)).ok_or(Malformed)?;
    // What has a packed form is never written as a text, the empty text included.
    match StoredIdRef::of(std::str::from_utf8(text).map_err(|_| Malformed)?) {
        long @ StoredIdRef::Long(text) if !text.is_empty() => Ok(long),
        _ => Err(Malformed),
    }
}

/// A length inside a frame, which is far below the limit.
fn length(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn instants() -> [i64; 7] {
        [0, -1, 1, HOUR_MS - 1, -HOUR_MS, Timestamp::MIN.as_millis(), Timestamp::MAX.as_millis()]
    }

    fn ids() -> Vec<String> {
        let texts = ["a", "\0", "sixteen bytes ok", "BtS3XkqN8mY2cQwZr", "507f1f77bcf86cd799439011"];
        let uuid = "123e4567-e89b-12d3-a456-426614174000";
        let long = ["x".repeat(MAX_ID_BYTES), "é".repeat(64), "seventeen letters".to_owned()];
        texts.into_iter().chain([uuid]).map(str::to_owned).chain(long).collect()
    }

    fn every(mut each: impl FnMut(&str, Room)) {
        for ts in instants().map(Timestamp::from_millis) {
            for id in ids() {
                for (department, waiting) in [(0, true), (u32::MAX, false)] {
                    each(&id, Room { ts, department: DepartmentSlot(department), waiting });
                }
            }
        }
    }

    #[test]
    fn rooms_come_back_with_every_id_at_every_instant() {
        let (mut payload, mut put, mut read) = (RoomsPayload::default(), Vec::new(), Vec::new());
        every(|id, room| {
            payload.push(StoredIdRef::of(id), room);
            put.push((StoredIdRef::of(id).into_owned(), room));
        });
        read_rooms(&payload.take(), |id, room| {
            read.push((id.into_owned(), room));
            Ok(())
        })
        .unwrap();
        assert_eq!(read, put);
        assert!(payload.take().is_empty());
    }

    #[test]
    fn changes_come_back_in_their_order_with_what_is_gone() {
        let (mut changes, mut put, mut read) = (Changes::default(), Vec::new(), Vec::new());
        every(|id, room| {
            for room in [Some(room), None] {
                let mut one = Changes::default();
                one.push(StoredIdRef::of(id), room);
                changes.append(&one);
                put.push((StoredIdRef::of(id).into_owned(), room));
            }
        });
        let (head, records, texts) = changes.payload();
        read_changes(&[&head, records, texts].concat(), |id, room| {
            read.push((id.into_owned(), room));
            Ok(())
        })
        .unwrap();
        assert_eq!((read.len(), changes.len()), (put.len(), put.len()));
        assert_eq!(read, put);
    }

    /// A change of the room `id` with these bytes from `at` on in its place.
    fn altered(id: &str, room: Option<Room>, at: usize, bytes: &[u8]) -> Result<(), Malformed> {
        let mut changes = Changes::default();
        changes.push(StoredIdRef::of(id), room);
        let (head, records, texts) = changes.payload();
        let mut payload = [&head, records, texts].concat();
        payload[at..at + bytes.len()].copy_from_slice(bytes);
        read_changes(&payload, |_, _| Ok(()))
    }

    #[test]
    fn what_would_never_be_written_is_refused() {
        let room = Room { ts: Timestamp::MAX, department: DepartmentSlot(0), waiting: false };
        let long = "a text of some thirty letters!";
        assert_eq!(altered("a", Some(room), 0, &[1]), Ok(()));
        assert_eq!(altered(long, Some(room), 0, &[1]), Ok(()));
        let later = ((Timestamp::MAX.as_millis() + 1) << STATE_BITS).cast_unsigned() | 1;
        for (id, room, at, bytes) in [
            ("a", Some(room), 0, &[2][..]),
            ("a", Some(room), 0, &[0xff, 0xff, 0xff, 0xff]),
            ("a", Some(room), 4, &[1]),
            ("a", Some(room), 9, b"b"),
            ("a", Some(room), 24, &[0]),
            ("a", Some(room), 24, &[40]),
            ("a", Some(room), 24, &later.to_le_bytes()),
            ("a", None, 25, &[1]),
            ("a", None, 24, &[0xc1]),
            ("a", None, 32, &[1]),
            (long, Some(room), 8, &[29]),
            (long, Some(room), 8, &[31]),
            (long, Some(room), 16, &[1]),
            (long, Some(room), 8 + CHANGE_BYTES, &[0xff]),
        ] {
            assert_eq!(altered(id, room, at, bytes), Err(Malformed), "{id} {at} {bytes:x?}");
        }
        // What has a packed form is not taken as a text.
        let mut payload = vec![1, 0, 0, 0, 1, 0, 0, 0, 1];
        payload.resize(CHANGES_HEAD_BYTES + CHANGE_BYTES, 0);
        payload.push(b'a');
        assert_eq!(read_changes(&payload, |_, _| Ok(())), Err(Malformed));
    }

    #[test]
    fn an_hour_has_a_room_and_no_more_milliseconds_than_an_hour() {
        let mut payload = RoomsPayload::default();
        let room = Room { ts: Timestamp::MIN, department: DepartmentSlot(0), waiting: true };
        payload.push(StoredIdRef::of("a"), room);
        let bytes = payload.take();
        let check = |at: usize, replaced: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + replaced.len()].copy_from_slice(replaced);
            read_rooms(&bytes, |_, _| Ok(()))
        };
        assert_eq!(check(0, &[]), Ok(()));
        assert_eq!(check(8, &[0]), Err(Malformed));
        assert_eq!(check(7, &[0x7f]), Err(Malformed));
        assert_eq!(check(0, &(Timestamp::MIN.as_millis() / HOUR_MS - 1).to_le_bytes()), Err(Malformed));
        assert_eq!(check(32, &((3_600_000_u32 << 8) | 1).to_le_bytes()), Err(Malformed));
        assert_eq!(check(32, &[0xc1]), Err(Malformed));
        assert_eq!(read_rooms(&[0; GROUP_HEAD_BYTES], |_, _| Ok(())), Err(Malformed));
        assert_eq!(read_rooms(&[0; 3], |_, _| Ok(())), Err(Malformed));
    }
}
