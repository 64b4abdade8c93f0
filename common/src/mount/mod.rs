//! Overlay mounts by the new mount API (fsopen, fsconfig, fsmount), or by
//! fuse-overlayfs where the kernel refuses them.
//!
//! Owns what an overlay is made of and who is asked for it, in which order. What a
//! layer directory holds is `unpacked`'s affair; where the mount goes and who
//! sees it is the sandbox's, or union-mount's.
//!
//! Nothing is decided by kernel version: each form is tried, and the kernel's
//! own message, read from the file system context, is what the user gets.

mod allowed;
pub(crate) mod context;
mod driver;
mod error;
mod fuse;
mod legacy;
mod marks;
mod overlay;
mod table;
pub(crate) mod upper;
pub(crate) mod work;

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use allowed::Allowed;
pub use driver::{Audience, Driver};
pub use error::Error;
pub use marks::{directory_keeps_marks, memory_keeps_marks};
pub use table::unmount_union;

use crate::{message, privilege};

/// The device name of our overlays in /proc/mounts.
pub const SOURCE: &str = "union-mount";

/// Layers that overlayfs is to show as one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Layer directories in overlay form, base first.
    pub lowers: Vec<PathBuf>,
    /// Where changes go; without it the mount is read-only.
    pub upper: Option<Upper>,
    /// Who serves the mount.
    pub server: Server,
    /// Where overlayfs keeps its own marks.
    pub form: Form,
    /// Whether the changes must survive a crash of the machine.
    pub durability: Durability,
}

impl Overlay {
    /// A read-only overlay of `lowers`, base first, in this process's own form.
    #[must_use]
    pub fn new(lowers: Vec<PathBuf>) -> Self {
        let (server, form) = (Server::Kernel, Form::native());
        Self { lowers, upper: None, server, form, durability: Durability::Synced }
    }

    /// Mounts the union on the directory `point`, where it stays until
    /// [`unmount_union`]. An ordinary user can do that with fuse-overlayfs, and is
    /// the only one to see it then.
    ///
    /// # Errors
    /// A directory that cannot be used; whatever the system refuses, or would ignore.
    pub fn mount_on(&self, point: &Path, allowed: Allowed) -> Result<(), Error> {
        allowed.check()?;
        let target = overlay::open_directory(point, "cannot mount on it")?;
        let work = self.prepare()?;
        let mounted = self.open(work.as_ref()).and_then(|opened| match self.server {
            Server::Kernel => opened
                .mount(None, target.as_fd(), &|text| message::verbose(text))
                .and_then(|mount| {
                    allowed.restrict("overlay", mount.as_fd())?;
                    context::attach(mount, target)
                        .map_err(|error| Error::directory(point, "cannot mount on it", error))
                }),
            Server::FuseOverlayfs => opened.serve_on(point, target, allowed),
        });
        // With the mount there, the work directory is the mount's.
        if let (Err(_), Some(work)) = (&mounted, work) {
            let _ = work.remove();
        }
        mounted
    }

    /// Has it served by `driver`, whose form the layers must be in.
    #[must_use]
    pub fn with_driver(mut self, driver: Driver) -> Self {
        self.server = driver.server();
        self.form = driver.form();
        self
    }

    /// Adds a directory that takes the changes.
    #[must_use]
    pub fn with_upper(mut self, upper: Upper) -> Self {
        self.upper = Some(upper);
        self
    }
}

/// The writable side of an overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upper {
    /// Receives the changes, directly: it is what `layer-diff --overlay` reads.
    pub dir: PathBuf,
    /// Overlayfs's scratch space, on the same mount; a hidden sibling of `dir`
    /// that is removed afterwards if none is given.
    pub work: Option<PathBuf>,
}

impl Upper {
    /// An upper directory with its scratch space beside it.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), work: None }
    }
}

/// Who serves an overlay mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Server {
    /// The kernel's own overlay.
    Kernel,
    /// A process of fuse-overlayfs(1).
    FuseOverlayfs,
}

/// The extended attributes that carry overlayfs's marks (opaque, redirect, origin).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// `trusted.overlay.*`: only the machine's root can write or read them.
    Trusted,
    /// `user.overlay.*`, mounted with `userxattr`: for user namespaces.
    User,
}

impl Form {
    /// The form that this process can both write and mount.
    #[must_use]
    pub fn native() -> Self {
        if privilege::can_mount() && privilege::in_initial_user_namespace() {
            Self::Trusted
        } else {
            Self::User
        }
    }
}

/// What a crash of the machine may do to the upper directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// Syncs of the command reach the disk.
    Synced,
    /// `volatile`: nothing is synced, the upper directory is disposable.
    Volatile,
}
