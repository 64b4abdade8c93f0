//! The folder of what can be made again at any time: unpacked layers, sizes, results
//! of build steps. Deleting it costs time only.
//!
//! It is its owner's alone, down to each folder in it: what images hold, set-id
//! programs among it, must be out of reach of the host's other users (CVE-2021-41091).

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::directories::of_user;

/// Where it is: `XDG_CACHE_HOME/layerutils`, else root's, `/var/cache/layerutils`, or a
/// user's `~/.cache/layerutils`; `None` for a user without a home, who has no cache.
#[must_use]
pub fn dir() -> Option<PathBuf> {
    of_user("/var/cache/layerutils", "XDG_CACHE_HOME", ".cache")
}

/// Makes a folder of the cache, and those above it that are missing.
///
/// # Errors
/// What mkdir(2) says.
pub fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file of the cache, part after part, that appears whole or not at all; its
/// folder is made where it is missing. A crash may leave it empty: who reads it checks it.
///
/// # Errors
/// A place that cannot be written.
pub fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    make(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    for part in parts {
        new.write_all(part)?;
    }
    new.persist(path)?;
    Ok(())
}
