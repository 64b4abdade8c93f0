//! One name in an open directory, as the file system records it: metadata,
//! extended attributes, link target; and the names in a directory.
//!
//! Everything is read through the descriptor of the directory and one final
//! component that is not followed. What the records mean is left to others.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, Stat, Statx, StatxAttributes, StatxFlags,
};
use rustix::io::Errno;

use super::recorded::Record;
use crate::cleanup;
use crate::sys::xattrat;
use crate::tar::Xattrs;
use crate::time::Timestamp;

/// Enough for the names of a large directory in few calls.
const NAMES_LEN_BYTES: usize = 64 << 10;

/// The longest list of names, and the longest value, that the kernel gives.
const XATTR_MAX_BYTES: usize = 64 << 10;

/// Metadata of one inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inode {
    /// What it is.
    pub(super) kind: FileType,
    /// Permission bits, set-id and sticky included.
    pub(super) mode: u32,
    /// Owner.
    pub(super) uid: u32,
    /// Group.
    pub(super) gid: u32,
    /// Major and minor number of the device that it stands for.
    pub(super) device: (u32, u32),
    /// Length in bytes.
    pub(super) len_bytes: u64,
    /// Time of last modification.
    pub(super) mtime: Timestamp,
    /// Time of last change of content or metadata.
    pub(super) ctime: Timestamp,
    /// The file system and the inode's number on it.
    pub(super) id: InodeId,
    /// How many names it has.
    pub(super) links: u32,
    /// Whether something is mounted here.
    pub(super) is_mount_point: bool,
    /// The owner that a link, FIFO or socket records.
    pub(super) recorded: Option<Record>,
}

/// What tells one inode from all others: device and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InodeId {
    /// Major and minor number of the file system's device.
    pub(super) device: (u32, u32),
    /// Number on that file system.
    pub(super) number: u64,
}

impl Inode {
    /// Whether this is the device 0:0 that stands for a deletion.
    #[must_use]
    pub(super) fn is_whiteout_device(&self) -> bool {
        self.kind == FileType::CharacterDevice && self.device == (0, 0)
    }

    fn of_statx(statx: &Statx) -> Self {
        let time = |time: rustix::fs::StatxTimestamp| Timestamp {
            seconds: time.tv_sec,
            nanoseconds: time.tv_nsec,
        };
        Self {
            kind: FileType::from_raw_mode(statx.stx_mode.into()),
            mode: u32::from(statx.stx_mode) & 0o7777,
            uid: statx.stx_uid,
            gid: statx.stx_gid,
            device: (statx.stx_rdev_major, statx.stx_rdev_minor),
            len_bytes: statx.stx_size,
            mtime: time(statx.stx_mtime),
            ctime: time(statx.stx_ctime),
            id: InodeId {
                device: (statx.stx_dev_major, statx.stx_dev_minor),
                number: statx.stx_ino,
            },
            links: statx.stx_nlink,
            is_mount_point: statx.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
            recorded: Record::in_time(
                statx.stx_mode.into(),
                statx.stx_atime.tv_sec,
                statx.stx_atime.tv_nsec,
            ),
        }
    }

    /// For kernels (and seccomp filters) that have no statx(2); what is mounted
    /// where cannot be told then.
    fn of_stat(stat: &Stat) -> Self {
        let time = |seconds, nanoseconds| Timestamp {
            seconds,
            nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
        };
        let (major, minor) = (rustix::fs::major, rustix::fs::minor);
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            device: (major(stat.st_rdev), minor(stat.st_rdev)),
            len_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: time(stat.st_mtime, stat.st_mtime_nsec),
            ctime: time(stat.st_ctime, stat.st_ctime_nsec),
            id: InodeId { device: (major(stat.st_dev), minor(stat.st_dev)), number: stat.st_ino },
            links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            is_mount_point: false,
            recorded: Record::in_time(stat.st_mode, stat.st_atime, stat.st_atime_nsec),
        }
    }
}

/// The metadata of `name` in `directory`, or of `directory` itself for an empty
/// name.
///
/// # Errors
/// What statx(2) says.
pub(super) fn inode(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Inode, Errno> {
    let mut flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    if name.is_empty() {
        flags |= AtFlags::EMPTY_PATH;
    }
    match rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS) {
        Ok(statx) => Ok(Inode::of_statx(&statx)),
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::fs::statat(directory, name, flags).map(|stat| Inode::of_stat(&stat))
        }
        Err(error) => Err(error),
    }
}

