//! A writer that counts what passes through it, and hashes it if that is asked for.

use std::io::{self, Write};

use common::digest::{Algorithm, AsideHasher, Digest};
use common::progress::Progress;

/// A stream with a count.
#[derive(Debug)]
pub(crate) struct Meter<'a, W> {
    stream: W,
    hasher: Option<AsideHasher>,
    progress: Option<&'a Progress>,
    len_bytes: u64,
}

impl<'a, W: Write> Meter<'a, W> {
    pub(crate) fn new(stream: W, hashes: bool, progress: Option<&'a Progress>) -> Self {
        let hasher = hashes.then(|| AsideHasher::new(Algorithm::Sha256));
        Self { stream, hasher, progress, len_bytes: 0 }
    }

    /// The stream, the digest if it was asked for, and how many bytes have passed.
    pub(crate) fn finish(self) -> (W, Option<Digest>, u64) {
        (self.stream, self.hasher.map(AsideHasher::finish), self.len_bytes)
    }
}

impl<W: Write> Write for Meter<'_, W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let len = self.stream.write(buffer)?;
        let written = buffer.get(..len).unwrap_or_default();
        if let Some(hasher) = &mut self.hasher {
            hasher.update(written);
        }
        if let Some(progress) = self.progress {
            progress.add(len as u64);
        }
        self.len_bytes += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
