//! A directory that nothing reached through it can leave: contained paths.
//!
//! The root is opened once. Whatever is named below it is reached by descriptor,
//! with openat2(2) and `RESOLVE_IN_ROOT`, or by a walk that opens one component
//! at a time without following (old kernels, strict seccomp filters); then one
//! final component is acted upon, never followed. A path string is never
//! resolved twice, so a directory that is swapped for a link between two steps
//! changes nothing.
//!
//! Links are resolved as chroot(2) would: absolute ones start at the root, and
//! `..` stops there. That is `RESOLVE_IN_ROOT` and not `RESOLVE_BENEATH`: real
//! images hold absolute links (`/var/run -> /run`).
//!
//! What a layer means is not known here: see [`crate::layer::apply`].

mod ahead;
pub mod attributes;
mod locate;
mod path;
mod remove;
mod resolve;
mod tree;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

pub use ahead::Ahead;
pub use locate::{Links, Located, Missing, Unreachable, locate};
pub(crate) use path::MAX_NAME_LEN_BYTES;
pub use path::{InvalidPath, components, join, push, split, split_measured};
pub use remove::{Removed, names, remove};
pub use tree::{DirId, Tree, Walk, follow};

/// Flags for a directory that is listed, changed and worked in.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// An open directory below which paths are contained.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    /// Cleared when the kernel turns out to lack openat2(2), or to forbid it.
    openat2: AtomicBool,
}

impl Root {
    /// Opens the directory at `path`. The path itself is the caller's, and its
    /// links are followed.
    ///
    /// # Errors
    /// What open(2) says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::from_fd(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Takes a directory that is open already; `O_PATH` is enough.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd, openat2: AtomicBool::new(true) }
    }

    /// Resolves without openat2(2), as on a kernel before 5.6.
    #[must_use]
    pub fn without_openat2(self) -> Self {
        self.openat2.store(false, Ordering::Relaxed);
        self
    }

    /// Opens what `path` names, links followed within the root. `flags` may hold
    /// `O_NOFOLLOW` for the last component; nothing is ever created.
    ///
    /// # Errors
    /// What openat2(2) says.
    pub fn open_path(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        resolve::open(self, path, flags | OFlags::CLOEXEC)
    }

    /// Opens the regular file that `path` names for reading, links followed within
    /// the root. A FIFO does not block this, and a device is not opened: what an
    /// image calls `/etc/passwd` may be neither a file nor finite.
    ///
    /// # Errors
    /// What openat2(2) says; `EINVAL` for what is not a regular file.
    pub fn open_file(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let found = self.open_path(path, OFlags::PATH)?;
        let stat = rustix::fs::fstat(&found)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR),
            _ => return Err(Errno::INVAL),
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open_path(path, flags)?;
        let same = rustix::fs::fstat(&file)?;
        if (same.st_dev, same.st_ino) == (stat.st_dev, stat.st_ino) {
            Ok(file)
        } else {
            Err(Errno::AGAIN)
        }
    }

    /// Opens a directory below `start` by the names of real directories: no link
    /// is followed, no `..` is among the names.
    ///
    /// # Errors
    /// What openat2(2) says: `ELOOP` or `ENOTDIR` for anything but directories.
    fn open_real(&self, start: BorrowedFd<'_>, names: &[&[u8]]) -> Result<OwnedFd, Errno> {
        resolve::open_real(self, start, names, DIRECTORY)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
