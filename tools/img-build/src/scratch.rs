//! A directory for one step that is gone when the step is, however it ends.

use std::path::{Path, PathBuf};

use common::cache;
use common::cli::cleanup::{self, Guard};
use common::root;

use crate::error::Error;

/// A temporary directory, for its owner only.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _guard: Guard,
}

impl Scratch {
    /// In the cache, which is where images are unpacked and so a file system that
    /// overlays work on; else among the temporary files.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub(crate) fn new(cache: Option<&Path>) -> Result<Self, Error> {
        let place = cache.map_or_else(std::env::temp_dir, |cache| cache.join("build"));
        if cache.is_some() {
            cache::make(&place).map_err(Error::file(&place))?;
        }
        let made = tempfile::Builder::new().prefix(".step-").tempdir_in(&place);
        let path = made.map_err(Error::file(&place))?.keep();
        let leftover = path.clone();
        let guard = cleanup::register(move || remove(&leftover));
        Ok(Self { path, _guard: guard })
    }

    /// A new directory in it.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        std::fs::create_dir(&path).map_err(Error::file(&path))?;
        Ok(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes a tree whatever its directories' permissions are.
fn remove(path: &Path) {
    use std::os::fd::AsFd as _;
    use std::os::unix::ffi::OsStrExt as _;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    if let Ok(parent) = root::Root::open(parent) {
        let _ = root::remove(parent.as_fd(), name.as_bytes());
    }
}
