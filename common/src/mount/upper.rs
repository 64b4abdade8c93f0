//! Attributes that one directory copies from another.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use rustix::fs::{Gid, Mode, OFlags, Uid, chmodat, chownat, fstat, openat};
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

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
