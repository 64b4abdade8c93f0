//! Overlayfs's work directory: where it is made, and its removal.
//!
//! It must be on the upper directory's own mount and outside of it, so unless the
//! user names one it is a hidden sibling, named after the upper directory's inode.
//! The kernel leaves `work/` (mode 0) and perhaps `index/` in it, which nobody wants
//! to find later.
//!
//! Whoever uses it holds a lock on it. So two unions never write to one upper
//! directory, which overlayfs leaves undefined; and what a death left, whatever
//! died, the next union of that upper directory clears away.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat, statat,
};
use rustix::io::Errno;

use super::error::Error;
use super::spec::Upper;
use super::table;
use crate::root;

/// Beginning of the name of a work directory that we made.
const PREFIX: &str = ".union-mount-work.";

/// How long a union that was killed may take to clear away what it made.
const PATIENCE: Duration = Duration::from_secs(2);

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The work directory of an upper directory. [`Work::remove`] removes what the
/// kernel left in it, and the directory itself if it is ours.
#[derive(Debug)]
pub(crate) struct Work {
    place: Place,
    /// Locks it, where the file system knows locks, for as long as it is open.
    _lock: OwnedFd,
}

#[derive(Debug)]
enum Place {
    /// Made by us: the directory it is in, and its name there.
    Beside(OwnedFd, CString),
    /// Named by the user.
    Named(PathBuf),
}

impl Work {
    /// Finds the work directory that `upper` names, or makes one beside it.
    /// `upper_fd` is the upper directory.
    pub(crate) fn prepare(upper: &Upper, upper_fd: impl AsFd) -> Result<Self, Error> {
        match &upper.work {
            Some(path) => Self::named(upper, &upper_fd, path),
            None => Self::beside(upper, &upper_fd),
        }
    }

    fn named(upper: &Upper, upper_fd: &impl AsFd, path: &Path) -> Result<Self, Error> {
        let about = "cannot open the work directory";
        let fail = |error: io::Error| Error::directory(path, about, error);
        let fd = openat(CWD, path, DIRECTORY, Mode::empty()).map_err(|errno| fail(errno.into()))?;
        let nested = is_within(&fd, upper_fd).map_err(fail)?;
        if nested || is_within(upper_fd, &fd).map_err(fail)? {
            let error = io::Error::other("it must lie apart from the upper directory");
            return Err(fail(error));
        }
        claim(upper, &fd).map_err(|error| error.unwrap_or_else(fail))?;
        Ok(Self { place: Place::Named(path.to_owned()), _lock: fd })
    }

    fn beside(upper: &Upper, upper_fd: &impl AsFd) -> Result<Self, Error> {
        let fail = |source: io::Error| {
            Error::directory(&upper.dir, "cannot make a work directory beside it", source)
        };
        let parent = openat(upper_fd, "..", DIRECTORY, Mode::empty());
        let parent = parent.map_err(|errno| fail(errno.into()))?;
        let own = identity(upper_fd).map_err(fail)?;
        if identity(&parent).map_err(fail)? == own {
            return Err(fail(io::Error::other("it is the root of everything")));
        }
        let name = format!("{PREFIX}{}", own.1);
        let name = CString::new(name).map_err(|error| fail(error.into()))?;
        loop {
            let made = match mkdirat(&parent, &name, Mode::RWXU) {
                Err(Errno::EXIST) => false,
                made => {
                    made.map_err(|errno| fail(errno.into()))?;
                    true
                }
            };
            let fd = match openat(&parent, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
                // The one who had it has just removed it.
                Err(Errno::NOENT) => continue,
                opened => opened.map_err(|errno| fail(errno.into()))?,
            };
            claim(upper, &fd).map_err(|error| error.unwrap_or_else(fail))?;
            // Whoever had it before may have removed it.
            let named = statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW);
            if named.ok().map(|stat| identity_of(&stat)) != identity(&fd).ok() {
                continue;
            }
            if !made {
                let owner = fstat(&fd).map_err(|errno| fail(errno.into()))?.st_uid;
                if owner != rustix::process::geteuid().as_raw() {
                    let error = io::Error::other("somebody else's is there");
                    return Err(fail(error));
                }
                clear(&fd).map_err(fail)?;
            }
            return Ok(Self { place: Place::Beside(parent, name), _lock: fd });
        }
    }

    /// Opens it, in the mount namespace that `upper_fd` was opened in: overlayfs
    /// takes nothing from another.
    pub(crate) fn open(&self, upper_fd: impl AsFd) -> Result<OwnedFd, Error> {
        let opened = match &self.place {
            Place::Named(path) => openat(CWD, path, DIRECTORY, Mode::empty()),
            Place::Beside(_, name) => {
                let path = [b"../", name.to_bytes()].concat();
                openat(upper_fd, path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            }
        };
        opened.map_err(|errno| {
            let path = match &self.place {
                Place::Named(path) => path.clone(),
                Place::Beside(_, name) => PathBuf::from(OsStr::from_bytes(name.to_bytes())),
            };
            Error::directory(path, "cannot open the work directory", errno)
        })
    }

    /// Removes what is left when the mount is gone.
    pub(crate) fn remove(self) -> io::Result<()> {
        match &self.place {
            Place::Beside(parent, name) => {
                root::remove(parent.as_fd(), name.to_bytes())?;
                Ok(())
            }
            Place::Named(path) => clear(&openat(CWD, path, DIRECTORY, Mode::empty())?),
        }
    }
}

