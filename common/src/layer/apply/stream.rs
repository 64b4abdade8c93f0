//! A layer as it comes, compressed or not, and whether it is the one expected.

use std::io::Read;

use super::{Error, Options, Summary, pipeline};
use crate::compression::Format;
use crate::digest::{DiffId, Digest};
use crate::root::Root;

/// What is known of a layer before it is read, and what it must be.
#[derive(Debug, Default, Clone)]
pub struct Expected {
    /// The digest of the stream as it comes.
    pub digest: Option<Digest>,
    /// Its length.
    pub len_bytes: Option<u64>,
    /// The digest of the uncompressed archive.
    pub diff_id: Option<DiffId>,
    /// Its length, as far as it may grow with it; nobody checks that.
    pub stored_bytes: Option<u64>,
}

impl Expected {
    /// What an image says of a layer. The blob's own digest is its reader's to check.
    #[must_use]
    pub fn in_image(diff_id: &DiffId, stored_bytes: u64) -> Self {
        Self { diff_id: Some(diff_id.clone()), stored_bytes: Some(stored_bytes), ..Self::default() }
    }
}

/// What a layer was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The digest of the stream as it came.
    pub digest: Digest,
    /// Its length.
    pub len_bytes: u64,
    /// The digest of the uncompressed archive.
    pub diff_id: DiffId,
    /// The length of the uncompressed archive.
    pub archive_len_bytes: u64,
    /// How it was compressed.
    pub format: Format,
    /// What was applied.
    pub summary: Summary,
}

/// Applies one layer in any compression, read to its very end.
///
/// # Errors
/// Those of [`super::apply`], and a stream that is damaged or truncated.
pub fn apply_stream(root: &Root, layer: impl Read, options: &Options) -> Result<Applied, Error> {
    apply_verified(root, layer, options, &Expected::default())
}

/// Applies one layer that must be the one expected. What differs is found out at
/// the end, when the layer has been applied.
///
/// # Errors
/// Those of [`apply_stream`], and a layer that is not the one expected.
pub fn apply_verified(
    root: &Root,
    layer: impl Read,
    options: &Options,
    expected: &Expected,
) -> Result<Applied, Error> {
    let applied = pipeline::run(root, layer, options, expected)?;
    if let Some(len_bytes) = expected.len_bytes {
        if applied.len_bytes != len_bytes {
            return Err(Error::Length { expected: len_bytes, found: applied.len_bytes });
        }
    }
    if let Some(digest) = &expected.digest {
        if applied.digest != *digest {
            let expected = digest.clone();
            return Err(Error::Digest { expected, found: applied.digest });
        }
    }
    if let Some(diff_id) = &expected.diff_id {
        if applied.diff_id != *diff_id {
            let expected = diff_id.clone();
            return Err(Error::DiffId { expected, found: applied.diff_id });
        }
    }
    Ok(applied)
}
