//! Layers copied into a plain directory: where nothing can be mounted.
//!
//! Owns the copies that are made for one command and vanish with it. They are in
//! the cache's folder `run`, each in a directory of its own that everybody who uses
//! it holds a lock on. Whoever is killed leaves one without a lock: it is removed by
//! the supervisor of the command that it was made for, or by the next one to make a
//! copy.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::Error;
use crate::cache;
use crate::cli::cleanup;
use crate::root;

/// A directory that is removed when it is dropped, whatever is in it.
#[derive(Debug)]
pub struct Copy {
    tree: PathBuf,
    _lock: File,
    _guard: cleanup::Guard,
}

impl Copy {
    /// Makes an empty directory below `cache`, the folder of everything derived, and
    /// removes what others left there when they were killed.
    pub(super) fn new(cache: &Path) -> Result<Self, Error> {
        let run = cache.join("run");
        let made = make(&run);
        made.map_err(Error::file(&run, "cannot make a directory for a copy in it"))
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.tree
    }

    /// Shares a copy that another process made, so as to remove it when that one
    /// is gone.
    ///
    /// # Errors
    /// It is not there.
    pub fn adopt(tree: &Path) -> io::Result<Self> {
        let dir = tree.parent().ok_or(io::ErrorKind::NotFound)?;
        let lock = File::open(dir)?;
        flock(&lock, FlockOperation::NonBlockingLockShared)?;
        Self::guarded(dir, lock)
    }

    /// Closes it in a process that was forked, and leaves the removal to the one that
    /// is its owner.
    pub(crate) fn leave(self) {
        self._guard.forget();
    }

    fn guarded(dir: &Path, lock: File) -> io::Result<Self> {
        let (Some(run), Some(name)) = (dir.parent(), dir.file_name()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (run, name) = (run.to_owned(), name.to_owned());
        let guard = cleanup::register(move || {
            let _ = remove(&run, &name);
        });
        Ok(Self { tree: dir.join("tree"), _lock: lock, _guard: guard })
    }
}

fn make(run: &Path) -> io::Result<Copy> {
    cache::make(run)?;
    // Between its making and its lock a directory looks like a dead one's.
    let making = File::open(run)?;
    flock(&making, FlockOperation::LockExclusive)?;
    remove_dead(run)?;
    let pid = std::process::id();
    let mut names = (0_u32..).map(|number| OsString::from(format!("{pid}.{number}")));
    loop {
        let dir = run.join(names.next().ok_or(io::ErrorKind::AlreadyExists)?);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        let lock = File::open(&dir)?;
        flock(&lock, FlockOperation::NonBlockingLockShared)?;
        let copy = Copy::guarded(&dir, lock)?;
        DirBuilder::new().mode(0o755).create(&copy.tree)?;
        return Ok(copy);
    }
}

/// Removes the directories that nobody has a lock on.
fn remove_dead(run: &Path) -> io::Result<()> {
    for entry in fs::read_dir(run)? {
        let name = entry?.file_name();
        let Ok(dir) = File::open(run.join(&name)) else { continue };
        if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(run, &name)?;
        }
    }
    Ok(())
}

fn remove(run: &Path, name: &OsString) -> io::Result<()> {
    root::remove(File::open(run)?.as_fd(), name.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Copy;

    #[test]
    fn a_copy_lives_as_long_as_somebody_uses_it() {
        let cache = tempfile::tempdir().unwrap();
        let run = cache.path().join("run");
        let count = || std::fs::read_dir(&run).unwrap().count();
        let copy = Copy::new(cache.path()).unwrap();
        std::fs::write(copy.dir().join("file"), "").unwrap();
        let dead = run.join("1.0");
        std::fs::create_dir_all(dead.join("tree")).unwrap();
        let second = Copy::new(cache.path()).unwrap();
        assert!(!dead.try_exists().unwrap(), "what a dead process left is still there");
        assert!(copy.dir().join("file").try_exists().unwrap(), "what a living one uses is gone");
        let adopted = Copy::adopt(copy.dir()).unwrap();
        drop(second);
        assert_eq!(count(), 1);
        drop(adopted);
        assert_eq!(count(), 0);
        drop(copy);
        assert!(Copy::adopt(&run.join("7.0/tree")).is_err());
    }
}
