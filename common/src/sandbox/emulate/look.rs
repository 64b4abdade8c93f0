//! stat(2) and its kin: owner, type and device as they are recorded.

use std::os::fd::AsFd as _;

use rustix::io::Errno;

use super::caller::{At, Caller, Last};
use super::files::File;
use super::filter::Call;
use super::serve::Outcome;
use crate::layer::recorded::Device;
use crate::sys::foreign;

impl Caller<'_> {
    pub(super) fn stat(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (target, buffer) = match call {
            Call::Fstat => (self.open_fd(self.signed(0))?, 1),
            Call::Stat | Call::Lstat => {
                let last = if call == Call::Stat { Last::Followed } else { Last::Taken };
                let path = self.path(0)?;
                (self.resolve(At::Fd(libc::AT_FDCWD), &path, last)?, 1)
            }
            _ => (self.target(0, 1, self.signed(3))?, 2),
        };
        let file = File::of(target.as_fd())?;
        if file.record.is_none() {
            return Ok(Outcome::Native);
        }
        let mut stat = file.stat;
        (stat.st_uid, stat.st_gid) = file.owner();
        stat.st_mode = file.mode();
        if let Some((major, minor)) = numbers(&file) {
            stat.st_rdev = rustix::fs::makedev(major, minor);
        }
        if file.is_recorded_in_time() {
            (stat.st_atime, stat.st_atime_nsec) = (stat.st_mtime, stat.st_mtime_nsec);
        }
        Ok(self.answer_in_memory(self.argument(buffer), foreign::bytes_of(&stat), 0))
    }

    pub(super) fn statx(&mut self) -> Result<Outcome, Errno> {
        let flags = self.signed(2);
        let target = self.target(0, 1, flags)?;
        let file = File::of(target.as_fd())?;
        if file.record.is_none() {
            return Ok(Outcome::Native);
        }
        let mut statx = foreign::statx(target.as_fd(), flags, self.number(3) | libc::STATX_MTIME)?;
        (statx.stx_uid, statx.stx_gid) = file.owner();
        statx.stx_mode = (file.mode() & 0xffff) as u16;
        if let Some((major, minor)) = numbers(&file) {
            (statx.stx_rdev_major, statx.stx_rdev_minor) = (major, minor);
        }
        if file.is_recorded_in_time() {
            statx.stx_atime = statx.stx_mtime;
        }
        Ok(self.answer_in_memory(self.argument(4), foreign::bytes_of(&statx), 0))
    }
}

fn numbers(file: &File) -> Option<(u32, u32)> {
    match file.device()? {
        Device::Char(major, minor) | Device::Block(major, minor) => Some((major, minor)),
    }
}
