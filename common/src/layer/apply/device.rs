//! Devices and FIFOs.

use std::os::fd::AsFd as _;

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::options::{Devices, Ownership};
use crate::root::DirId;
use crate::root::attributes::{self, Target};
use crate::tar::{Entry, Kind};

/// What mknod(2) makes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device {
    kind: FileType,
    number: u64,
}

impl Device {
    /// The device of this kind, if it is one.
    ///
    /// # Errors
    /// overlayfs's whiteout, and a number that Linux cannot hold.
    pub(super) fn of(kind: &Kind) -> Result<Option<Self>, Problem> {
        let device = match *kind {
            Kind::Fifo => Self { kind: FileType::Fifo, number: 0 },
            Kind::CharDevice { major: 0, minor: 0 } => return Err(Problem::WhiteoutDevice),
            Kind::CharDevice { major, minor } => {
                Self { kind: FileType::CharacterDevice, number: number(major, minor)? }
            }
            Kind::BlockDevice { major, minor } => {
                Self { kind: FileType::BlockDevice, number: number(major, minor)? }
            }
            Kind::Directory | Kind::File | Kind::Symlink { .. } | Kind::HardLink { .. } => {
                return Ok(None);
            }
        };
        Ok(Some(device))
    }
}

/// Refuses devices that no layer may make, or that Linux cannot hold.
///
/// # Errors
/// Those of [`Device::of`].
pub(crate) fn check_device(kind: &Kind) -> Result<(), Problem> {
    Device::of(kind).map(drop)
}

/// Linux keeps 12 bits of major and 20 of minor number (`MINORBITS`), and cuts off
/// the rest without a word.
fn number(major: u32, minor: u32) -> Result<u64, Problem> {
    if major >= 1 << 12 || minor >= 1 << 20 {
        return Err(Problem::DeviceNumber { major, minor });
    }
    Ok(rustix::fs::makedev(major, minor))
}

impl Engine<'_> {
    pub(super) fn put_device(
        &mut self,
        at: DirId,
        name: &[u8],
        entry: &Entry,
        device: Device,
    ) -> Result<(), Problem> {
        if self.options.devices == Devices::LeaveOut && device.kind != FileType::Fifo {
            return self.leave_out(at, name);
        }
        if self.options.ownership == Ownership::Record && device.kind != FileType::Fifo {
            return self.put_device_record(at, name, entry);
        }
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let made = self.make(at, name, "create it", |fd| {
            match rustix::fs::mknodat(fd, name, device.kind, mode, device.number) {
                Ok(()) => Ok(Ok(())),
                Err(Errno::PERM) => Ok(Err(Errno::PERM)),
                Err(error) => Err(error),
            }
        })?;
        if let Err(errno) = made {
            if self.is_privileged || device.kind == FileType::Fifo {
                return Err(Problem::Device(errno.into()));
            }
            return self.leave_out(at, name);
        }
        let fd = self.prepare(at)?;
        let target = Target::Name(fd.as_fd(), name);
        self.own(at, target, entry)?;
        self.disinherit(at, target)?;
        if self.mode_is_masked(at, entry.mode) {
            attributes::set_mode(target, entry.mode).tried("set its mode")?;
        }
        self.set_xattrs(target, entry, false)?;
        attributes::set_mtime(target, entry.mtime, true).tried("set its time")?;
        self.record_link_owner(target, entry)?;
        self.made(at, name);
        Ok(())
    }

    /// Leaves out a device, or another name of one. What lower layers have in its
    /// place is gone all the same.
    pub(super) fn leave_out(&mut self, at: DirId, name: &[u8]) -> Result<(), Problem> {
        self.clear(at, name)?;
        if self.records_deletions() {
            self.write_whiteout(at, name)?;
        }
        self.left_out.insert(at, name);
        match self.options.devices {
            Devices::Make => self.summary.not_kept.devices += 1,
            Devices::LeaveOut => self.summary.not_kept.unwanted_devices += 1,
        }
        self.touch(at);
        Ok(())
    }
}
