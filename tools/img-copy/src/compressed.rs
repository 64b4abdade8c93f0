//! What a layer came to when it was compressed: remembered by DiffID in the cache
//! folder, so that a registry that has it is not sent it again, and nobody compresses it
//! to find that out. Deleting the folder costs time only.

use std::path::PathBuf;

use common::cache;
use common::digest::Digest;
use common::document;

use crate::convert::Recode;

/// Longer than any digest and length.
const MAX_LEN_BYTES: u64 = 256;

/// The place for one layer in one format.
#[derive(Debug)]
pub(crate) struct Remembered(Option<PathBuf>);

impl Remembered {
    pub(crate) fn of(recode: &Recode, level: Option<i32>) -> Self {
        let path = || {
            let diff_id = &recode.diff_id.as_ref()?.0;
            let format = match level {
                Some(level) => format!("{}-{level}", recode.format),
                None => recode.format.to_string(),
            };
            let name = format!("{}-{}", diff_id.algorithm().name(), diff_id.hex());
            Some(cache::dir()?.join("compressed").join(format).join(name))
        };
        Self(path())
    }

    /// The digest and length in bytes, if they are known.
    pub(crate) fn get(&self) -> Option<(Digest, u64)> {
        let bytes = document::found(self.0.as_ref()?, MAX_LEN_BYTES).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (digest, len_bytes) = text.strip_suffix('\n')?.split_once(' ')?;
        Some((digest.parse().ok()?, len_bytes.parse().ok()?))
    }

    /// A cache that cannot be written is none.
    pub(crate) fn put(&self, digest: &Digest, len_bytes: u64) {
        if let Some(path) = &self.0 {
            let _ = cache::write(path, &[format!("{digest} {len_bytes}\n").as_bytes()]);
        }
    }
}
