//! The description of an overlay: its directories, its server, its options.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::driver::{Driver, Server};
use super::namespace::Namespace;

/// The device name of our overlays in /proc/mounts.
pub const SOURCE: &str = "union-mount";

/// Layers that overlayfs is to show as one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Layer directories in overlay form, base first.
    pub lowers: Vec<PathBuf>,
    /// Where changes go; without it the mount is read-only.
    pub upper: Option<Upper>,
    /// The server of the mount.
    pub server: Server,
    /// Where overlayfs keeps its own marks.
    pub namespace: Namespace,
    /// Whether the changes must survive a crash of the machine.
    pub durability: Durability,
}

impl Overlay {
    /// A read-only overlay of `lowers`, base first, in this process's own namespace.
    #[must_use]
    pub fn new(lowers: Vec<PathBuf>) -> Self {
        let (server, namespace) = (Server::Kernel, Namespace::native());
        Self { lowers, upper: None, server, namespace, durability: Durability::Synced }
    }

    /// Has it served by `driver`, whose namespace the layers must be in.
    #[must_use]
    pub fn with_driver(mut self, driver: Driver) -> Self {
        self.server = driver.server();
        self.namespace = driver.namespace();
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

/// The safety of the upper directory in a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// Syncs of the command reach the disk.
    Synced,
    /// `volatile`: nothing is synced, the upper directory is disposable.
    Volatile,
}
