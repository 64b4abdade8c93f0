//! Open files and directories, inside the root and outside of it.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawMode, openat, statat};

/// What an open file is.
pub(super) fn kind(fd: impl AsFd) -> io::Result<FileType> {
    let stat = statat(fd, "", AtFlags::EMPTY_PATH)?;
    Ok(FileType::from_raw_mode(stat.st_mode as RawMode))
}

/// Another descriptor of the same file.
pub(super) fn duplicate(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3)
}

/// Opens a directory by its name, which is not followed.
pub(super) fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
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

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd as _;

    use super::reopen;

    #[test]
    fn what_has_taken_the_place_of_a_file_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("source");
        fs::write(&path, "").unwrap();
        let held = File::open(&path).unwrap();
        assert!(reopen(held.as_fd()).is_ok());
        fs::remove_file(&path).unwrap();
        assert!(reopen(held.as_fd()).is_err());
        // By the name that the kernel gives a file without one, another is found.
        fs::write(folder.path().join("source (deleted)"), "").unwrap();
        assert_eq!(reopen(held.as_fd()).unwrap_err().to_string(), "it was replaced meanwhile");
    }
}
