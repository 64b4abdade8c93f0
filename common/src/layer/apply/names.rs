//! Names in the directories of the tree: made, removed, and remembered as the
//! layer's own.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::engine::Engine;
use super::error::{Problem, Tried as _};
use super::remembered::{Births, Directory};
use crate::root::attributes;
use crate::root::{self, DirId, Removed};
use crate::time::Timestamp;

/// How often something that another process puts in the way is removed again.
pub(super) const MAX_RACES: usize = 16;

impl Engine<'_> {
    /// What is remembered of a directory.
    pub(super) fn directory(&mut self, id: DirId) -> &mut Directory {
        let index = id.index();
        if self.directories.len() <= index {
            self.directories.resize_with(index + 1, Directory::default);
        }
        &mut self.directories[index]
    }

    /// The descriptor of a directory in which something is about to change, its
    /// time remembered first.
    pub(super) fn prepare(&mut self, id: DirId) -> Result<Arc<OwnedFd>, Problem> {
        let fd = self.tree.fd(id).tried("open its directory")?;
        if !self.directory(id).seen {
            let stat = rustix::fs::fstat(&fd).tried("read its directory's attributes")?;
            let acl = attributes::xattr(fd.as_fd(), b"system.posix_acl_default");
            let directory = self.directory(id);
            directory.seen = true;
            directory.births = Births { owner: None, acl: !matches!(acl, Ok(None)) };
            directory.mtime.get_or_insert(Timestamp {
                seconds: stat.st_mtime,
                nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            });
        }
        Ok(fd)
    }

    /// Does something to a name of the directory `at`, and once more if its
    /// permission bits kept us out of a directory that is ours.
    pub(super) fn within<T>(
        &mut self,
        at: DirId,
        action: &'static str,
        mut act: impl FnMut(&OwnedFd) -> Result<T, Errno>,
    ) -> Result<T, Problem> {
        let fd = self.prepare(at)?;
        match act(&fd) {
            Err(Errno::ACCESS) if self.tree.make_accessible(at).unwrap_or(false) => {
                act(&fd).tried(action)
            }
            outcome => outcome.tried(action),
        }
    }

    /// Makes a name, and removes first what stands in its place.
    pub(super) fn make<T>(
        &mut self,
        at: DirId,
        name: &[u8],
        action: &'static str,
        mut make: impl FnMut(&OwnedFd) -> Result<T, Errno>,
    ) -> Result<T, Problem> {
        for _ in 0..MAX_RACES {
            let made = self.within(at, action, |fd| match make(fd) {
                Ok(made) => Ok(Some(made)),
                Err(Errno::EXIST) => Ok(None),
                Err(error) => Err(error),
            })?;
            match made {
                Some(made) => return Ok(made),
                None => self.clear(at, name)?,
            };
        }
        Err(Errno::EXIST).tried(action)
    }

    /// Removes whatever is called `name` in `at`, with all below it.
    pub(super) fn clear(&mut self, at: DirId, name: &[u8]) -> Result<Removed, Problem> {
        let removed =
            self.within(at, "remove what is in its place", |fd| root::remove(fd.as_fd(), name))?;
        if removed != Removed::Nothing {
            self.touched.remove(at, name);
            self.whiteouts.remove(at, name);
            self.tree.forget(at, name);
            // It may have been a link on the way to that parent, or above it.
            self.last_parent = None;
        }
        Ok(removed)
    }

    /// The layer has put something into `at`.
    pub(super) fn touch(&mut self, mut at: DirId) {
        while !std::mem::replace(&mut self.directory(at).touched, true) {
            at = self.tree.parent(at);
        }
    }

    /// The layer has made `name` in `at`, which is no directory.
    pub(super) fn made(&mut self, at: DirId, name: &[u8]) {
        // Where the layer made the directory, there is nothing to tell it from.
        if !self.directory(at).fresh {
            self.touched.insert(at, name);
        }
        self.touch(at);
    }

    /// Whether the layer itself made `name` in `at`.
    pub(super) fn is_touched(&mut self, at: DirId, name: &[u8]) -> Result<bool, Problem> {
        if !self.directory(at).fresh || self.tree.child(at, name).is_some() {
            return Ok(self.is_own(at, name));
        }
        let is_there = self.within(at, "look at it", |fd| {
            match rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(errno) => Err(errno),
            }
        })?;
        Ok(is_there && self.is_own(at, name))
    }

    /// The same of a `name` that is there.
    pub(super) fn is_own(&mut self, at: DirId, name: &[u8]) -> bool {
        match self.tree.child(at, name) {
            Some(id) => self.directory(id).touched,
            None if self.directory(at).fresh => !self.whiteouts.contains(at, name),
            None => self.touched.contains(at, name),
        }
    }
}
