//! Reads a generation's file.
//!
//! Owns the distrust: a length is held against what is left before memory is
//! taken for it, a payload against its check before anybody sees it.

use std::io::{self, Read};

use crate::snapshot::format::{
    Digest, END, FOOTER_BYTES, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameKind, HEADER_BYTES, Header,
    OPENING_BYTES, ReadError, Written, decode_header, decode_opening, frame_check, u32_at, u64_at,
};

/// Reads a generation's file from its first byte to its last.
pub(in crate::snapshot) struct Reader {
    source: Box<dyn Read + Send>,
    header: Header,
    /// What is left in front of the footer.
    left: u64,
    bytes: u64,
    frames: u64,
    digest: Digest,
    payload: Vec<u8>,
}

impl Reader {
    pub(in crate::snapshot) fn open(bytes: u64, mut source: Box<dyn Read + Send>) -> Result<Self, ReadError> {
        let left = bytes.checked_sub((HEADER_BYTES + FOOTER_BYTES) as u64);
        let mut head = [0; HEADER_BYTES];
        let opening_bytes = bytes.min(OPENING_BYTES as u64);
        if opening_bytes < OPENING_BYTES as u64 {
            return Err(ReadError::Bad("it is too short to be a snapshot"));
        }
        fill(&mut source, &mut head[..OPENING_BYTES])?;
        decode_opening(&head[..OPENING_BYTES])?;
        let left = left.ok_or(ReadError::Bad("it is cut off"))?;
        fill(&mut source, &mut head[OPENING_BYTES..])?;
        let header = decode_header(&head)?;
        let mut digest = Digest::default();
        digest.update(&head);
        Ok(Self { source, header, left, bytes, frames: 0, digest, payload: Vec::new() })
    }

    pub(in crate::snapshot) fn header(&self) -> Header {
        self.header
    }

    /// The next frame, or none behind the last one; [`Reader::finish`] comes next.
    pub(in crate::snapshot) fn next(&mut self) -> Result<Option<(FrameKind, &[u8])>, ReadError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut head = [0; FRAME_HEAD_BYTES];
        self.left = self.left.checked_sub(FRAME_HEAD_BYTES as u64).ok_or(ReadError::Bad(NO_FRAME))?;
        fill(&mut self.source, &mut head)?;
        let kind = FrameKind::of(head[0]).filter(|_| head[1..4] == [0; 3]);
        let kind = kind.ok_or(ReadError::Bad("it has a frame of no known kind"))?;
        let length = u32_at(&head, 4) as usize;
        self.left = self.left.checked_sub(length as u64).ok_or(ReadError::Bad(NO_FRAME))?;
        if length > FRAME_BYTES_MAX {
            return Err(ReadError::Bad("it has a frame that is too long"));
        }
        self.payload.resize(length, 0);
        fill(&mut self.source, &mut self.payload)?;
        if frame_check(self.frames, &head[..8], &[&self.payload]) != u64_at(&head, 8) {
            return Err(ReadError::Bad("a frame does not match its check"));
        }
        self.digest.update(&head);
        self.digest.update(&self.payload);
        self.frames += 1;
        Ok(Some((kind, &self.payload)))
    }

    /// How many there will be of what was counted in all frames so far, if the rest of
    /// the file is like them.
    pub(in crate::snapshot) fn extrapolated(&self, counted: u64) -> usize {
        let read = u128::from((self.bytes - self.left).max(1));
        usize::try_from(u128::from(counted) * u128::from(self.bytes) / read).unwrap_or(usize::MAX)
    }

    /// The digest of the file, whose frames have all been read.
    pub(in crate::snapshot) fn finish(mut self) -> Result<Written, ReadError> {
        let mut footer = [0; FOOTER_BYTES];
        fill(&mut self.source, &mut footer)?;
        self.digest.update(&footer[..FOOTER_BYTES - 16]);
        if footer[..8] != END || u64_at(&footer, 8) != self.bytes || u64_at(&footer, 16) != self.frames {
            return Err(ReadError::Bad("its last bytes are not its footer"));
        }
        let digest = self.digest.value();
        if footer[FOOTER_BYTES - 16..] != digest.to_le_bytes() {
            return Err(ReadError::Bad("it does not match its digest"));
        }
        Ok(Written { bytes: self.bytes, digest })
    }
}

const NO_FRAME: &str = "it ends in the middle of a frame";

/// Reads exactly so much; a file that has become shorter is a bad one.
fn fill(source: &mut impl Read, bytes: &mut [u8]) -> Result<(), ReadError> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::Bad("it is shorter than it was said to be"),
        _ => ReadError::Io(error),
    })
}
