//! The frame around everything that a generation's file holds.
//!
//! Owns the bytes that `docs/snapshot-format.md` describes: an opening of one
//! form in every version, a header, frames with a check each, and a footer with
//! length and digest. Invariants: no length is believed before it was held
//! against what is left of the file, no byte reaches a decoder before its check
//! was right, and a file is whole only when its last byte is its footer's.

mod reader;
mod writer;

pub(super) use reader::Reader;
pub(super) use writer::Writer;

use std::io;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The version that is written, and the newest that can be read.
pub const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"RoomTaly";
const END: [u8; 8] = *b"RoomEnd.";

/// Magic, version and their check: of one form in every version.
const OPENING_BYTES: usize = 16;
const HEADER_BYTES: usize = OPENING_BYTES + 32;
const FRAME_HEAD_BYTES: usize = 16;
const FOOTER_BYTES: usize = 40;

/// The largest payload of a frame. Ours stay below a megabyte, but for the state of
/// a topic with very many partitions.
pub(super) const FRAME_BYTES_MAX: usize = 16 << 20;

/// A generation that others build upon: its number and its file's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) generation: u64,
    pub(super) digest: u128,
}

/// What a file says of itself before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// What the changes in this file are to be applied on; none in a file that
    /// holds all rooms.
    pub(super) previous: Option<Link>,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Names of departments, behind those so far.
    Departments = 1,
    /// Rooms, hour by hour.
    Rooms = 2,
    /// Rooms as they were changed, in order, and removed ones.
    Changes = 3,
    /// Everything else: positions, the log's identity, stops. The last frame.
    State = 4,
}

impl FrameKind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Departments, Self::Rooms, Self::Changes, Self::State]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system could not read it: nothing is said of the file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("{0}")]
    Bad(&'static str),
    /// It was written by a newer roomtally.
    #[error("it has format version {0}, and this roomtally reads up to {VERSION}")]
    Newer(u32),
}

/// A file that is complete and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) digest: u128,
}

fn encode_header(header: Header) -> [u8; HEADER_BYTES] {
    let Header { previous } = header;
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let check = opening_check(&bytes[..12]);
    bytes[12..16].copy_from_slice(&check.to_le_bytes());
    if let Some(Link { generation, digest }) = previous {
        bytes[16..24].copy_from_slice(&generation.to_le_bytes());
        bytes[24..40].copy_from_slice(&digest.to_le_bytes());
    }
    let check = xxh3_64(&bytes[..40]);
    bytes[40..].copy_from_slice(&check.to_le_bytes());
    bytes
}

fn decode_opening(bytes: &[u8]) -> Result<(), ReadError> {
    if bytes[..8] != MAGIC || u32_at(bytes, 12) != opening_check(&bytes[..12]) {
        return Err(ReadError::Bad("it does not begin as a snapshot does"));
    }
    match u32_at(bytes, 8) {
        VERSION => Ok(()),
        0 => Err(ReadError::Bad("it has no format version")),
        newer => Err(ReadError::Newer(newer)),
    }
}

fn decode_header(bytes: &[u8; HEADER_BYTES]) -> Result<Header, ReadError> {
    if u64_at(bytes, 40) != xxh3_64(&bytes[..40]) {
        return Err(ReadError::Bad("its header does not match its check"));
    }
    let (generation, digest) = (u64_at(bytes, 16), u128_at(bytes, 24));
    let previous = (generation > 0).then_some(Link { generation, digest });
    if previous.is_none() && digest != 0 {
        return Err(ReadError::Bad("its header contradicts itself"));
    }
    Ok(Header { previous })
}

#[allow(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
fn opening_check(bytes: &[u8]) -> u32 {
    xxh3_64(bytes) as u32
}

/// A frame's check also holds it at its place among the others.
fn frame_check(number: u64, head: &[u8], parts: &[&[u8]]) -> u64 {
    let mut check = Xxh3::with_seed(number);
    check.update(head);
    parts.iter().for_each(|part| check.update(part));
    check.digest()
}

/// A running digest.
#[derive(Default)]
struct Digest(Xxh3);

impl Digest {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn value(&self) -> u128 {
        self.0.digest128()
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.value())
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Written, ReadError> {
        let mut reader = Reader::open(bytes.len() as u64, Box::new(io::Cursor::new(bytes.to_vec())))?;
        while reader.next()?.is_some() {}
        reader.finish()
    }

    #[test]
    fn a_header_comes_back_and_no_bit_of_it_may_differ() {
        for previous in [None, Some(Link { generation: 7, digest: u128::MAX })] {
            let bytes = encode_header(Header { previous });
            assert_eq!(decode_header(&bytes).unwrap(), Header { previous });
            for bit in 0..8 * HEADER_BYTES {
                let mut other = bytes;
                other[bit / 8] ^= 1 << (bit % 8);
                let wrong =
                    decode_opening(&other[..OPENING_BYTES]).is_err() || decode_header(&other).is_err();
                assert!(wrong, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_file_without_a_byte_or_with_one_more_is_refused() {
        let mut bytes = encode_header(Header { previous: None }).to_vec();
        let mut footer = END.to_vec();
        footer.extend(((HEADER_BYTES + FOOTER_BYTES) as u64).to_le_bytes());
        footer.extend(0_u64.to_le_bytes());
        bytes.extend(&footer);
        let mut digest = Digest::default();
        digest.update(&bytes);
        bytes.extend(digest.value().to_le_bytes());
        assert_eq!(read(&bytes).unwrap().digest, digest.value());
        for length in 0..bytes.len() {
            assert!(matches!(read(&bytes[..length]), Err(ReadError::Bad(_))), "{length} bytes");
        }
        bytes.push(0);
        assert!(matches!(read(&bytes), Err(ReadError::Bad(_))));
    }

    #[test]
    fn a_newer_version_is_told_from_damage_by_its_opening_alone() {
        let mut opening = MAGIC.to_vec();
        opening.extend(9_u32.to_le_bytes());
        opening.extend(opening_check(&opening).to_le_bytes());
        assert!(matches!(read(&opening), Err(ReadError::Newer(9))));
        opening[8] ^= 1;
        assert!(matches!(read(&opening), Err(ReadError::Bad(_))));
    }

    #[test]
    fn a_length_is_held_against_what_is_left_before_memory_is_taken() {
        let mut bytes = encode_header(Header { previous: None }).to_vec();
        bytes.extend([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        bytes.extend([0; 8 + FOOTER_BYTES]);
        assert!(matches!(read(&bytes), Err(ReadError::Bad(NO_FRAME))));
    }

    const NO_FRAME: &str = "it ends in the middle of a frame";
}
