//! A directory for one step that is gone when the step is, however it ends.

use std::fs::File;
use std::path::{Path, PathBuf};

use common::scratch;

use crate::error::Error;

/// A temporary directory, for its owner only.
#[derive(Debug)]
pub(crate) struct Scratch(scratch::Scratch);

impl Scratch {
    /// In the cache, which is where images are unpacked and so a file system that
    /// overlays work on; else among the temporary files.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub(crate) fn new(cache: Option<&Path>) -> Result<Self, Error> {
        if let Some(cache) = cache {
            let folder = scratch::folder(cache);
            return scratch::Scratch::new(&folder).map(Self).map_err(Error::file(folder));
        }
        let place = std::env::temp_dir();
        let made = tempfile::Builder::new().prefix(".step-").tempdir_in(&place);
        let adopted = made.and_then(|made| scratch::Scratch::adopt(&made.keep()));
        adopted.map(Self).map_err(Error::file(place))
    }

    /// A new directory in it.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path().join(name);
        std::fs::create_dir(&path).map_err(Error::file(&path))?;
        Ok(path)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.dir()
    }
}

/// A file without a name, in the cache if it can be written, else among the temporary files.
///
/// # Errors
/// A place that cannot be written.
pub(crate) fn file(cache: Option<&Path>) -> Result<File, Error> {
    let scratch = Scratch::new(cache).or_else(|_| Scratch::new(None))?;
    tempfile::tempfile_in(scratch.path()).map_err(Error::file(scratch.path()))
}
