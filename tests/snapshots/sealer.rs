//! A second writer and reader of the format, made from its description alone.
//!
//! Knows `docs/snapshot-format.md` and nothing of the program, so that what both
//! agree on is what is written there.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128};

const HEADER: usize = 48;
const FRAME_HEAD: usize = 16;
const FOOTER: usize = 40;

/// A file taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) version: u32,
    /// Number and digest of what it builds upon; zeros for nothing.
    pub(crate) previous: (u64, u128),
    /// Kind and payload of each frame.
    pub(crate) frames: Vec<(u32, Vec<u8>)>,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(number(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(number(bytes, at))
}

impl Parts {
    /// Takes apart a file that is whole.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        assert_eq!(&bytes[..8], b"RoomTaly");
        let previous = (u64_at(bytes, 16), u128::from_le_bytes(number(bytes, 24)));
        let (mut at, mut frames) = (HEADER, Vec::new());
        while at < bytes.len() - FOOTER {
            let end = at + FRAME_HEAD + u32_at(bytes, at + 4) as usize;
            frames.push((u32_at(bytes, at), bytes[at + FRAME_HEAD..end].to_vec()));
            at = end;
        }
        Self { version: u32_at(bytes, 8), previous, frames }
    }

    /// The bytes with all checks right.
    pub(crate) fn seal(&self) -> Vec<u8> {
        let mut bytes = b"RoomTaly".to_vec();
        bytes.extend(self.version.to_le_bytes());
        let check = xxh3_64(&bytes);
        bytes.extend(&check.to_le_bytes()[..4]);
        bytes.extend(self.previous.0.to_le_bytes());
        bytes.extend(self.previous.1.to_le_bytes());
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        for (place, (kind, payload)) in (0..).zip(&self.frames) {
            let mut checked = kind.to_le_bytes().to_vec();
            checked.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
            let head = checked.clone();
            checked.extend(payload);
            bytes.extend(head);
            bytes.extend(xxh3_64_with_seed(&checked, place).to_le_bytes());
            bytes.extend(payload);
        }
        let length = bytes.len() + FOOTER;
        bytes.extend(b"RoomEnd.");
        bytes.extend((length as u64).to_le_bytes());
        bytes.extend((self.frames.len() as u64).to_le_bytes());
        bytes.extend(xxh3_128(&bytes).to_le_bytes());
        bytes
    }
}

/// The digest at the end of a file.
pub(crate) fn digest(bytes: &[u8]) -> u128 {
    u128::from_le_bytes(number(bytes, bytes.len() - 16))
}
