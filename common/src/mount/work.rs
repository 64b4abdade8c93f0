//! Overlayfs's work directory: where it is made, and its removal.
//!
//! It must be on the upper directory's own mount and outside of it, so unless the
//! user names one it is a hidden sibling. The kernel leaves `work/` (mode 0) and
//! perhaps `index/` in it, which nobody wants to find later.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, fstat, mkdirat, openat};

use super::{Error, Upper};
use crate::root;

/// Beginning of the name of a work directory that we made.
const PREFIX: &str = ".union-mount-work.";

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The work directory of an upper directory. [`Work::remove`] removes what the
/// kernel left in it, and the directory itself if it is ours.
#[derive(Debug)]
pub(crate) struct Work(Place);

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
        if let Some(path) = &upper.work {
            return Ok(Self(Place::Named(path.clone())));
        }
        let fail = |source: io::Error| {
            Error::directory(&upper.dir, "cannot make a work directory beside it", source)
        };
        let parent = openat(&upper_fd, "..", DIRECTORY, Mode::empty());
        let parent = parent.map_err(|errno| fail(errno.into()))?;
        let same = identity(&parent).and_then(|above| Ok(above == identity(&upper_fd)?));
        if same.map_err(fail)? {
            return Err(fail(io::Error::other("it is the root of everything")));
        }
        let name = make_unique(parent.as_fd()).map_err(fail)?;
        Ok(Self(Place::Beside(parent, name)))
    }

    /// Opens it, in the mount namespace that `upper_fd` was opened in: overlayfs
    /// takes nothing from another.
    pub(crate) fn open(&self, upper_fd: impl AsFd) -> Result<OwnedFd, Error> {
        let opened = match &self.0 {
            Place::Named(path) => openat(CWD, path, DIRECTORY, Mode::empty()),
            Place::Beside(_, name) => {
                let path = [b"../", name.to_bytes()].concat();
                openat(upper_fd, path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            }
        };
        opened.map_err(|errno| {
            let path = match &self.0 {
                Place::Named(path) => path.clone(),
                Place::Beside(_, name) => PathBuf::from(OsStr::from_bytes(name.to_bytes())),
            };
            Error::directory(path, "cannot open the work directory", errno)
        })
    }

    /// Removes what is left when the mount is gone.
    pub(crate) fn remove(self) -> io::Result<()> {
        match &self.0 {
            Place::Beside(parent, name) => {
                root::remove(parent.as_fd(), name.to_bytes())?;
                Ok(())
            }
            Place::Named(path) => {
                let fd = openat(CWD, path, DIRECTORY, Mode::empty())?;
                for leftover in [&b"work"[..], b"index"] {
                    root::remove(fd.as_fd(), leftover)?;
                }
                Ok(())
            }
        }
    }
}

/// Makes a directory with a name that nobody has yet.
fn make_unique(parent: BorrowedFd<'_>) -> io::Result<CString> {
    const ATTEMPTS: u32 = 1000;
    for attempt in 0..ATTEMPTS {
        let name = format!("{PREFIX}{}.{attempt}", std::process::id());
        let name = CString::new(name).map_err(io::Error::from)?;
        match mkdirat(parent, &name, Mode::RWXU) {
            Ok(()) => return Ok(name),
            Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn identity(fd: impl AsFd) -> io::Result<(u64, u64)> {
    let stat = fstat(fd)?;
    #[allow(clippy::useless_conversion)] // The width differs between machines.
    Ok((stat.st_dev.into(), stat.st_ino.into()))
}

/// Removes the work directory `name` in `parent`.
pub(super) fn remove_in(parent: &Path, name: &OsStr) -> io::Result<()> {
    let parent = openat(CWD, parent, DIRECTORY, Mode::empty())?;
    root::remove(parent.as_fd(), name.as_bytes())?;
    Ok(())
}

/// Whether a directory of this name was made by [`Work`].
pub(super) fn is_ours(name: &OsStr) -> bool {
    name.as_bytes().starts_with(PREFIX.as_bytes())
}
