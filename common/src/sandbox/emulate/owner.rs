//! chown(2) and its kin, and times that would overwrite a record.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Timespec};
use rustix::io::Errno;

use super::caller::{At, Caller, Last};
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
                (self.resolve(At::Fd(CWD), &path, last)?, 1)
            }
            Call::Fchown => (self.open_fd_of_file(self.signed(0))?, 1),
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
        let at = self.signed(at);
        // Since Linux 6.11 there need be no path if it may be empty.
        if flags & libc::AT_EMPTY_PATH != 0 && self.argument(path) == 0 {
            return self.named(at, Vec::new(), flags);
        }
        let path = self.path(path)?;
        self.named(at, path, flags)
    }

    fn named(&mut self, at: i32, path: Vec<u8>, flags: i32) -> Result<OwnedFd, Errno> {
        let known = libc::AT_SYMLINK_NOFOLLOW | libc::AT_EMPTY_PATH | libc::AT_NO_AUTOMOUNT | SYNC;
        if flags & !known != 0 {
            return Err(Errno::INVAL);
        }
        if flags & libc::AT_EMPTY_PATH != 0 && path.is_empty() {
            return self.open_at(at);
        }
        let last = match flags & libc::AT_SYMLINK_NOFOLLOW {
            0 => Last::Followed,
            _ => Last::Taken,
        };
        self.resolve(At::Fd(at), &path, last)
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

    /// utimensat(2) and its kin, for what may have its owner in its time of last access.
    pub(super) fn utime(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (at, path, times, flags) = match call {
            Call::Utime | Call::Utimes => (CWD, 0, 1, 0),
            Call::Futimesat => (self.signed(0), 1, 2, 0),
            _ => (self.signed(0), 1, 2, self.signed(3)),
        };
        let target = match (call, self.argument(path)) {
            // Without a path it is futimens(3).
            (Call::Utimensat | Call::Futimesat, 0) if at != CWD => self.open_fd_of_file(at)?,
            _ => {
                let name = self.path(path)?;
                self.named(at, name, flags)?
            }
        };
        if !File::of(target.as_fd())?.is_recorded_in_time() {
            return Ok(Outcome::Native);
        }
        let modified = match (self.argument(times), call) {
            (0, _) => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
            (address, Call::Utime) => {
                let [_, seconds] = self.words(address)?;
                Timespec { tv_sec: seconds, tv_nsec: 0 }
            }
            (address, Call::Utimes | Call::Futimesat) => {
                let [_, accessed, seconds, modified] = self.words(address)?;
                if [accessed, modified].iter().any(|part| !(0..1_000_000).contains(part)) {
                    return Ok(Outcome::Error(Errno::INVAL));
                }
                Timespec { tv_sec: seconds, tv_nsec: modified * 1000 }
            }
            (address, _) => {
                let [_, accessed, seconds, modified] = self.words(address)?;
                let is_special =
                    [rustix::fs::UTIME_NOW, rustix::fs::UTIME_OMIT].contains(&accessed);
                if !is_special && !(0..1_000_000_000).contains(&accessed) {
                    return Ok(Outcome::Error(Errno::INVAL));
                }
                Timespec { tv_sec: seconds, tv_nsec: modified }
            }
        };
        match files::set_times(target.as_fd(), None, Some(modified)) {
            Ok(()) => Ok(Outcome::Value(0)),
            Err(errno) => Ok(Outcome::Error(errno)),
        }
    }

    /// Reads the numbers of two times.
    fn words<const N: usize>(&mut self, address: u64) -> Result<[i64; N], Errno> {
        let bytes = self.read(address, N * 8)?;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = i64::from_le_bytes(bytes.try_into().unwrap_or_default());
        }
        Ok(words)
    }
}

/// Flags of statx(2) that say how fresh its answer is.
const SYNC: i32 = libc::AT_STATX_FORCE_SYNC | libc::AT_STATX_DONT_SYNC;
