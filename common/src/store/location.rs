//! Where the store is: an option, the environment, or the usual place.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Error, Store};

/// The option that names the store; flatten it into a tool's arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct Location {
    /// Keep images in DIR, an OCI image layout
    #[arg(long = "store", value_name = "DIR")]
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
    /// owner only in the usual place, as the umask says in a place that was named.
    ///
    /// # Errors
    /// No location, or a store that cannot be made or opened.
    pub fn create(&self) -> Result<Store, Error> {
        let dir = match self.given() {
            Some(dir) => dir,
            None => {
                let dir = self.path()?;
                make_private(&dir).map_err(Error::io(&dir))?;
                dir
            }
        };
        Store::create(&dir).map(Store::with_reserve)
    }
}

fn default_dir() -> Option<PathBuf> {
    user_dir("/var/lib/layerutils", "XDG_DATA_HOME", ".local/share")
}

/// Our folder below what `variable` names, else root's, or a user's in their home.
pub(crate) fn user_dir(of_root: &str, variable: &str, below_home: &str) -> Option<PathBuf> {
    // The XDG specification: a relative path is to be ignored.
    let absolute =
        |name: &str| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    match absolute(variable) {
        Some(base) => Some(base.join("layerutils")),
        None if is_root() => Some(of_root.into()),
        None => {
            let home = absolute("HOME").or_else(home_of_record)?;
            Some(home.join(below_home).join("layerutils"))
        }
    }
}

/// The home of whoever runs this, for an environment without HOME (cron, `env -i`).
fn home_of_record() -> Option<PathBuf> {
    let uid = nix::unistd::geteuid();
    // Root of a user namespace has the home of another user in the host's record.
    if uid.is_root() {
        return None;
    }
    let user = nix::unistd::User::from_uid(uid).ok()??;
    Some(user.dir).filter(|dir| dir.is_absolute())
}

/// The real root, not a user who is root of a user namespace of their own.
fn is_root() -> bool {
    if !nix::unistd::geteuid().is_root() {
        return false;
    }
    match fs::read_to_string("/proc/self/uid_map") {
        Ok(map) => map.split_whitespace().take(2).eq(["0", "0"]),
        Err(_) => true,
    }
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
