//! The blobs that have been checked, by digest, each with the DiffID that it has.

use std::path::PathBuf;

use crate::cache;
use crate::digest::{DiffId, Digest};
use crate::document;

/// Longer than any DiffID.
const MAX_LEN_BYTES: u64 = 256;

/// Whether the blob is known to be a layer with this DiffID. Its bytes still have to be
/// checked against its digest when they are read.
#[must_use]
pub fn is_known(blob: &Digest, diff_id: &DiffId) -> bool {
    let read = path(blob).map(|path| document::found(&path, MAX_LEN_BYTES));
    read.and_then(Result::ok).is_some_and(|text| text == line(diff_id))
}

/// Remembers that the blob is a layer with this DiffID. Nothing is remembered where there
/// is no cache, or one that cannot be written.
pub fn remember(blob: &Digest, diff_id: &DiffId) {
    if let Some(path) = path(blob) {
        let _ = cache::write(&path, &[&line(diff_id)]);
    }
}

fn line(diff_id: &DiffId) -> Vec<u8> {
    format!("{diff_id}\n").into_bytes()
}

fn path(blob: &Digest) -> Option<PathBuf> {
    // Unit tests have no cache of their own.
    if cfg!(test) {
        return None;
    }
    let name = format!("{}-{}", blob.algorithm().name(), blob.hex());
    Some(cache::dir()?.join("verified").join(name))
}
