//! Metadata by descriptor: owner, mode, extended attributes, times.
//!
//! The order matters to the callers: chown(2) clears set-id bits and
//! capabilities, so it comes first, then the mode, then extended attributes,
//! and the times last.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags};
use rustix::io::Errno;

use crate::time::Timestamp;

/// What metadata is set on: an open file, or a name that is not followed.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// An open file or directory (not `O_PATH`).
    Open(BorrowedFd<'a>),
    /// A link, device, FIFO or socket: one name in an open directory.
    Name(BorrowedFd<'a>, &'a [u8]),
}

/// `/proc/self/fd/N`, or with `/NAME` behind it.
fn proc_path(fd: BorrowedFd<'_>, name: Option<&[u8]>) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}", fd.as_raw_fd()).into_bytes();
    if let Some(name) = name {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// Changes owner and group.
///
/// # Errors
/// What fchownat(2) says.
pub fn set_owner(target: Target<'_>, uid: u32, gid: u32) -> Result<(), Errno> {
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    match target {
        Target::Open(fd) => rustix::fs::fchown(fd, uid, gid),
        Target::Name(at, name) => {
            rustix::fs::chownat(at, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

/// Changes the permission bits. Not for links, which have none.
///
/// # Errors
/// What fchmod(2) says; `ENOENT` for a name where /proc is not mounted.
pub fn set_mode(target: Target<'_>, mode: u32) -> Result<(), Errno> {
    match target {
        Target::Open(fd) => rustix::fs::fchmod(fd, Mode::from_raw_mode(mode & 0o7777)),
        Target::Name(at, name) => {
            // fchmodat2(2) is too young (6.6) to rely on; an O_PATH descriptor
            // pins what is changed, whatever the name is by then.
            use rustix::fs::{FileType, OFlags, fstat, openat};
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = openat(at, name, flags, Mode::empty())?;
            if FileType::from_raw_mode(fstat(&fd)?.st_mode) == FileType::Symlink {
                return Err(Errno::LOOP);
            }
            set_mode_by_path_fd(fd.as_fd(), mode)
        }
    }
}

/// Changes the permission bits of what an `O_PATH` descriptor of anything but a
/// link refers to.
pub(super) fn set_mode_by_path_fd(fd: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
    rustix::fs::chmod(proc_path(fd, None), Mode::from_raw_mode(mode & 0o7777))
}

/// Sets one extended attribute.
///
/// # Errors
/// What setxattr(2) says; `ENOENT` for a name where /proc is not mounted.
pub fn set_xattr(target: Target<'_>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    match target {
        Target::Open(fd) => rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()),
        // Only the last component is a name of the tree, and it is not followed.
        Target::Name(at, last) => {
            rustix::fs::lsetxattr(proc_path(at, Some(last)), name, value, XattrFlags::empty())
        }
    }
}

/// Removes one extended attribute; one that is not there is no error.
///
/// # Errors
/// What removexattr(2) says; `ENOENT` for a name where /proc is not mounted.
pub fn remove_xattr(target: Target<'_>, name: &[u8]) -> Result<(), Errno> {
    let removed = match target {
        Target::Open(fd) => rustix::fs::fremovexattr(fd, name),
        Target::Name(at, last) => rustix::fs::lremovexattr(proc_path(at, Some(last)), name),
    };
    match removed {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The names of the extended attributes of an open file; none where the file
/// system has no such thing.
///
/// # Errors
/// What flistxattr(2) says.
pub fn xattr_names(fd: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut list = vec![0_u8; 1024];
    loop {
        match rustix::fs::flistxattr(fd, list.as_mut_slice()) {
            Ok(len_bytes) => {
                list.truncate(len_bytes);
                let names = list.split(|&byte| byte == 0).filter(|name| !name.is_empty());
                return Ok(names.map(<[u8]>::to_vec).collect());
            }
            Err(Errno::RANGE) => list.resize(list.len() * 4, 0),
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    }
}

/// The value of one extended attribute, `None` where there is none.
///
/// # Errors
/// What fgetxattr(2) says.
pub fn xattr(fd: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    let mut value = vec![0_u8; 256];
    loop {
        match rustix::fs::fgetxattr(fd, name, value.as_mut_slice()) {
            Ok(len_bytes) => {
                value.truncate(len_bytes);
                return Ok(Some(value));
            }
            Err(Errno::RANGE) => value.resize(value.len() * 4, 0),
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Sets the time of last modification, and that of last access to the same, as
/// layers record only one; `access: false` leaves the latter alone.
///
/// # Errors
/// What utimensat(2) says.
pub fn set_mtime(target: Target<'_>, mtime: Timestamp, access: bool) -> Result<(), Errno> {
    let modified = Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() };
    let untouched = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps {
        last_access: if access { modified } else { untouched },
        last_modification: modified,
    };
    set_times(target, &times)
}

/// Sets the time of last access alone.
///
/// # Errors
/// Errors of utimensat(2).
pub fn set_access_time(target: Target<'_>, time: Timestamp) -> Result<(), Errno> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    set_times(target, &times)
}

fn set_times(target: Target<'_>, times: &Timestamps) -> Result<(), Errno> {
    match target {
        Target::Open(fd) => rustix::fs::futimens(fd, times),
        Target::Name(at, name) => rustix::fs::utimensat(at, name, times, AtFlags::SYMLINK_NOFOLLOW),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use rustix::io::Errno;

    use super::{Target, remove_xattr, set_mode, set_mtime, set_owner, set_xattr, xattr};
    use crate::time::Timestamp;

    #[test]
    fn a_name_that_has_become_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::write(&outside, "").unwrap();
        symlink("outside", folder.path().join("x")).unwrap();
        let file = fs::File::open(&outside).unwrap();
        // Not every file system has such attributes.
        let _ = set_xattr(Target::Open(file.as_fd()), b"user.kept", b"1");
        let kept = xattr(file.as_fd(), b"user.kept");
        let before = outside.metadata().unwrap();
        let at = fs::File::open(folder.path()).unwrap();
        let name = Target::Name(at.as_fd(), b"x");

        assert_eq!(set_mode(name, 0o4777), Err(Errno::LOOP));
        // xattr(7): links hold no such attributes.
        assert!(set_xattr(name, b"user.new", b"1").is_err());
        let _ = remove_xattr(name, b"user.kept");
        set_mtime(name, Timestamp { seconds: 1, nanoseconds: 0 }, true).unwrap();
        let _ = set_owner(name, before.uid(), before.gid() + 1);

        let after = outside.metadata().unwrap();
        assert_eq!((after.mode(), after.gid()), (before.mode(), before.gid()));
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        assert_eq!(xattr(file.as_fd(), b"user.new"), Ok(None));
        assert_eq!(xattr(file.as_fd(), b"user.kept"), kept);
        let link = folder.path().join("x").symlink_metadata().unwrap();
        assert_eq!(link.mtime(), 1);
    }
}
