//! The directories that an overlay is stacked from, and the names of open directories.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{fstat, stat};

/// The directories that an overlay is stacked from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Branches<'a> {
    /// Base first.
    pub(super) lowers: &'a [BorrowedFd<'a>],
    /// The upper directory and the work directory.
    pub(super) upper: Option<&'a (OwnedFd, OwnedFd)>,
}

/// The path of an open directory, or its name in /proc where something covers that
/// path.
pub(super) fn path_of(directory: BorrowedFd<'_>) -> io::Result<PathBuf> {
    let path = std::fs::read_link(name(directory))?;
    let own = fstat(directory)?;
    match stat(&path) {
        Ok(found) if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino) => Ok(path),
        _ => Ok(name(directory).into()),
    }
}

/// The name of an open directory in /proc.
pub(super) fn name(directory: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}