/// [`inode`], with `None` for a name that is not there.
///
/// # Errors
/// What statx(2) says.
pub(super) fn inode_if_any(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Inode>, Errno> {
    match inode(directory, name) {
        Ok(inode) => Ok(Some(inode)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the directory that an operand names; its links are followed.
///
/// # Errors
/// What open(2) says.
pub(super) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Opens the directory `name`, without following it.
///
/// # Errors
/// What openat(2) says.
pub(super) fn open_directory(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    open(directory, name, OFlags::DIRECTORY)
}

/// Opens the file `name` for reading, without following it, and without waiting
/// should it have become a pipe.
///
/// # Errors
/// What openat(2) says.
pub(super) fn open_file(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    open(directory, name, OFlags::NONBLOCK | OFlags::NOCTTY)
}

fn open(directory: BorrowedFd<'_>, name: &[u8], extra: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | extra;
    lent(directory, name, || open_with(directory, name, flags))
}

fn open_with(directory: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    // Reading a tree should not write to it. O_NOATIME is for owners only; once
    // refused, it is not asked for again.
    static NOATIME: AtomicBool = AtomicBool::new(true);
    if NOATIME.load(Ordering::Relaxed) {
        match rustix::fs::openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => NOATIME.store(false, Ordering::Relaxed),
            other => return other,
        }
    }
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// Reads what is one's own and closed to oneself: the permission is lent for as long as
/// `read` takes. Not for files with several names, of which another may be looked at
/// meanwhile.
fn lent<T>(
    directory: BorrowedFd<'_>,
    name: &[u8],
    read: impl Fn() -> Result<T, Errno>,
) -> Result<T, Errno> {
    static LENDING: Mutex<()> = Mutex::new(());
    match read() {
        Err(Errno::ACCESS) => {}
        other => return other,
    }
    let _one_at_a_time = LENDING.lock();
    let name = if name.is_empty() { b"." } else { name };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    let may_be_lent = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => stat.st_nlink == 1,
        FileType::Directory => true,
        _ => false,
    };
    let is_own = stat.st_uid == rustix::process::geteuid().as_raw();
    if !may_be_lent || !is_own || stat.st_mode & 0o400 != 0 {
        return Err(Errno::ACCESS);
    }
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let mode = stat.st_mode & 0o7777;
    rustix::fs::chmod(&path, Mode::from_raw_mode(mode | 0o400))?;
    // Also if a signal ends this process meanwhile.
    let restored = cleanup::register(move || {
        let _ = rustix::fs::chmod(&path, Mode::from_raw_mode(mode));
    });
    let outcome = read();
    drop(restored);
    drop(fd);
    outcome
}

/// Makes [`names`] begin anew for a descriptor that they were read from before.
///
/// # Errors
/// What lseek(2) says.
pub(super) fn rewind(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0)).map(drop)
}

/// The names in a directory that was just opened, in no order, `.` and `..` left
/// out.
///
/// # Errors
/// What getdents64(2) says.
pub(super) fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut buffer = vec![MaybeUninit::uninit(); NAMES_LEN_BYTES];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// The target of the symbolic link `name`.
///
/// # Errors
/// What readlinkat(2) says.
pub(super) fn link_target(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<u8>, Errno> {
    rustix::fs::readlinkat(directory, name, Vec::new()).map(CString::into_bytes)
}

/// All extended attributes of `name`; none where the file system has no such
/// thing.
///
/// # Errors
/// What llistxattr(2) and lgetxattr(2) say; before Linux 6.13 also `ENOENT` where
/// /proc is not mounted.
pub(super) fn xattrs(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Xattrs, Errno> {
    lent(directory, name, || readable_xattrs(directory, name))
}

fn readable_xattrs(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Xattrs, Errno> {
    let place = XattrPlace { directory, name };
    let mut xattrs = Xattrs::new();
    let names = match sized(|buffer| place.list(buffer)) {
        Err(Errno::OPNOTSUPP) => return Ok(xattrs),
        names => names?,
    };
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        match sized(|buffer| place.get(name, buffer)) {
            Ok(value) => xattrs.insert(name.to_vec(), value),
            // Some file systems list what the caller may not read.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => None,
            Err(error) => return Err(error),
        };
    }
    Ok(xattrs)
}

/// Where attributes are: `name` in `directory`, which is not followed.
struct XattrPlace<'a> {
    directory: BorrowedFd<'a>,
    name: &'a [u8],
}

impl XattrPlace<'_> {
    fn list(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.call(
            buffer,
            |buffer| xattrat::list(self.directory, self.name, buffer),
            |path, buffer| rustix::fs::llistxattr(path, buffer),
        )
    }

    fn get(&self, attribute: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
        self.call(
            buffer,
            |buffer| xattrat::get(self.directory, self.name, attribute, buffer),
            |path, buffer| rustix::fs::lgetxattr(path, attribute, buffer),
        )
    }

    /// Calls by descriptor, and where the kernel (or a seccomp filter) knows no such
    /// call, by a path in /proc. Only the last component of that is a name of the
    /// tree, and it is not followed.
    fn call(
        &self,
        buffer: &mut [u8],
        at: impl FnOnce(&mut [u8]) -> Result<usize, Errno>,
        by_path: impl FnOnce(&[u8], &mut [u8]) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        static KNOWN: AtomicBool = AtomicBool::new(true);
        if KNOWN.load(Ordering::Relaxed) {
            match at(buffer) {
                Err(Errno::NOSYS | Errno::PERM) => KNOWN.store(false, Ordering::Relaxed),
                other => return other,
            }
        }
        let mut path = format!("/proc/self/fd/{}/", self.directory.as_raw_fd()).into_bytes();
        path.extend_from_slice(if self.name.is_empty() { b"." } else { self.name });
        by_path(&path, buffer)
    }
}

/// Calls with a buffer that is usually long enough, then with one that is.
fn sized(call: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut short = [0; 256];
    match call(&mut short) {
        Ok(len) => Ok(short.get(..len).unwrap_or_default().to_vec()),
        Err(Errno::RANGE) => {
            let mut long = vec![0; XATTR_MAX_BYTES];
            let len = call(&mut long)?;
            long.truncate(len);
            Ok(long)
        }
        Err(error) => Err(error),
    }
}