/// Takes the lock. A mount point's union has none, but is in the kernel's table.
fn claim(upper: &Upper, work: &OwnedFd) -> Result<(), Claim> {
    let in_use = || Claim::InUse(Error::InUse { path: upper.dir.clone() });
    let start = Instant::now();
    // Anything but WOULDBLOCK: it is ours, or the file system has no locks.
    while flock(work, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        if start.elapsed() > PATIENCE {
            return Err(in_use());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let own = identity(work).map_err(Claim::System)?;
    let mounted = table::works().map_err(Claim::System)?;
    let same = |path: &PathBuf| statat(CWD, path, AtFlags::empty()).map(|stat| identity_of(&stat));
    if mounted.iter().any(|path| same(path) == Ok(own)) {
        return Err(in_use());
    }
    Ok(())
}

/// Why a work directory is not ours.
enum Claim {
    InUse(Error),
    System(io::Error),
}

impl Claim {
    fn unwrap_or_else(self, fail: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::InUse(error) => error,
            Self::System(error) => fail(error),
        }
    }
}

/// Removes what a mount that is gone has left in it.
fn clear(work: &OwnedFd) -> io::Result<()> {
    for leftover in [&b"work"[..], b"index"] {
        root::remove(work.as_fd(), leftover)?;
    }
    Ok(())
}

/// Whether `inner` is `outer` or below it.
fn is_within(inner: &impl AsFd, outer: &impl AsFd) -> io::Result<bool> {
    let outer = identity(outer)?;
    let mut at = openat(inner, ".", DIRECTORY | OFlags::PATH, Mode::empty())?;
    loop {
        let here = identity(&at)?;
        if here == outer {
            return Ok(true);
        }
        at = openat(&at, "..", DIRECTORY | OFlags::PATH, Mode::empty())?;
        if identity(&at)? == here {
            return Ok(false);
        }
    }
}

fn identity(fd: impl AsFd) -> io::Result<(u64, u64)> {
    Ok(identity_of(&fstat(fd)?))
}

#[allow(clippy::useless_conversion)] // The width differs between machines.
fn identity_of(stat: &rustix::fs::Stat) -> (u64, u64) {
    (stat.st_dev.into(), stat.st_ino.into())
}

/// The path of an open work directory.
pub(super) fn path(work: &OwnedFd) -> io::Result<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{}", work.as_raw_fd()))
}

/// Removes a work directory of which nothing but its path is left.
pub(super) fn remove_at(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    if !name.as_bytes().starts_with(PREFIX.as_bytes()) {
        return clear(&openat(CWD, path, DIRECTORY, Mode::empty())?);
    }
    let parent = openat(CWD, parent, DIRECTORY, Mode::empty())?;
    root::remove(parent.as_fd(), name.as_bytes())?;
    Ok(())
}
