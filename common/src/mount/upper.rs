//! The upper directory: opened, or made like the root that it will cover.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, chmodat, chownat, fstat, mkdirat, openat};
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

use super::Error;
use super::overlay::open_directory;

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

/// Gives the directory `to` the owner, mode and time of `from`. An owner that
/// cannot be given stays ours.
pub(crate) fn copy_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let stat = fstat(from)?;
    // Through an O_PATH descriptor only its name in /proc, or `.`, takes changes.
    let owner = (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
    let _ = chownat(to, ".", owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW);
    chmodat(to, ".", Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())?;
    #[allow(clippy::useless_conversion)] // The widths differ between machines.
    let modified = Timespec {
        tv_sec: stat.st_mtime.into(),
        tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default() as _,
    };
    utimensat(
        to,
        ".",
        &Timestamps { last_access: modified, last_modification: modified },
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

/// Copies what else a directory carries (ACLs, `user.*`), but for overlayfs's own
/// marks. A file system that takes none is no failure.
pub(crate) fn copy_xattrs(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from = openat(from, ".", flags, Mode::empty())?;
    let to = openat(to, ".", flags, Mode::empty())?;
    let mut names = vec![0; 65_536];
    let Ok(len) = flistxattr(&from, &mut names) else { return Ok(()) };
    for name in names.get(..len).unwrap_or_default().split(|byte| *byte == 0) {
        let ours = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
        if name.is_empty() || ours {
            continue;
        }
        let mut value = vec![0; 65_536];
        if let Ok(len) = fgetxattr(&from, name, &mut value) {
            let value = value.get(..len).unwrap_or_default();
            let _ = fsetxattr(&to, name, value, XattrFlags::empty());
        }
    }
    Ok(())
}
