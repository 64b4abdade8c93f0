//! chown(2) and its kin, and times that would overwrite a record.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Timespec};
use rustix::io::Errno;

use super::caller::{Caller, Last};
use super::files::{self, File};
use super::filter::Call;
use super::powers::Power;
use super::serve::Outcome;
use crate::layer::recorded::Record;

/// "As it is" in calls.
const SAME: u32 = u32::MAX;

const CWD: i32 = libc::AT_FDCWD;

impl Caller<'_> {
    pub(super) fn chown(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (target, ids) = match call {
            Call::Chown | Call::Lchown => {
                let last = if call == Call::Chown { Last::Followed } else { Last::Taken };
                let path = self.path(0)?;
                (self.resolve(CWD, &path, last)?, 1)
            }
            Call::Fchown => (self.open_fd(self.signed(0))?, 1),
            _ => (self.target(0, 1, self.signed(4))?, 2),
        };
        let (uid, gid) = (self.number(ids), self.number(ids + 1));
        match self.give(target.as_fd(), uid, gid) {
            Ok(()) => Ok(Outcome::Value(0)),
            Err(errno) => Ok(Outcome::Error(errno)),
        }
    }

    /// Opens the file that a call names by a directory, a path and flags.
    pub(super) fn target(&mut self, at: usize, path: usize, flags: i32) -> Result<OwnedFd, Errno> {
        let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT | SYNC;
        if flags & !known != 0 {
            return Err(Errno::INVAL);
        }
        let at = self.signed(at);
        let may_be_empty = flags & libc::AT_EMPTY_PATH != 0;
        // Since Linux 6.11 there need be no path then.
        if may_be_empty && self.argument(path) == 0 {
            return self.open_fd(at);
        }
        let path = self.path(path)?;
        if may_be_empty && path.is_empty() {
            return self.open_fd(at);
        }
        let last = match flags & libc::AT_SYMLINK_NOFOLLOW {
            0 => Last::Followed,
            _ => Last::Taken,
        };
        self.resolve(at, &path, last)
    }

    /// Changes the owner of a file: by the rules of chown(2), in its record.
    fn give(&self, fd: BorrowedFd<'_>, uid: u32, gid: u32) -> Result<(), Errno> {
        let file = File::of(fd)?;
        let (old_uid, old_gid) = file.owner();
        let identity = self.emulator.identities.of(self.call.pid)?;
        if !identity.powers.has(Power::Chown) {
            let is_owner = identity.users.file == old_uid;
            let keeps_user = uid == SAME || uid == old_uid && is_owner;
            let may_have_group = gid == SAME || is_owner && (gid == old_gid || identity.is_in(gid));
            // The kernel clears set-id bits, which only the owner may.
            let mode = file.stat.st_mode;
            let sheds = mode & libc::S_IFMT != libc::S_IFDIR
                && (mode & libc::S_ISUID != 0
                    || mode & libc::S_ISGID != 0
                        && (mode & libc::S_IXGRP != 0 || !identity.is_in(old_gid)));
            if !keeps_user || !may_have_group || sheds && !is_owner {
                return Err(Errno::PERM);
            }
        }
        // Clears set-id bits and capabilities, copies the file up, and is refused where
        // nothing can be changed.
        rustix::fs::chownat(fd, "", None, None, AtFlags::EMPTY_PATH)?;
        let or_old = |id: u32, old: u32| if id == SAME { old } else { id };
        let device = file.device();
        let record = Record { uid: or_old(uid, old_uid), gid: or_old(gid, old_gid), device };
        files::record(fd, &file, record)
    }

    /// utimensat(2) of a link, whose owner may be in its time of last access.
    pub(super) fn utimensat(&mut self) -> Result<Outcome, Errno> {
        let target = self.target(0, 1, self.signed(3))?;
        if !File::of(target.as_fd())?.is_recorded_in_time() {
            return Ok(Outcome::Native);
        }
        let modified = match self.argument(2) {
            0 => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
            address => {
                let bytes = self.read(address, 32)?;
                let word = |start: usize| {
                    let word = bytes.get(start..start + 8).unwrap_or_default();
                    i64::from_le_bytes(word.try_into().unwrap_or_default())
                };
                Timespec { tv_sec: word(16), tv_nsec: word(24) }
            }
        };
        match files::set_times(target.as_fd(), None, Some(modified)) {
            Ok(()) => Ok(Outcome::Value(0)),
            Err(errno) => Ok(Outcome::Error(errno)),
        }
    }
}

/// Flags of statx(2) that say how fresh its answer is.
const SYNC: i32 = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
