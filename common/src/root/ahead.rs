//! The way ahead of a walk through a tree: names, and those that links put before them.

use std::collections::VecDeque;

use rustix::io::Errno;

use super::components;

/// The kernel's limit for one resolution.
const MAX_LINKS: usize = 40;

/// The names still ahead on a walk, and the number of links that were passed.
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

    /// The components of `path`.
    #[must_use]
    pub fn along(path: &[u8]) -> Self {
        Self { names: components(path).map(<[u8]>::to_vec).collect(), links: 0 }
    }

    /// The next name, which is no longer ahead then.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        self.names.pop_front()
    }

    /// Returns true if there are no more names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names, the next one first.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// Takes all names.
    pub(super) fn take(&mut self) -> VecDeque<Vec<u8>> {
        std::mem::take(&mut self.names)
    }

    /// Puts the target of a symbolic link ahead. Returns true if it starts at the root.
    ///
    /// # Errors
    /// `ELOOP` after too many links.
    pub fn follow(&mut self, target: &[u8]) -> Result<bool, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        for name in components(target).rev() {
            self.names.push_front(name.to_vec());
        }
        Ok(target.first() == Some(&b'/'))
    }

    /// Returns true if the way leads up again.
    #[must_use]
    pub fn climbs(&self) -> bool {
        self.names.iter().any(|name| name == b"..")
    }
}
