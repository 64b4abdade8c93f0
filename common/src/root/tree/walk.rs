//! The way from a directory to another: links resolved within the root, what lies
//! beyond the last real directory left to the caller.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::sync::Arc;

use rustix::io::Errno;

use super::super::locate::MAX_LINKS;
use super::{DirId, Tree};

/// The names still ahead on a walk, and how many links were passed.
#[derive(Debug)]
pub struct Ahead {
    names: VecDeque<Vec<u8>>,
    links: usize,
}

impl Ahead {
    /// All of `components`.
    #[must_use]
    pub fn of(components: &[&[u8]]) -> Self {
        Self { names: components.iter().map(|name| name.to_vec()).collect(), links: 0 }
    }

    /// The next name, which is no longer ahead then.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        self.names.pop_front()
    }

    /// Whether there are no more names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Puts the target of a symbolic link ahead. Says whether it starts at the root.
    ///
    /// # Errors
    /// `ELOOP` after too many links.
    pub fn follow(&mut self, target: &[u8]) -> Result<bool, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let names = target.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        for name in names.rev() {
            self.names.push_front(name.to_vec());
        }
        Ok(target.first() == Some(&b'/'))
    }

    /// Whether the way leads up again.
    #[must_use]
    pub fn climbs(&self) -> bool {
        self.names.iter().any(|name| name == b"..")
    }
}

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
        while let Some(name) = ahead.names.pop_front() {
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
        if ahead.names.is_empty() || ahead.climbs() {
            return None;
        }
        let mut names = vec![name];
        names.extend(ahead.names.iter().map(Vec::as_slice));
        let start = self.fd(at).ok()?;
        let fd = self.root.open_real(start.as_fd(), &names).ok()?;
        let mut id = at;
        for name in names {
            id = self.learn(id, name);
        }
        self.keep_open(id, Arc::new(fd));
        ahead.names.clear();
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
