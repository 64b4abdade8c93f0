//! Whether a blob is the layer that its image's config promises: a tar archive with this
//! DiffID (image-spec config.md, "Layer DiffID").
//!
//! The check goes on beside the thread that reads or writes the blob: [`Verifier`] gets the
//! bytes as they pass, inflates and hashes them on other threads, and follows the headers
//! of the archive to its end. Every header has to be one that our tar reader takes, so a
//! layer that passes can be unpacked as far as its form goes; docker's reader takes the
//! same archives but for a few ambiguous ones. An end-of-archive marker is not
//! needed, as the digest tells that nothing is missing. Names and what the members would
//! do to a tree are judged by [`crate::layer::apply`].
//!
//! A check that a blob has passed is remembered in the cache, by the blob's digest:
//! deleting it costs time only.

mod known;
mod passing;

use std::io::{self, Read};

use crate::compression::{Decoder, Format, Growth};
use crate::digest::{Algorithm, AsideHasher, DiffId, Digest};
use crate::tar;

pub use known::{is_known, remember};
pub use passing::Verifier;

/// Why a blob is not the layer that it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It inflates to something else.
    #[error("DiffID mismatch: expected {expected}, got {actual}")]
    DiffId {
        /// The DiffID in the config.
        expected: DiffId,
        /// What is there.
        actual: Digest,
    },
    /// It is no tar archive, or a damaged one.
    #[error("not a valid layer")]
    Tar(#[source] tar::Error),
    /// It cannot be inflated.
    #[error("not a valid layer")]
    Read(#[source] io::Error),
    /// No thread can be started for the check.
    #[error("cannot check the layer")]
    Thread(#[source] io::Error),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Reads `blob`, whose digest is `digest`, to its end, as far as it may grow.
///
/// # Errors
/// It is not a layer with this DiffID.
pub fn verify(
    blob: impl Read,
    digest: &Digest,
    diff_id: &DiffId,
    growth: Growth,
) -> Result<(), Error> {
    // The blob's own digest is checked by its reader.
    if *digest == diff_id.0 {
        let plain = Decoder::with_format(blob, Format::None, growth).map_err(Error::Read)?;
        return walk(plain).map(drop);
    }
    let decoder = Decoder::new(blob, growth).map_err(Error::Read)?;
    let actual = walk(Hashed::new(decoder, diff_id.0.algorithm()))?.finish();
    if actual != diff_id.0 {
        return Err(Error::DiffId { expected: diff_id.clone(), actual });
    }
    Ok(())
}

/// Follows an archive's headers to the end of the stream, and gives the stream back.
fn walk<R: Read>(stream: R) -> Result<R, Error> {
    let mut reader = tar::Reader::new(stream, tar::Limits::default(), tar::Whole::ByDigest);
    while reader.next_entry().map_err(Error::Tar)?.is_some() {}
    Ok(reader.finish().map_err(Error::Tar)?.into_inner())
}

/// An inflated stream, hashed on another thread.
pub(crate) struct Hashed<R> {
    decoder: Decoder<R>,
    hasher: AsideHasher,
}

impl<R> Hashed<R> {
    /// Hashes what is read of `decoder`.
    pub(crate) fn new(decoder: Decoder<R>, algorithm: Algorithm) -> Self {
        Self { decoder, hasher: AsideHasher::new(algorithm) }
    }

    /// The digest of all that was read.
    pub(crate) fn finish(self) -> Digest {
        self.hasher.finish()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.decoder.read(buffer)?;
        self.hasher.update(buffer.get(..len).unwrap_or_default());
        Ok(len)
    }
}

#[cfg(test)]
mod tests;
