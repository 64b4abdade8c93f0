//! The real directories below a root that have been met, and their descriptors.
//!
//! What is remembered is which names are real directories, as a tree of them, and
//! a bounded number of open descriptors; never a resolved path string. A link is
//! read each time it is passed. So a cached descriptor whose directory has been
//! replaced can at worst lead into a directory that is no longer in the tree, and
//! whoever removes a directory here says so with [`Tree::forget`].

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::resolve::MAX_LINKS;
use super::{DIRECTORY, Root, attributes};

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
    ahead.links += 1;
    if ahead.links > MAX_LINKS {
        return Err(Errno::LOOP);
    }
    let names = target.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    for name in names.rev() {
        ahead.names.push_front(name.to_vec());
    }
    Ok(if target.first() == Some(&b'/') { DirId::ROOT } else { at })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{Ahead, DirId, MAX_OPEN, Root, Tree, Walk};

    fn walk(tree: &mut Tree<'_>, path: &str) -> Walk {
        let names = crate::root::split(path.as_bytes()).unwrap();
        tree.walk(DirId::ROOT, &mut Ahead::of(&names)).unwrap()
    }

    fn roots(top: &std::path::Path) -> [Root; 2] {
        [Root::open(top).unwrap(), Root::open(top).unwrap().without_openat2()]
    }

    #[test]
    fn a_walk_ends_at_real_directories() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("root");
        fs::create_dir_all(top.join("usr/lib/deep")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(top.join("usr/file"), "").unwrap();
        symlink("/usr/lib", top.join("lib")).unwrap();
        symlink("../../outside", top.join("usr/out")).unwrap();
        symlink("/nowhere/at/all", top.join("dangling")).unwrap();
        for root in roots(&top) {
            let tree = &mut Tree::new(&root);
            let Walk::Found(deep) = walk(tree, "lib/deep") else { panic!() };
            assert_eq!(tree.path(deep), b"usr/lib/deep");
            assert_eq!(walk(tree, "usr/lib/deep"), Walk::Found(deep));
            let at = tree.child(DirId::ROOT, b"usr").unwrap();
            assert_eq!(walk(tree, "usr/file/x"), Walk::Blocked { at, name: b"file".into() });
            // `..` stops at the root, where nothing is called outside.
            let missing = Walk::Missing { at: DirId::ROOT, name: b"outside".into() };
            assert_eq!(walk(tree, "usr/out/x"), missing);
            let missing = Walk::Missing { at: DirId::ROOT, name: b"nowhere".into() };
            assert_eq!(walk(tree, "dangling/x"), missing);
        }
    }

    #[test]
    fn a_loop_of_links_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        for root in roots(folder.path()) {
            let mut ahead = Ahead::of(&[b"a", b"x"]);
            let outcome = Tree::new(&root).walk(DirId::ROOT, &mut ahead);
            assert_eq!(outcome, Err(rustix::io::Errno::LOOP));
        }
    }

    #[test]
    fn closed_descriptors_are_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..3 * MAX_OPEN {
            fs::create_dir_all(folder.path().join(format!("{number}/a/b"))).unwrap();
        }
        for root in roots(folder.path()) {
            let tree = &mut Tree::new(&root);
            let ids: Vec<_> = (0..3 * MAX_OPEN)
                .map(|number| match walk(tree, &format!("{number}/a/b")) {
                    Walk::Found(id) => (number, id),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert!(tree.open.len() <= MAX_OPEN);
            for (number, id) in ids {
                let stat = rustix::fs::fstat(tree.fd(id).unwrap()).unwrap();
                let path = folder.path().join(format!("{number}/a/b"));
                assert_eq!(stat.st_ino, rustix::fs::lstat(path).unwrap().st_ino);
            }
        }
    }

    #[test]
    fn a_forgotten_directory_is_looked_up_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let root = Root::open(folder.path()).unwrap();
        let tree = &mut Tree::new(&root);
        let Walk::Found(before) = walk(tree, "a/b") else { panic!() };
        fs::rename(folder.path().join("a"), folder.path().join("z")).unwrap();
        symlink("z", folder.path().join("a")).unwrap();
        tree.forget(DirId::ROOT, b"a");
        let Walk::Found(after) = walk(tree, "a/b") else { panic!() };
        assert_ne!(before, after);
        assert_eq!(tree.path(after), b"z/b");
    }
}
