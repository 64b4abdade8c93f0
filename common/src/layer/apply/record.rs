//! Owners and devices that are recorded with files: see [`crate::layer::recorded`].

use std::os::fd::AsFd as _;

use rustix::fs::{Mode, OFlags, Stat};
use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::options::Ownership;
use crate::layer::recorded::{self, Device, Record};
use crate::root::DirId;
use crate::root::attributes::{self, Target};
use crate::tar::{Entry, Kind};

impl Engine<'_> {
    /// Whether something is to be recorded of this entry.
    pub(super) fn records_owner(&self, entry: &Entry) -> bool {
        self.options.ownership == Ownership::Record && !record_of(entry).is_default()
    }

    /// Records owner and device of a file or directory.
    pub(super) fn record_owner(
        &mut self,
        target: Target<'_>,
        entry: &Entry,
    ) -> Result<(), Problem> {
        if !self.records_owner(entry) {
            return Ok(());
        }
        let record = record_of(entry).value();
        self.note(attributes::set_xattr(target, recorded::ATTRIBUTE, &record))
    }

    /// Records the owner of a link or FIFO, after its times.
    pub(super) fn record_link_owner(
        &mut self,
        target: Target<'_>,
        entry: &Entry,
    ) -> Result<(), Problem> {
        if !self.records_owner(entry) {
            return Ok(());
        }
        let time = Record::owner(entry.uid, entry.gid).access_time();
        self.note(match time {
            Some(time) => attributes::set_access_time(target, time),
            None => Err(Errno::OPNOTSUPP),
        })
    }

    /// Counts an owner that could not be recorded as not kept.
    fn note(&mut self, outcome: Result<(), Errno>) -> Result<(), Problem> {
        match outcome {
            Err(Errno::OPNOTSUPP) => {
                self.summary.not_kept.owners += 1;
                Ok(())
            }
            outcome => outcome.tried("record its owner"),
        }
    }

    /// Makes an empty file that stands for a device.
    pub(super) fn put_device_record(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
    ) -> Result<(), Problem> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let file = self.make(at, name, "create it", |fd| {
            rustix::fs::openat(fd, name, flags | OFlags::CLOEXEC, mode)
        })?;
        self.finish_file(at, file.as_fd(), entry)?;
        self.made(at, name);
        Ok(())
    }
}

fn record_of(entry: &Entry) -> Record {
    let device = match entry.kind {
        Kind::CharDevice { major, minor } => Some(Device::Char(major, minor)),
        Kind::BlockDevice { major, minor } => Some(Device::Block(major, minor)),
        _ => None,
    };
    Record { uid: entry.uid, gid: entry.gid, device }
}

/// Gives the entry of something in a lower layer the owner and device that its attribute or
/// its time of last access records; without a record it is root's.
pub(super) fn recall(entry: &mut Entry, attribute: Option<&[u8]>, stat: &Stat) {
    let record = match recorded::has_no_attributes(stat.st_mode) {
        true => Record::in_time(stat.st_mode, stat.st_atime, stat.st_atime_nsec),
        false => attribute.and_then(Record::parse),
    };
    let Record { uid, gid, device } = record.unwrap_or(Record::owner(0, 0));
    (entry.uid, entry.gid) = (uid, gid);
    match device {
        Some(Device::Char(major, minor)) => entry.kind = Kind::CharDevice { major, minor },
        Some(Device::Block(major, minor)) => entry.kind = Kind::BlockDevice { major, minor },
        None => {}
    }
}
