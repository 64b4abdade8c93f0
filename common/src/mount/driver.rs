//! The ways to show layers as one tree.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::namespace::Namespace;
use crate::privilege;

/// A way to show layers as one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The kernel's overlay, as root
    Overlay,
    /// The kernel's overlay with marks that an ordinary user can read, in a user namespace
    Userxattr,
    /// fuse-overlayfs
    Fuse,
    /// A plain copy of the layers
    Copy,
}

/// The server of an overlay mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Server {
    /// The kernel's own overlay.
    Kernel,
    /// A process of fuse-overlayfs(1).
    FuseOverlayfs,
}

/// Who is to see the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A command, in namespaces of its own.
    Command,
    /// Whoever looks at a mount point.
    MountPoint,
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Driver {
    /// Returns the name that users know.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Userxattr => "userxattr",
            Self::Fuse => "fuse",
            Self::Copy => "copy",
        }
    }

    /// The extended attributes that carry the marks of the layers it shows.
    #[must_use]
    pub fn namespace(self) -> Namespace {
        match self {
            Self::Overlay => Namespace::Trusted,
            Self::Userxattr => Namespace::User,
            // fuse-overlayfs reads both, as far as it may.
            Self::Fuse | Self::Copy => Namespace::native(),
        }
    }

    /// Who serves the mount.
    #[must_use]
    pub fn server(self) -> Server {
        match self {
            Self::Fuse => Server::FuseOverlayfs,
            Self::Overlay | Self::Userxattr | Self::Copy => Server::Kernel,
        }
    }

    /// What is certain to keep this process from it.
    #[must_use]
    pub fn obstacle(self, audience: Audience) -> Option<&'static str> {
        let can_mount = privilege::can_mount();
        match (self, audience) {
            (Self::Overlay, _) if !can_mount => Some("needs CAP_SYS_ADMIN"),
            (Self::Overlay, _) if Namespace::native() == Namespace::User => {
                Some("needs root of the machine, not of a user namespace")
            }
            (Self::Userxattr, Audience::MountPoint) if !can_mount => {
                Some("nobody else sees a mount in a user namespace")
            }
            _ => None,
        }
    }
}
