//! A new store removed again if nothing was put into it, so that a command that is refused
//! leaves nothing behind.
//!
//! Another process may have found the store in the meantime. It holds the lock on blobs
//! from the moment when it adds something, and that on the index while it changes it, so
//! only a store whose locks are free is removed; and whoever gets a lock to add something
//! looks again if the store is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::dir::Links;
use super::layout::{BLOBS, INDEX_FILE, LAYOUT_FILE, Store};
use super::{Error, lock};
use crate::digest::Algorithm;
use crate::oci::Index;

/// The parts of a store that this process has made.
#[derive(Debug)]
pub(super) struct Made {
    /// The directories above it that were missing, the store's own first.
    dirs: Vec<PathBuf>,
    /// Set if the store goes when nothing is put into it.
    is_for_use: bool,
}

impl Made {
    pub(super) fn new(dirs: Vec<PathBuf>) -> Self {
        Self { dirs, is_for_use: false }
    }
}

/// The directories that are missing on the way to `dir`, `dir` first.
pub(super) fn missing_dirs(dir: &Path) -> Vec<PathBuf> {
    let is_missing = |path: &&Path| {
        let found = fs::symlink_metadata(path);
        !path.as_os_str().is_empty()
            && matches!(found, Err(error) if error.kind() == io::ErrorKind::NotFound)
    };
    dir.ancestors().take_while(is_missing).map(Path::to_owned).collect()
}

impl Store {
    /// The same store. If this process made it and puts nothing into it, it is removed
    /// when it is closed.
    #[must_use]
    pub fn unmade_if_empty(mut self) -> Self {
        if let Some(made) = &mut self.made {
            made.is_for_use = true;
        }
        self
    }

    /// Removes the parts of an empty store. If the directory holds other files, they and the
    /// store stay.
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
            // Refused if a blob is in it.
            blobs.remove_dir(algorithm.name()).map_err(failed)?;
        }
        self.dir.remove_dir(BLOBS).map_err(failed)?;
        // The mark of a layout first: whoever waits for a lock looks for it.
        for name in [LAYOUT_FILE, INDEX_FILE, lock::INDEX, lock::BLOBS] {
            self.dir.remove(name).map_err(failed)?;
        }
        made.dirs.iter().try_for_each(fs::remove_dir).map_err(failed)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(made) = self.made.take().filter(|made| made.is_for_use) {
            // A store that stays is as good as one that was there.
            let _ = self.unmake(&made);
        }
    }
}
