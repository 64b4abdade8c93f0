//! Why a mount is refused: the kernel's words, and what they mean for the user.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use super::namespace::Namespace;

const OPEN_TO_ALL: &str = "FUSE needs read and write permission for /dev/fuse, which udev gives \
                           to all (chmod 666 /dev/fuse)";

/// Why there is no mount.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refuses.
    #[error("cannot mount {kind} ({step}){}{messages}", if .messages.is_empty() { "" } else { ": " })]
    Refused {
        /// The kind of file system.
        kind: &'static str,
        /// The call or the option that was refused.
        step: String,
        /// The kernel's own messages, if it left any.
        messages: String,
        /// What the system call returned.
        source: io::Error,
    },
    /// A directory that cannot be used.
    #[error("{}: {what}", crate::name::show_path(.path))]
    Directory {
        /// Which.
        path: PathBuf,
        /// What it was wanted for.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// More layers than overlayfs can hold.
    #[error("{count} layers are more than one overlay mount can hold ({limit})")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// No layers at all.
    #[error("no layers to mount")]
    NoLayers,
    /// An upper directory that takes no marks.
    #[error(
        "the upper directory's file system keeps no {} attributes",
        match .namespace { Namespace::Trusted => "trusted", Namespace::User => "user" }
    )]
    NoMarks {
        /// Which marks those would be.
        namespace: Namespace,
    },
    /// There is no fuse-overlayfs.
    #[error("fuse-overlayfs is not installed")]
    NoFuse,
    /// A path that fuse-overlayfs takes for two.
    #[error(
        "{}: fuse-overlayfs takes no upper directory in a path with a colon",
        crate::name::show_path(.path)
    )]
    Colon {
        /// Which.
        path: PathBuf,
    },
    /// There is no fusermount3, which ordinary users need for FUSE.
    #[error("fusermount3 is not installed")]
    NoFusermount,
    /// fusermount3 refuses.
    #[error("fusermount3: {said}")]
    Fusermount {
        /// In its words.
        said: String,
    },
    /// Something that `--suid` or `--dev` asks for, and cannot be had.
    #[error("{what}")]
    NotAllowed {
        /// Why.
        what: &'static str,
    },
    /// An upper directory that another union writes to.
    #[error("{}: the upper directory is in use by another union", crate::name::show_path(.path))]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// Nothing of ours is mounted there.
    #[error("{}: not mounted by union-mount", crate::name::show_path(.path))]
    NotOurs {
        /// Which.
        path: PathBuf,
    },
    /// Something else is mounted in the union.
    #[error("{}: {} is mounted in it", crate::name::show_path(.path), crate::name::show_path(.inner))]
    Nested {
        /// The union's mount point.
        path: PathBuf,
        /// The other one's.
        inner: PathBuf,
    },
}

impl Error {
    pub(super) fn refused(
        kind: &'static str,
        step: &str,
        source: io::Error,
        messages: String,
    ) -> Self {
        Self::Refused { kind, step: step.to_owned(), messages, source }
    }

    pub(super) fn directory(
        path: impl Into<PathBuf>,
        what: &'static str,
        source: impl Into<io::Error>,
    ) -> Self {
        Self::Directory { path: path.into(), what, source: source.into() }
    }

    /// The error number behind it.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { source, .. } | Self::Directory { source, .. } => {
                Errno::from_io_error(source)
            }
            _ => None,
        }
    }

    /// Whether the system refuses this kind of mount, so that another may do.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::NoMarks { .. }
                | Self::NoFuse
                | Self::Colon { .. }
                | Self::NoFusermount
                | Self::Fusermount { .. }
                | Self::NotAllowed { .. }
        )
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { messages, .. } if messages.contains("upper fs") => Some(
                "the upper directory must be on a file system that overlayfs can write to \
                 (ext4, xfs, btrfs, tmpfs), not on another overlay or a network share",
            ),
            Self::Refused { messages, .. } if messages.contains("maximum fs stacking depth") => {
                Some("the layers are on overlays themselves: put the cache on a plain file system")
            }
            Self::Refused { messages, .. } if messages.contains("same mount") => {
                Some("name a work directory on the upper directory's own mount with --work")
            }
            Self::Refused { kind: "overlay", .. } => match self.errno()? {
                Errno::PERM | Errno::ACCESS => Some(
                    "mounting needs CAP_SYS_ADMIN, in a user namespace if not as root \
                     (Linux 5.11 or later)",
                ),
                Errno::NODEV => Some("the kernel has no overlay: load it (modprobe overlay)"),
                Errno::NOSYS => Some("the kernel is older than 5.2, or a filter hides fsopen(2)"),
                Errno::BUSY => Some("the upper or the work directory is in use by another mount"),
                _ => None,
            },
            Self::Refused { kind: "fuse" | "fuse-overlayfs", .. } => match self.errno()? {
                Errno::ACCESS => Some(OPEN_TO_ALL),
                Errno::NOENT | Errno::NODEV | Errno::NXIO => {
                    Some("the kernel has no FUSE: load it (modprobe fuse)")
                }
                Errno::PERM => Some("mounting FUSE in a user namespace needs Linux 4.18"),
                _ => None,
            },
            Self::Fusermount { said } if said.contains("/dev/fuse") => Some(OPEN_TO_ALL),
            Self::NoMarks { .. } => Some(
                "the upper directory must be on ext4, xfs or btrfs (on tmpfs from Linux 6.6 on)",
            ),
            Self::NotAllowed { .. } => Some("leave out --suid and --dev"),
            Self::NoFuse => Some("install fuse-overlayfs"),
            Self::NoFusermount => Some("install it (Debian: fuse3)"),
            Self::Nested { .. } => Some("unmount that first"),
            Self::Directory { what, source, .. } if what.contains("unmount") => {
                match Errno::from_io_error(source)? {
                    Errno::BUSY => Some("files in it are in use: fuser -vm shows by whom"),
                    Errno::PERM => Some("unmounting needs CAP_SYS_ADMIN: run it as root"),
                    _ => None,
                }
            }
            Self::Directory { what, .. } if what.contains("work directory") => {
                Some("name a directory on the upper directory's file system with --work")
            }
            _ => None,
        }
    }
}
