//! Layers copied into a plain directory: where nothing can be mounted.
//!
//! Owns the copies that are made for one command and vanish with it: see
//! [`crate::scratch`]. That of a command whose starter is killed is removed by the
//! command's supervisor, which shares it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::Error;
use crate::scratch::{self, Scratch};

/// A directory that is removed when it is dropped, whatever is in it.
#[derive(Debug)]
pub struct Copy {
    scratch: Scratch,
    tree: PathBuf,
}

impl Copy {
    /// Makes an empty directory below `cache`, the folder of everything derived.
    pub(super) fn new(cache: &Path) -> Result<Self, Error> {
        let folder = scratch::folder(cache);
        let made = make(&folder);
        made.map_err(Error::file(&folder, "cannot make a directory for a copy in it"))
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
        let scratch = Scratch::adopt(tree.parent().ok_or(io::ErrorKind::NotFound)?)?;
        Ok(Self { scratch, tree: tree.to_owned() })
    }

    /// Closes it in a process that was forked, and leaves the removal to the one that
    /// is its owner.
    pub(crate) fn leave(self) {
        self.scratch.leave();
    }
}

fn make(folder: &Path) -> io::Result<Copy> {
    let scratch = Scratch::new(folder)?;
    let tree = scratch.dir().join("tree");
    DirBuilder::new().mode(0o755).create(&tree)?;
    Ok(Copy { scratch, tree })
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
