//! New files: they belong to whoever makes them, or to the group of a set-id directory.
//!
//! Files that root creates need no record, and the kernel creates them. The emulator
//! creates the others itself, and only under new names: then a record cannot hit another
//! file, and no FIFO makes the emulator wait.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::caller::Caller;
use super::files::{self, File};
use super::filter::Call;
use super::powers::Power;
use super::serve::Outcome;
use crate::layer::recorded::{Device, Record};
use crate::sys::notify;

const CWD: i32 = libc::AT_FDCWD;

/// A place for a new file.
struct Place {
    directory: OwnedFd,
    name: Vec<u8>,
    /// Whom the file belongs to.
    record: Record,
}

impl Caller<'_> {
    /// Where a new file is to be; `None` if the kernel can make it.
    fn place(&mut self, at: i32, path: &[u8]) -> Result<Option<Place>, Errno> {
        let (directory, name) = self.parent(at, path)?;
        let record = self.newcomer(&directory)?;
        Ok((!record.is_default()).then_some(Place { directory, name, record }))
    }

    /// Whom a new file in the directory belongs to.
    fn newcomer(&self, directory: &OwnedFd) -> Result<Record, Errno> {
        let directory = File::of(directory.as_fd())?;
        let identity = self.emulator.identities.of(self.call.pid)?;
        let gid = match directory.stat.st_mode & libc::S_ISGID {
            0 => identity.groups.file,
            _ => directory.owner().1,
        };
        Ok(Record::owner(identity.users.file, gid))
    }

    /// Runs what makes a file under the mask of the caller.
    fn masked<T>(&self, make: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
        let own = rustix::process::umask(self.umask()?);
        let made = make();
        rustix::process::umask(own);
        made
    }

    fn record_new(place: &Place) -> Result<(), Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&place.directory, place.name.as_slice(), flags, Mode::empty())?;
        files::record(fd.as_fd(), &File::of(fd.as_fd())?, place.record)
    }

    pub(super) fn mkdir(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (at, path) = match call {
            Call::Mkdir => (CWD, 0),
            _ => (self.signed(0), 1),
        };
        let mode = Mode::from_raw_mode(self.number(path + 1) & 0o7777);
        let path = self.path(path)?;
        let Some(place) = self.place(at, &path)? else { return Ok(Outcome::Native) };
        self.masked(|| rustix::fs::mkdirat(&place.directory, place.name.as_slice(), mode))?;
        Ok(recorded(Self::record_new(&place)))
    }

    pub(super) fn symlink(&mut self, call: Call) -> Result<Outcome, Errno> {
        let target = self.path(0)?;
        let (at, path) = match call {
            Call::Symlink => (CWD, self.path(1)?),
            _ => (self.signed(1), self.path(2)?),
        };
        if path.ends_with(b"/") {
            return Ok(Outcome::Native);
        }
        let Some(place) = self.place(at, &path)? else { return Ok(Outcome::Native) };
        rustix::fs::symlinkat(target.as_slice(), &place.directory, place.name.as_slice())?;
        Ok(recorded(Self::record_new(&place)))
    }

    pub(super) fn mknod(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (at, path) = match call {
            Call::Mknod => (CWD, 0),
            _ => (self.signed(0), 1),
        };
        let (mode, number) = (self.number(path + 1), u64::from(self.number(path + 2)));
        let path = self.path(path)?;
        if path.ends_with(b"/") {
            return Ok(Outcome::Native);
        }
        let kind = FileType::from_raw_mode(mode);
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let device = match kind {
            // Overlayfs's whiteout, which overlayfs refuses to make.
            FileType::CharacterDevice if number == 0 => return Ok(Outcome::Native),
            FileType::CharacterDevice => Some(Device::Char(major, minor)),
            FileType::BlockDevice => Some(Device::Block(major, minor)),
            FileType::RegularFile | FileType::Fifo | FileType::Socket => None,
            // Zero stands for a regular file.
            FileType::Unknown if mode & libc::S_IFMT == 0 => None,
            _ => return Ok(Outcome::Native),
        };
        let permissions = Mode::from_raw_mode(mode & 0o7777);
        if device.is_none() {
            let Some(place) = self.place(at, &path)? else { return Ok(Outcome::Native) };
            let kind = if kind == FileType::Unknown { FileType::RegularFile } else { kind };
            self.masked(|| {
                let name = place.name.as_slice();
                rustix::fs::mknodat(&place.directory, name, kind, permissions, 0)
            })?;
            return Ok(recorded(Self::record_new(&place)));
        }
        if !self.emulator.identities.of(self.call.pid)?.powers.has(Power::Mknod) {
            return Ok(Outcome::Error(Errno::PERM));
        }
        let (directory, name) = self.parent(at, &path)?;
        let record = Record { device, ..self.newcomer(&directory)? };
        let place = Place { directory, name, record };
        let made = self.masked(|| {
            let (name, kind) = (place.name.as_slice(), FileType::RegularFile);
            rustix::fs::mknodat(&place.directory, name, kind, permissions, 0)
        });
        match made {
            Ok(()) => Ok(recorded(Self::record_new(&place))),
            // The kernel would say that it may not be made.
            Err(errno) => Ok(Outcome::Error(errno)),
        }
    }

    pub(super) fn open(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (at, path, flags, mode) = match call {
            Call::Open => (CWD, 0, self.number(1), self.number(2)),
            Call::Creat => {
                let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
                (CWD, 0, flags as u32, self.number(1))
            }
            Call::Openat => (self.signed(0), 1, self.number(2), self.number(3)),
            _ => {
                let how = self.read(self.argument(2), 24)?;
                let word = |start: usize| {
                    let word = how.get(start..start + 8).unwrap_or_default();
                    u64::from_le_bytes(word.try_into().unwrap_or_default())
                };
                // Whoever says how to resolve a path is taken at their word by the kernel.
                let (Ok(flags), Ok(mode), 0) =
                    (u32::try_from(word(0)), u32::try_from(word(8)), word(16))
                else {
                    return Ok(Outcome::Native);
                };
                (self.signed(0), 1, flags, mode)
            }
        };
        let flags = OFlags::from_bits_retain(flags) - OFlags::from_bits_retain(UNUSED);
        let mode = Mode::from_raw_mode(mode & 0o7777);
        let closes = flags.contains(OFlags::CLOEXEC);
        if flags.contains(OFlags::TMPFILE) {
            return self.open_nameless(at, path, flags, mode, closes);
        }
        if !flags.contains(OFlags::CREATE) || flags.contains(OFlags::PATH) {
            return Ok(Outcome::Native);
        }
        let path = self.path(path)?;
        if path.ends_with(b"/") {
            return Ok(Outcome::Native);
        }
        let Some(place) = self.place(at, &path)? else { return Ok(Outcome::Native) };
        let flags = flags | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self.masked(|| {
            let (name, resolve) = (place.name.as_slice(), ResolveFlags::NO_MAGICLINKS);
            rustix::fs::openat2(&place.directory, name, flags, mode, resolve)
        })?;
        let file = File::of(fd.as_fd())?;
        if let Err(errno) = files::record(fd.as_fd(), &file, place.record) {
            let _ = rustix::fs::unlinkat(&place.directory, place.name, AtFlags::empty());
            return Ok(Outcome::Error(errno));
        }
        Ok(self.hand_over(&fd, closes))
    }

    /// open(2) with O_TMPFILE.
    fn open_nameless(
        &mut self,
        at: i32,
        path: usize,
        flags: OFlags,
        mode: Mode,
        closes: bool,
    ) -> Result<Outcome, Errno> {
        let path = self.path(path)?;
        let directory = self.resolve(at, &path, super::caller::Last::Followed)?;
        let record = self.newcomer(&directory)?;
        if record.is_default() {
            return Ok(Outcome::Native);
        }
        let fd =
            self.masked(|| rustix::fs::openat(&directory, ".", flags | OFlags::CLOEXEC, mode))?;
        files::record(fd.as_fd(), &File::of(fd.as_fd())?, record)?;
        Ok(self.hand_over(&fd, closes))
    }

    fn hand_over(&self, fd: &OwnedFd, closes: bool) -> Outcome {
        let listener = self.emulator.listener.as_fd();
        match notify::answer_with(listener, self.call.id, fd.as_fd(), closes) {
            true => Outcome::Answered,
            false => Outcome::Error(Errno::MFILE),
        }
    }
}

/// Flags that mean nothing for a new regular file.
const UNUSED: u32 = (libc::O_NOCTTY | libc::O_NOFOLLOW) as u32;

/// The answer to a call that made a file.
fn recorded(outcome: Result<(), Errno>) -> Outcome {
    match outcome {
        Ok(()) => Outcome::Value(0),
        Err(errno) => Outcome::Error(errno),
    }
}
