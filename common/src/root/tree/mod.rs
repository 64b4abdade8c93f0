//! The real directories below a root that have been met, and their descriptors.
//!
//! What is remembered is which names are real directories, as a tree of them, and
//! a bounded number of open descriptors; never a resolved path string. A link is
//! read each time it is passed. So a cached descriptor whose directory has been
//! replaced can at worst lead into a directory that is no longer in the tree, and
//! whoever removes a directory here says so with [`Tree::forget`].

mod walk;

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{DIRECTORY, Root, attributes};

pub use walk::{Walk, follow};

/// How many directories are held open at once. Archives are depth first, so that
/// a few would do; the usual limit on descriptors is 1024.
const MAX_OPEN: usize = 128;

/// A directory of the tree. An identifier is never used again, not even when its
/// directory is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirId(u32);

impl DirId {
    /// The root.
    pub const ROOT: Self = Self(0);

    /// Counts from 0 in the order in which directories were met.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug)]
struct Node {
    parent: DirId,
    name: Box<[u8]>,
    children: HashMap<Box<[u8]>, DirId>,
    fd: Option<Arc<OwnedFd>>,
    used: u64,
    /// The permission bits to go back to, where they kept us out.
    mode_before: Option<u32>,
    gone: bool,
}

/// The known directories below a root.
#[derive(Debug)]
pub struct Tree<'a> {
    root: &'a Root,
    nodes: Vec<Node>,
    open: Vec<DirId>,
    clock: u64,
}

impl<'a> Tree<'a> {
    /// Knows only the root.
    #[must_use]
    pub fn new(root: &'a Root) -> Self {
        let top = Node {
            parent: DirId::ROOT,
            name: Box::default(),
            children: HashMap::new(),
            fd: None,
            used: 0,
            mode_before: None,
            gone: false,
        };
        Self { root, nodes: vec![top], open: Vec::new(), clock: 0 }
    }

    fn node(&self, id: DirId) -> &Node {
        &self.nodes[id.index()]
    }

    fn node_mut(&mut self, id: DirId) -> &mut Node {
        &mut self.nodes[id.index()]
    }

    /// The directory above; the root is above itself.
    #[must_use]
    pub fn parent(&self, id: DirId) -> DirId {
        self.node(id).parent
    }

    /// The directory's path below the root.
    #[must_use]
    pub fn path(&self, id: DirId) -> Vec<u8> {
        super::join(&self.names_from(DirId::ROOT, id))
    }

    /// The names that lead from `ancestor` to `id`.
    fn names_from(&self, ancestor: DirId, mut id: DirId) -> Vec<&[u8]> {
        let mut names = Vec::new();
        while id != ancestor && id != DirId::ROOT {
            names.push(&*self.node(id).name);
            id = self.parent(id);
        }
        names.reverse();
        names
    }

    /// How many directories lie between `id` and the root.
    #[must_use]
    pub fn depth(&self, id: DirId) -> usize {
        self.names_from(DirId::ROOT, id).len()
    }

    /// Whether `id` is `ancestor`, or below it.
    #[must_use]
    pub fn is_within(&self, mut id: DirId, ancestor: DirId) -> bool {
        while id != ancestor && id != DirId::ROOT {
            id = self.parent(id);
        }
        id == ancestor
    }

    /// The directory `name` in `at`, if it is known.
    #[must_use]
    pub fn child(&self, at: DirId, name: &[u8]) -> Option<DirId> {
        self.node(at).children.get(name).copied()
    }

    /// Remembers that `name` in `at` is a real directory, which is open as `fd`.
    pub fn adopt(&mut self, at: DirId, name: &[u8], fd: OwnedFd) -> DirId {
        let id = self.learn(at, name);
        self.keep_open(id, Arc::new(fd));
        id
    }

