//! The directories of a union: opened, or the upper one made like the root that it will
//! cover.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use super::error::Error;
use super::upper::{copy_attributes, copy_xattrs};

/// Opens a directory that is wanted for `what`.
pub(super) fn open_directory(path: &Path, what: &'static str) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).map_err(|errno| Error::directory(path, what, errno))
}

/// Opens `path`. Where it is missing it is made, with the owner, mode and time of
/// `below`: the upper directory's own attributes are what the union shows as `/`.
pub(super) fn open_or_create(path: &Path, below: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    match mkdirat(CWD, path, Mode::RWXU) {
        Err(rustix::io::Errno::EXIST) => {
            return open_directory(path, "cannot open the upper directory");
        }
        made => {
            made.map_err(|errno| Error::directory(path, "cannot make the upper directory", errno))?
        }
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copied = openat(CWD, path, flags, Mode::empty()).and_then(|fd| {
        copy_attributes(below, fd.as_fd())?;
        Ok(fd)
    });
    copied
        .map_err(io::Error::from)
        .and_then(|fd| {
            copy_xattrs(below, fd.as_fd())?;
            Ok(fd)
        })
        .map_err(|error| Error::directory(path, "cannot make the upper directory", error))
}
