//! Paths inside the root, and files that were opened outside of it.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, openat, statat};

use crate::root::{Located, Root};

/// Looks up `path` inside `root` as the command itself will see it.
pub(super) fn locate(root: impl AsFd, path: &[u8]) -> io::Result<Located> {
    Ok(Root::from_fd(root.as_fd().try_clone_to_owned()?).locate(path)?)
}

/// What an open file is.
pub(super) fn kind(fd: impl AsFd) -> io::Result<FileType> {
    let stat = statat(fd, "", AtFlags::EMPTY_PATH)?;
    Ok(FileType::from_raw_mode(stat.st_mode as RawMode))
}

/// Opens in this mount namespace what `fd` is in the caller's: mounts cannot be
/// copied from another. The name is the kernel's own and without links, and what is
/// found there must be the same file.
pub(super) fn reopen(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    let opened =
        openat(CWD, &path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let identity = |fd: BorrowedFd<'_>| {
        statat(fd, "", AtFlags::EMPTY_PATH).map(|stat| (stat.st_dev, stat.st_ino))
    };
    if identity(fd)? == identity(opened.as_fd())? {
        Ok(opened)
    } else {
        Err(io::Error::other("it was replaced meanwhile"))
    }
}
