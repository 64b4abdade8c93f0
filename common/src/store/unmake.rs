//! Removal of a new store that stayed empty, so that a command that fails leaves nothing
//! behind.
//!
//! Another process may have opened the store in the meantime. It takes the lock on blobs
//! before it adds any, and the lock on the index while it changes that, so only a store whose
//! locks are free is removed. After it has a lock, it checks that the store still exists.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::dir::Links;
use super::layout::{BLOBS, INDEX_FILE, LAYOUT_FILE, Store};
use super::{Error, lock};
use crate::digest::Algorithm;
use crate::oci::Index;

/// A store that this process made.
#[derive(Debug)]
pub(super) struct Made {
    /// The directories above it that were missing, the store's own first.
    dirs: Vec<PathBuf>,
    /// Set if an empty store is removed when it is closed.
    goes_if_empty: bool,
}

impl Made {
    pub(super) fn new(dirs: Vec<PathBuf>) -> Self {
        Self { dirs, goes_if_empty: false }
    }
}

/// Returns the directories that are missing on the way to `dir`, `dir` first.
pub(super) fn missing_dirs(dir: &Path) -> Vec<PathBuf> {
    let is_missing = |path: &&Path| {
        let found = fs::symlink_metadata(path);
        !path.as_os_str().is_empty()
            && matches!(found, Err(error) if error.kind() == io::ErrorKind::NotFound)
    };
    dir.ancestors().take_while(is_missing).map(Path::to_owned).collect()
}

impl Store {
    /// Has the store removed when it is closed, if this process made it and it is still empty.
    #[must_use]
    pub fn unmade_if_empty(mut self) -> Self {
        if let Some(made) = &mut self.made {
            made.goes_if_empty = true;
        }
        self
    }

    /// Removes the store if it is empty and nobody else uses it. Other files in its directory
    /// stay, and so does the directory.
    fn unmake(&self, made: &Made) -> Result<(), Error> {
        let Some(held) = self.adding.get() else { return Ok(()) };
        if !lock::is_ours_alone(held) {
            return Ok(());
        }
        let Some(_lock) = lock::index_at_once(&self.dir)? else { return Ok(()) };
        let failed = |error| Error::io(self.path())(error);
        let first = Index::new(Vec::new()).to_bytes().map_err(Error::document(self.path()))?;
        let index = self.read(INDEX_FILE, first.len() as u64, Links::Refuse);
        if index.map_err(failed)? != first {
            return Ok(());
        }
        let blobs = self.dir.below(BLOBS).map_err(failed)?;
        for algorithm in [Algorithm::Sha512, Algorithm::Sha256] {
            // This fails if it has a blob.
            blobs.remove_dir(algorithm.name()).map_err(failed)?;
        }
        self.dir.remove_dir(BLOBS).map_err(failed)?;
        // The mark of a layout goes first: processes that wait for a lock check it.
        for name in [LAYOUT_FILE, INDEX_FILE, lock::INDEX, lock::BLOBS] {
            self.dir.remove(name).map_err(failed)?;
        }
        made.dirs.iter().try_for_each(fs::remove_dir).map_err(failed)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(made) = self.made.take().filter(|made| made.goes_if_empty) {
            // An empty store that stays does no harm.
            let _ = self.unmake(&made);
        }
    }
}
