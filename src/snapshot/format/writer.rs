//! Writes a generation's file.
//!
//! Owns the order of its bytes and their syncs. Nothing of it counts before
//! [`Writer::finish`] has come back without an error; after an error the file
//! is to be thrown away, since nothing is known of what the disk has of it.

use std::io;

use crate::snapshot::files::{NewFile, write_all};
use crate::snapshot::format::{
    Digest, END, FOOTER_BYTES, FRAME_BYTES_MAX, FRAME_HEAD_BYTES, FrameKind, Header, Written, encode_header,
    frame_check,
};

/// How much is written between two syncs, so that the last one of a large file
/// is short.
const SYNC_BYTES: usize = 64 << 20;

/// Small frames are gathered up to so many bytes before they are written.
const GATHER_BYTES: usize = 256 << 10;

/// Writes a generation's file.
#[derive(Debug)]
pub(in crate::snapshot) struct Writer {
    file: Box<dyn NewFile>,
    gathered: Vec<u8>,
    digest: Digest,
    bytes: u64,
    frames: u64,
    unsynced: usize,
}

impl Writer {
    pub(in crate::snapshot) fn begin(file: Box<dyn NewFile>, header: Header) -> io::Result<Self> {
        let (gathered, digest) = (Vec::with_capacity(GATHER_BYTES), Digest::default());
        let mut writer = Self { file, gathered, digest, bytes: 0, frames: 0, unsynced: 0 };
        writer.put(&encode_header(header))?;
        Ok(writer)
    }

    /// Adds a frame whose payload is these parts one after the other.
    pub(in crate::snapshot) fn frame(&mut self, kind: FrameKind, parts: &[&[u8]]) -> io::Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let too_long = || io::Error::new(io::ErrorKind::InvalidInput, "a frame would be too long");
        let length = u32::try_from(length).ok().filter(|&length| length as usize <= FRAME_BYTES_MAX);
        let mut head = [0; FRAME_HEAD_BYTES];
        head[0] = kind as u8;
        head[4..8].copy_from_slice(&length.ok_or_else(too_long)?.to_le_bytes());
        let check = frame_check(self.frames, &head[..8], parts);
        head[8..].copy_from_slice(&check.to_le_bytes());
        self.frames += 1;
        self.put(&head)?;
        parts.iter().try_for_each(|part| self.put(part))
    }

    /// Adds the footer and makes the whole file durable.
    pub(in crate::snapshot) fn finish(mut self) -> io::Result<Written> {
        let bytes = self.bytes + FOOTER_BYTES as u64;
        let mut footer = [0; FOOTER_BYTES - 16];
        footer[..8].copy_from_slice(&END);
        footer[8..16].copy_from_slice(&bytes.to_le_bytes());
        footer[16..].copy_from_slice(&self.frames.to_le_bytes());
        self.put(&footer)?;
        let digest = self.digest.value();
        self.put(&digest.to_le_bytes())?;
        self.write_out()?;
        self.file.sync()?;
        Ok(Written { bytes, digest })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER_BYTES {
            self.write_out()?;
        }
        if self.unsynced >= SYNC_BYTES {
            self.unsynced = 0;
            self.file.sync()?;
        }
        Ok(())
    }

    fn write_out(&mut self) -> io::Result<()> {
        write_all(&mut *self.file, &self.gathered)?;
        self.unsynced += self.gathered.len();
        self.gathered.clear();
        Ok(())
    }
}
