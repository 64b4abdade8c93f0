//! Why a layer is not applied.

use std::io;

use rustix::io::Errno;

use crate::digest::{DiffId, Digest};
use crate::human::count;
use crate::name::show;
use crate::root::InvalidPath;
use crate::tar;

/// Why a layer is not applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive. Not transparent: what the archive says is a source, for hints.
    #[error("{0}")]
    Archive(#[from] tar::Error),
    /// One of its entries.
    #[error("{}", show(path))]
    Entry {
        /// The entry's path, as stored.
        path: Vec<u8>,
        /// What is wrong with it, or with making it.
        #[source]
        problem: Problem,
    },
    /// The compressed stream.
    #[error("cannot decompress the layer")]
    Compression(#[source] io::Error),
    /// A stream that is not the one expected.
    #[error("digest mismatch: expected {expected}, got {found}")]
    Digest {
        /// What it should be.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// An archive that is not the one expected.
    #[error("DiffID mismatch: expected {expected}, got {found}")]
    DiffId {
        /// What it should be.
        expected: DiffId,
        /// What it is.
        found: DiffId,
    },
    /// A stream that is not as long as expected.
    #[error("length mismatch: expected {}, got {found}", count(*.expected, "byte", "bytes"))]
    Length {
        /// What it should be, in bytes.
        expected: u64,
        /// What it is, in bytes.
        found: u64,
    },
    /// A thread that cannot be started.
    #[error("cannot run a thread")]
    Thread(#[source] io::Error),
}

/// What is wrong with an entry, or with making it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Its path.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// The path that a hard link names.
    #[error("hard link to '{}'", show(target))]
    TargetPath {
        /// As stored.
        target: Vec<u8>,
        /// What is wrong with it.
        #[source]
        source: InvalidPath,
    },
    /// A whiteout of nothing, of `.` or of `..`.
    #[error("not a valid whiteout")]
    InvalidWhiteout,
    /// A component that no layer can hold.
    #[error("a directory cannot be called '{}': that is the name of a whiteout", show(.0))]
    WhiteoutComponent(Vec<u8>),
    /// The root, as anything but a directory.
    #[error("the root of a layer is a directory, and nothing else")]
    RootIsNoDirectory,
    /// The device that overlayfs takes for a whiteout.
    #[error("refusing the character device 0:0, which is overlayfs's whiteout")]
    WhiteoutDevice,
    /// A device number that Linux cannot hold.
    #[error("no such device number on Linux: {major}:{minor}")]
    DeviceNumber {
        /// As stored.
        major: u32,
        /// As stored.
        minor: u32,
    },
    /// The target of a symbolic link, as Linux cannot hold it.
    #[error("a symbolic link to a path of {len_bytes} bytes")]
    SymlinkTarget {
        /// How long it is.
        len_bytes: usize,
    },
    /// A way through something that is not there, and back.
    #[error("a symbolic link leads out of a directory that does not exist")]
    ClimbsFromNowhere,
    /// A hard link whose other name nobody made.
    #[error("hard link to '{}', which does not exist", show(.0))]
    LinkTargetMissing(Vec<u8>),
    /// A hard link to a directory.
    #[error("hard link to '{}', which is a directory", show(.0))]
    LinkToDirectory(Vec<u8>),
    /// A hard link to metadata of AUFS, other than a file in its link store.
    #[error("hard link to '{}', which is metadata of AUFS", show(.0))]
    LinkToAufs(Vec<u8>),
    /// The content.
    #[error("cannot read its content")]
    Content(#[source] io::Error),
    /// An owner that cannot be set.
    #[error("cannot give it to {uid}:{gid}")]
    Owner {
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A device that cannot be made.
    #[error("cannot make a device")]
    Device(#[source] io::Error),
    /// An extended attribute that cannot be set.
    #[error("extended attribute {}", show(name))]
    Xattr {
        /// Its name.
        name: Vec<u8>,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// An extended attribute of what is there that cannot be removed.
    #[error("cannot remove extended attribute {}", show(name))]
    LeftXattr {
        /// Its name.
        name: Vec<u8>,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Anything else that the system refuses.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl Problem {
    /// The error about the entry at `path`. What is wrong with the archive is no fault of
    /// one entry, and in other words nowhere.
    pub(super) fn at(self, path: &[u8]) -> Error {
        let problem = match self {
            Self::Content(error) => match error.downcast() {
                Ok(archive) => return Error::Archive(archive),
                Err(error) => Self::Content(error),
            },
            other => other,
        };
        Error::Entry { path: path.to_vec(), problem }
    }
}

/// Says what was tried when the system refused.
pub(super) trait Tried<T> {
    fn tried(self, action: &'static str) -> Result<T, Problem>;
}

impl<T> Tried<T> for Result<T, Errno> {
    fn tried(self, action: &'static str) -> Result<T, Problem> {
        self.map_err(|errno| Problem::System { action, source: errno.into() })
    }
}

impl Error {
    /// Whether keeping owners, or making devices, is what was refused: applying
    /// without them would go further.
    #[must_use]
    pub fn lacks_privilege(&self) -> bool {
        let Self::Entry { problem, .. } = self else { return false };
        match problem {
            // EINVAL: an id that the user namespace does not map.
            Problem::Owner { source, .. } | Problem::Device(source) => {
                matches!(source.raw_os_error(), Some(libc::EPERM | libc::EINVAL))
            }
            _ => false,
        }
    }

    /// The extended attribute of the layer that could not be set, if that was it.
    #[must_use]
    pub fn refused_xattr(&self) -> Option<&[u8]> {
        match self {
            Self::Entry { problem: Problem::Xattr { name, .. }, .. } => Some(name),
            _ => None,
        }
    }
}
