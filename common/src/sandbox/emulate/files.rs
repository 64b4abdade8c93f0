//! Records of files: see [`crate::layer::recorded`].

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Timespec, Timestamps, UTIME_OMIT, XattrFlags};
use rustix::io::Errno;

use super::caller::link;
use crate::layer::recorded::{self, ATTRIBUTE, Device, Record};
use crate::sys::foreign;
use crate::time::Timestamp;

/// The longest value of the attribute.
const LONGEST: usize = 64;

/// A file as the kernel has it, and what is recorded of it.
pub(super) struct File {
    pub(super) stat: libc::stat,
    pub(super) record: Option<Record>,
}

impl File {
    /// Reads both. The kernel's owner is that of a file without a record.
    ///
    /// # Errors
    /// Errors of fstat(2).
    pub(super) fn of(fd: BorrowedFd<'_>) -> Result<Self, Errno> {
        let stat = foreign::stat(fd)?;
        let record = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => attribute(fd),
            _ => Record::in_time(stat.st_mode, stat.st_atime, stat.st_atime_nsec),
        };
        Ok(Self { stat, record })
    }

    /// Whom it belongs to.
    pub(super) fn owner(&self) -> (u32, u32) {
        let of_kernel = (self.stat.st_uid, self.stat.st_gid);
        self.record.map_or(of_kernel, |record| (record.uid, record.gid))
    }

    /// Returns its type and permission bits.
    pub(super) fn mode(&self) -> u32 {
        let permissions = self.stat.st_mode & 0o7777;
        match self.device() {
            Some(Device::Char(..)) => libc::S_IFCHR | permissions,
            Some(Device::Block(..)) => libc::S_IFBLK | permissions,
            None => self.stat.st_mode,
        }
    }

    /// The device that it stands for, by its record.
    pub(super) fn device(&self) -> Option<Device> {
        let is_file = FileType::from_raw_mode(self.stat.st_mode) == FileType::RegularFile;
        self.record.and_then(|record| record.device).filter(|_| is_file)
    }

    /// Whether the record is in the time of last access.
    pub(super) fn is_recorded_in_time(&self) -> bool {
        self.record.is_some() && recorded::has_no_attributes(self.stat.st_mode)
    }
}

fn attribute(fd: BorrowedFd<'_>) -> Option<Record> {
    let mut value = [0; LONGEST];
    let len = rustix::fs::getxattr(link(fd), ATTRIBUTE, &mut value[..]).ok()?;
    Record::parse(value.get(..len)?)
}

/// Records whom a file belongs to. File systems without attributes take it without a
/// word: what is there (terminals, pipes) is in no layer.
///
/// # Errors
/// Errors of setxattr(2) and utimensat(2), `EPERM` if the file is not the command's to
/// change; `EOVERFLOW` for an id that a link cannot record.
pub(super) fn record(fd: BorrowedFd<'_>, file: &File, record: Record) -> Result<(), Errno> {
    // A file that is another user's to the kernel needs a record to be root's.
    let is_needless = record.is_default() && (file.stat.st_uid, file.stat.st_gid) == (0, 0);
    if is_needless && file.record.is_none() {
        return Ok(());
    }
    let written = match FileType::from_raw_mode(file.stat.st_mode) {
        FileType::RegularFile | FileType::Directory if is_needless => {
            rustix::fs::removexattr(link(fd), ATTRIBUTE)
        }
        FileType::RegularFile | FileType::Directory => {
            rustix::fs::setxattr(link(fd), ATTRIBUTE, &record.value(), XattrFlags::empty())
        }
        FileType::Symlink | FileType::Fifo | FileType::Socket => {
            let time = record.access_time().ok_or(Errno::OVERFLOW)?;
            set_times(fd, Some(time), None)
        }
        _ => Ok(()),
    };
    match written {
        Err(Errno::OPNOTSUPP) => Ok(()),
        // chown(2) knows no other refusal.
        Err(Errno::ACCESS) => Err(Errno::PERM),
        other => other,
    }
}

/// Sets the times of what a descriptor refers to; `None` leaves one alone.
pub(super) fn set_times(
    fd: BorrowedFd<'_>,
    accessed: Option<Timestamp>,
    modified: Option<Timespec>,
) -> Result<(), Errno> {
    let untouched = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps {
        last_access: accessed.map_or(untouched, |time| Timespec {
            tv_sec: time.seconds,
            tv_nsec: time.nanoseconds.into(),
        }),
        last_modification: modified.unwrap_or(untouched),
    };
    rustix::fs::utimensat(fd.as_fd(), "", &times, AtFlags::EMPTY_PATH)
}
