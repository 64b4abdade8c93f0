//! The way from a directory to another: links resolved within the root, what lies
//! beyond the last real directory left to the caller.

use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::io::Errno;

use super::super::Ahead;
use super::{DirId, Tree};

/// Where a walk ended. What lies beyond stays ahead.
#[derive(Debug, PartialEq, Eq)]
pub enum Walk {
    /// At a directory, with nothing ahead.
    Found(DirId),
    /// `name` is not there.
    Missing {
        /// The directory that lacks it.
        at: DirId,
        /// What it lacks.
        name: Vec<u8>,
    },
    /// `name` is neither a directory nor a link.
    Blocked {
        /// The directory that holds it.
        at: DirId,
        /// What is in the way.
        name: Vec<u8>,
    },
}

impl Tree<'_> {
    /// Walks from `at` along the names ahead; links are resolved within the root.
    ///
    /// # Errors
    /// What openat(2) and readlinkat(2) say; `ELOOP` after too many links.
    pub fn walk(&mut self, at: DirId, ahead: &mut Ahead) -> Result<Walk, Errno> {
        let mut at = at;
        while let Some(name) = ahead.pop() {
            if name == b".." {
                at = self.parent(at);
                continue;
            }
            if let Some(known) = self.child(at, &name) {
                at = known;
                continue;
            }
            if let Some(found) = self.leap(at, &name, ahead) {
                return Ok(Walk::Found(found));
            }
            match self.enter(at, &name) {
                Ok(id) => at = id,
                Err(Errno::NOENT) => return Ok(Walk::Missing { at, name }),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    match self.read_link(at, &name)? {
                        None => return Ok(Walk::Blocked { at, name }),
                        Some(target) => at = follow(at, &target, ahead)?,
                    };
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Walk::Found(at))
    }

    /// All that is ahead at once, where it is real directories to the end.
    fn leap(&mut self, at: DirId, name: &[u8], ahead: &mut Ahead) -> Option<DirId> {
        if ahead.is_empty() || ahead.climbs() {
            return None;
        }
        let mut names = vec![name];
        names.extend(ahead.names());
        let start = self.fd(at).ok()?;
        let fd = self.root.open_real(start.as_fd(), &names).ok()?;
        let mut id = at;
        for name in names {
            id = self.learn(id, name);
        }
        self.keep_open(id, Arc::new(fd));
        ahead.take();
        Some(id)
    }

    /// The target of the link `name` in `at`, `None` if it is no link.
    fn read_link(&mut self, at: DirId, name: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
        let fd = self.fd(at)?;
        match rustix::fs::readlinkat(&fd, name, Vec::new()) {
            Ok(target) => Ok(Some(target.into_bytes())),
            Err(Errno::INVAL) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Puts a link's target ahead; from the root if it is absolute.
///
/// # Errors
/// `ELOOP` after too many links.
pub fn follow(at: DirId, target: &[u8], ahead: &mut Ahead) -> Result<DirId, Errno> {
    Ok(if ahead.follow(target)? { DirId::ROOT } else { at })
}
