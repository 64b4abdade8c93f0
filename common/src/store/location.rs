//! Where the store is: an option, the environment, or the usual place.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, Store};
use crate::directories::of_user;

/// Where the store is: the place that was named, or the usual one.
#[derive(Debug, Clone, Default)]
pub struct Location {
    /// The place that was named.
    dir: Option<PathBuf>,
}

impl Location {
    /// The store at `dir`, whatever the environment says.
    #[must_use]
    pub fn at(dir: PathBuf) -> Self {
        Self { dir: Some(dir) }
    }

    /// The store's folder: the option, else `LAYERUTILS_STORE`, else
    /// `XDG_DATA_HOME/layerutils`, else root's, `/var/lib/layerutils`, or a user's
    /// `~/.local/share/layerutils`.
    ///
    /// # Errors
    /// [`Error::NoLocation`] for a user without a home.
    pub fn path(&self) -> Result<PathBuf, Error> {
        self.given().or_else(default_dir).ok_or(Error::NoLocation)
    }

    fn given(&self) -> Option<PathBuf> {
        let from_environment = || env::var_os("LAYERUTILS_STORE").filter(|dir| !dir.is_empty());
        self.dir.clone().or_else(|| from_environment().map(PathBuf::from))
    }

    /// Opens the store to read it.
    ///
    /// # Errors
    /// No location, no store there, or one that cannot be read.
    pub fn open(&self) -> Result<Store, Error> {
        Store::open(&self.path()?).map(Store::with_reserve)
    }

    /// Opens the store to add to it, and makes it where it is missing: for its
    /// owner only in the usual place, as the umask says in a place that was named. A new
    /// store that stays empty is removed when it is closed.
    ///
    /// # Errors
    /// No location, or a store that cannot be made or opened.
    pub fn create(&self) -> Result<Store, Error> {
        let created = match self.given() {
            Some(dir) => Store::create(&dir),
            None => Store::create_with(&self.path()?, make_private),
        };
        created.map(Store::with_reserve).map(Store::unmade_if_empty)
    }
}

fn default_dir() -> Option<PathBuf> {
    of_user("/var/lib/layerutils", "XDG_DATA_HOME", ".local/share")
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