    fn learn(&mut self, at: DirId, name: &[u8]) -> DirId {
        if let Some(known) = self.child(at, name) {
            return known;
        }
        // More than 2^32 directories cannot be met: each costs more memory than that allows.
        let id = DirId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node {
            parent: at,
            name: name.into(),
            children: HashMap::new(),
            fd: None,
            used: 0,
            mode_before: None,
            gone: false,
        });
        self.node_mut(at).children.insert(name.into(), id);
        id
    }

    /// Forgets the directory `name` in `at` and all below it: they are gone.
    pub fn forget(&mut self, at: DirId, name: &[u8]) {
        let Some(top) = self.node_mut(at).children.remove(name) else { return };
        let mut gone = vec![top];
        while let Some(id) = gone.pop() {
            let node = self.node_mut(id);
            gone.extend(std::mem::take(&mut node.children).into_values());
            node.fd = None;
            node.mode_before = None;
            node.gone = true;
        }
    }

    /// Whether the directory was forgotten.
    #[must_use]
    pub fn is_gone(&self, id: DirId) -> bool {
        self.node(id).gone
    }

    /// All directories that were met and are not gone, each before the one above it.
    pub fn innermost_first(&self) -> impl Iterator<Item = DirId> + use<> {
        let gone: Vec<bool> = self.nodes.iter().map(|node| node.gone).collect();
        // A directory is met after the one above it.
        (0..u32::try_from(gone.len()).unwrap_or(u32::MAX))
            .rev()
            .filter(move |index| !gone[*index as usize])
            .map(DirId)
    }

    /// The open descriptor of a directory, opened again if it was closed meanwhile.
    ///
    /// # Errors
    /// What openat2(2) says: another process may have moved the directory away.
    pub fn fd(&mut self, id: DirId) -> Result<Arc<OwnedFd>, Errno> {
        self.clock += 1;
        let clock = self.clock;
        let node = self.node_mut(id);
        node.used = clock;
        if let Some(fd) = &node.fd {
            return Ok(Arc::clone(fd));
        }
        let mut above = id;
        while above != DirId::ROOT && self.node(above).fd.is_none() {
            above = self.parent(above);
        }
        let names = self.names_from(above, id);
        let fd = match &self.node(above).fd {
            Some(start) => self.root.open_real(start.as_fd(), &names)?,
            None => self.root.open_real(self.root.as_fd(), &names)?,
        };
        Ok(self.keep_open(id, Arc::new(fd)))
    }

    fn keep_open(&mut self, id: DirId, fd: Arc<OwnedFd>) -> Arc<OwnedFd> {
        if self.open.len() >= MAX_OPEN {
            // The half that was not used for longest is closed, so that the search
            // for it costs little per directory.
            let mut open = std::mem::take(&mut self.open);
            open.sort_by_key(|id| std::cmp::Reverse(self.node(*id).used));
            for id in open.drain(MAX_OPEN / 2..) {
                self.node_mut(id).fd = None;
            }
            self.open = open;
        }
        self.clock += 1;
        let clock = self.clock;
        let node = self.node_mut(id);
        node.used = clock;
        let first = node.fd.replace(Arc::clone(&fd)).is_none();
        if first {
            self.open.push(id);
        }
        fd
    }

    /// Opens the directory `name` in `at`, itself and not what it may link to.
    ///
    /// # Errors
    /// What openat(2) says; `ENOTDIR` or `ELOOP` for what is no directory.
    pub fn enter(&mut self, at: DirId, name: &[u8]) -> Result<DirId, Errno> {
        if let Some(known) = self.child(at, name) {
            return Ok(known);
        }
        let above = self.fd(at)?;
        let opened = match rustix::fs::openat(&above, name, DIRECTORY, Mode::empty()) {
            Err(Errno::ACCESS) => self.open_shut(at, name),
            outcome => outcome.map(|fd| (fd, None)),
        };
        let (fd, mode_before) = opened?;
        let id = self.adopt(at, name, fd);
        self.node_mut(id).mode_before = mode_before;
        Ok(id)
    }

    /// Opens a directory of ours whose permission bits keep ourselves out.
    fn open_shut(&mut self, at: DirId, name: &[u8]) -> Result<(OwnedFd, Option<u32>), Errno> {
        if !self.make_accessible(at)? {
            // The directory above lets us in: it is this one that does not.
            let above = self.fd(at)?;
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let pinned = rustix::fs::openat(&above, name, flags, Mode::empty())?;
            let mode = rustix::fs::fstat(&pinned)?.st_mode & 0o7777;
            let opening = attributes::set_mode_by_path_fd(pinned.as_fd(), mode | 0o700);
            opening.map_err(|_| Errno::ACCESS)?;
            let fd = rustix::fs::openat(&above, name, DIRECTORY, Mode::empty())?;
            return Ok((fd, Some(mode)));
        }
        let above = self.fd(at)?;
        match rustix::fs::openat(&above, name, DIRECTORY, Mode::empty()) {
            Err(Errno::ACCESS) => self.open_shut(at, name),
            outcome => outcome.map(|fd| (fd, None)),
        }
    }

    /// Gives an ordinary user access to a directory of his own, and remembers its
    /// permission bits. Says whether anything was changed.
    ///
    /// # Errors
    /// `EACCES` where it is not his.
    pub fn make_accessible(&mut self, id: DirId) -> Result<bool, Errno> {
        let fd = self.fd(id)?;
        let mode = rustix::fs::fstat(&fd)?.st_mode & 0o7777;
        if mode & 0o700 == 0o700 {
            return Ok(false);
        }
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode | 0o700)).map_err(|_| Errno::ACCESS)?;
        self.node_mut(id).mode_before.get_or_insert(mode);
        Ok(true)
    }

    /// Takes the permission bits that a directory had before it was made accessible.
    pub fn take_mode_before(&mut self, id: DirId) -> Option<u32> {
        self.node_mut(id).mode_before.take()
    }
}

#[cfg(test)]
mod tests;
