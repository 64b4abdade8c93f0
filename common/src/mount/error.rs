//! Why a mount is refused: the kernel's words, and what they mean for the user.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

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
    /// A mount point that the overlay would hide itself under.
    #[error("{}: not mounted by union-mount", crate::name::show_path(.path))]
    NotOurs {
        /// Which.
        path: PathBuf,
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
            Self::Directory { what, .. } if what.contains("work directory") => {
                Some("name a directory on the upper directory's file system with --work")
            }
            _ => None,
        }
    }
}
