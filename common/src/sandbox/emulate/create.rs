//! New files: they belong to whoever makes them, or to the group of a set-id directory.
//!
//! Files that root creates need no record, and the kernel creates them. The emulator
//! creates the others itself, and only under new names, so that no FIFO makes it wait. A
//! file that cannot be recorded is removed again, and the call fails. The command can
//! exchange the name in between: then another of its files is recorded or removed, which
//! it could do by itself.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::caller::{At, Caller, Last};
use super::files::{self, File};
use super::filter::Call;
use super::powers::Power;
use super::serve::Outcome;
use crate::layer::recorded::{Device, Record};
use crate::sys::notify;

const CWD: i32 = libc::AT_FDCWD;

/// The most links that a path can lead through.
const MOST_LINKS: u32 = 40;

/// A place for a new file.
struct Place {
    directory: OwnedFd,
    name: Vec<u8>,
    /// Whom the file belongs to.
    record: Record,
}

impl Place {
    /// Removes what has been made there.
    fn clear(&self) {
        let (directory, name) = (&self.directory, self.name.as_slice());
        if rustix::fs::unlinkat(directory, name, AtFlags::empty()) == Err(Errno::ISDIR) {
            let _ = rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR);
        }
    }
}

impl Caller<'_> {
    /// Where a new file is to be; `None` if the kernel can make it.
    fn place(&mut self, at: i32, path: &[u8]) -> Result<Option<Place>, Errno> {
        let (directory, name) = self.parent(At::Fd(at), path)?;
        self.place_in(directory, name)
    }

    fn place_in(&self, directory: OwnedFd, name: Vec<u8>) -> Result<Option<Place>, Errno> {
        let record = self.newcomer(&directory)?;
        Ok((!record.is_default()).then_some(Place { directory, name, record }))
    }

    /// As `place`, at the end of the links that the path names.
    fn place_behind_links(&mut self, at: i32, path: &[u8]) -> Result<Option<Place>, Errno> {
        let (mut directory, mut name) = self.parent(At::Fd(at), path)?;
        for _ in 0..MOST_LINKS {
            match rustix::fs::readlinkat(&directory, name.as_slice(), Vec::new()) {
                // The kernel has an error for it.
                Ok(target) if target.as_bytes().ends_with(b"/") => return Err(Errno::ISDIR),
                Ok(target) => {
                    let at = At::Directory(directory.as_fd());
                    (directory, name) = self.parent(at, target.as_bytes())?;
                }
                Err(_) => return self.place_in(directory, name),
            }
        }
        Err(Errno::LOOP)
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

    /// Makes a file and records whom it belongs to, or neither.
    fn put(
        &self,
        place: &Place,
        make: impl FnOnce(BorrowedFd<'_>, &[u8]) -> Result<(), Errno>,
    ) -> Outcome {
        let (directory, name) = (place.directory.as_fd(), place.name.as_slice());
        let outcome = self.masked(|| make(directory, name)).and_then(|()| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(directory, name, flags, Mode::empty());
            let recorded =
                fd.and_then(|fd| files::record(fd.as_fd(), &File::of(fd.as_fd())?, place.record));
            recorded.inspect_err(|_| place.clear())
        });
        outcome.map_or_else(Outcome::Error, |()| Outcome::Value(0))
    }

    pub(super) fn mkdir(&mut self, call: Call) -> Result<Outcome, Errno> {
        let (at, path) = match call {
            Call::Mkdir => (CWD, 0),
            _ => (self.signed(0), 1),
        };
        let mode = Mode::from_raw_mode(self.number(path + 1) & 0o7777);
        let path = self.path(path)?;
        let Some(place) = self.place(at, &path)? else { return Ok(Outcome::Native) };
        Ok(self.put(&place, |at, name| rustix::fs::mkdirat(at, name, mode)))
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
        Ok(self.put(&place, |at, name| rustix::fs::symlinkat(target.as_slice(), at, name)))
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
        let (kind, place) = match device {
            None => {
                let Some(place) = self.place(at, &path)? else { return Ok(Outcome::Native) };
                let is_file = kind == FileType::Unknown;
                (if is_file { FileType::RegularFile } else { kind }, place)
            }
            Some(_) if !self.emulator.identities.of(self.call.pid)?.powers.has(Power::Mknod) => {
                return Ok(Outcome::Error(Errno::PERM));
            }
            Some(_) => {
                let (directory, name) = self.parent(At::Fd(at), &path)?;
                let record = Record { device, ..self.newcomer(&directory)? };
                (FileType::RegularFile, Place { directory, name, record })
            }
        };
        Ok(self.put(&place, |at, name| rustix::fs::mknodat(at, name, kind, permissions, 0)))
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
        let flags = OFlags::from_bits_retain(flags);
        let follows = !flags.intersects(OFlags::EXCL | OFlags::NOFOLLOW);
        let flags = flags - OFlags::from_bits_retain(UNUSED);
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
        let place = match follows {
            true => self.place_behind_links(at, &path)?,
            false => self.place(at, &path)?,
        };
        let Some(place) = place else { return Ok(Outcome::Native) };
        let flags = flags | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = self
            .masked(|| rustix::fs::openat(&place.directory, place.name.as_slice(), flags, mode));
        let fd = match opened {
            // It is opened, not made.
            Err(Errno::EXIST) => return Ok(Outcome::Native),
            Err(errno) => return Ok(Outcome::Error(errno)),
            Ok(fd) => fd,
        };
        let file = File::of(fd.as_fd());
        let recorded = file.and_then(|file| files::record(fd.as_fd(), &file, place.record));
        let outcome = match recorded {
            Ok(()) => self.hand_over(&fd, closes),
            Err(errno) => Outcome::Error(errno),
        };
        if !matches!(outcome, Outcome::Answered) {
            place.clear();
        }
        Ok(outcome)
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
        let directory = self.resolve(At::Fd(at), &path, Last::Followed)?;
        let record = self.newcomer(&directory)?;
        if record.is_default() {
            return Ok(Outcome::Native);
        }
        let fd =
            self.masked(|| rustix::fs::openat(&directory, ".", flags | OFlags::CLOEXEC, mode))?;
        match File::of(fd.as_fd()).and_then(|file| files::record(fd.as_fd(), &file, record)) {
            Ok(()) => Ok(self.hand_over(&fd, closes)),
            Err(errno) => Ok(Outcome::Error(errno)),
        }
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
