//! Directories that vanish with the processes that use them.
//!
//! They are made in a folder that all processes of a user share, each with a lock that
//! everybody who uses it holds. Whoever is killed leaves one without a lock: the next to
//! make one in that folder removes it, and so does whoever asks for it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::cache;
use crate::cleanup;
use crate::root;

/// A directory that is removed when it is dropped, whatever is in it.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    _lock: File,
    _guard: cleanup::Guard,
}

/// The folder for them below `cache`, the folder of everything derived.
#[must_use]
pub fn folder(cache: &Path) -> PathBuf {
    cache.join("run")
}

impl Scratch {
    /// Makes an empty directory in `folder`, and removes what others left there when they
    /// were killed.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn new(folder: &Path) -> io::Result<Self> {
        cache::make(folder)?;
        // Between its making and its lock a directory looks like a dead one's.
        let making = File::open(folder)?;
        flock(&making, FlockOperation::LockExclusive)?;
        remove_unlocked(folder)?;
        let pid = std::process::id();
        let mut names = (0_u32..).map(|number| OsString::from(format!("{pid}.{number}")));
        loop {
            let dir = folder.join(names.next().ok_or(io::ErrorKind::AlreadyExists)?);
            match DirBuilder::new().mode(0o700).create(&dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            return Self::adopt(&dir);
        }
    }

    /// Shares a directory that another process made, so as to remove it when that one is
    /// gone.
    ///
    /// # Errors
    /// It is not there.
    pub fn adopt(dir: &Path) -> io::Result<Self> {
        let lock = File::open(dir)?;
        flock(&lock, FlockOperation::NonBlockingLockShared)?;
        let leftover = dir.to_owned();
        let guard = cleanup::register(move || {
            let _ = remove(&leftover);
        });
        Ok(Self { dir: dir.to_owned(), _lock: lock, _guard: guard })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Closes it in a process that was forked, and leaves the removal to the one that is
    /// its owner.
    pub fn leave(self) {
        self._guard.forget();
    }
}

/// Removes the directories in `folder` that dead processes left. What cannot be removed
/// stays; nothing is there if the folder is not.
///
/// # Errors
/// A folder that cannot be read.
pub fn remove_dead(folder: &Path) -> io::Result<()> {
    let making = match File::open(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    match flock(&making, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => remove_unlocked(folder),
        // Somebody is just making one, and removes the dead ones.
        Err(_) => Ok(()),
    }
}

fn remove_unlocked(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Ok(dir) = File::open(&path) else { continue };
        if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // It may hold files of ids that only a user namespace can remove.
            let _ = remove(&path);
        }
    }
    Ok(())
}

/// Removes a tree whatever its directories' permissions are.
fn remove(dir: &Path) -> io::Result<()> {
    let parent = dir.parent().unwrap_or(Path::new("/"));
    let name = dir.file_name().unwrap_or(OsStr::new(""));
    root::remove(File::open(parent)?.as_fd(), name.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Scratch, remove_dead};

    #[test]
    fn directories_of_the_dead_are_removed_and_others_are_not() {
        let cache = tempfile::tempdir().unwrap();
        let folder = super::folder(cache.path());
        remove_dead(&folder).unwrap();
        let living = Scratch::new(&folder).unwrap();
        let dead = folder.join("1.0");
        for clean in [(|folder| remove_dead(folder).unwrap()) as fn(&std::path::Path), |folder| {
            drop(Scratch::new(folder).unwrap())
        }] {
            std::fs::create_dir_all(dead.join("tree")).unwrap();
            clean(&folder);
            assert!(!dead.try_exists().unwrap());
            assert!(living.dir().try_exists().unwrap());
        }
    }
}
