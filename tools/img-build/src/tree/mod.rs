//! A file system as names and attributes, contents left where they are.
//!
//! A stage's tree, the context and an image that is copied from are all the same
//! thing here: so COPY is a function from two trees to a changeset, no container
//! is started for it and no base image unpacked, and it works for files of any
//! owner whoever we are. Paths are resolved in the tree alone; a link cannot lead
//! out of it.

mod apply;
mod content;
mod index;
mod write;

use std::collections::{BTreeMap, VecDeque};

use common::tar::{Entry, Xattrs};
use common::time::Timestamp;

pub(crate) use content::{Archive, Content, File, HostRoot};
pub(crate) use index::{Member, Reading, Scanned, of_archive, of_layer};
pub(crate) use write::{Planned, planned, write_layer};

/// As in Linux: more links on one path are a loop.
const MAX_LINKS: usize = 40;

/// As in Linux (`PATH_MAX`), for a path and for what a link holds.
const MAX_PATH_LEN_BYTES: usize = 4096;

/// As deep as a path of that length can lead; links could lead deeper.
const MAX_DEPTH: usize = MAX_PATH_LEN_BYTES / 2;

/// The names from the root to a node.
pub(crate) type Names = Vec<Vec<u8>>;

/// Everything but name, kind and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Timestamp,
    pub(crate) xattrs: Xattrs,
}

impl Attributes {
    /// A directory that nobody described: 0755, root's.
    pub(crate) fn implied(mtime: Timestamp) -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() }
    }

    /// Those of a member of an archive.
    pub(crate) fn of(entry: &Entry) -> Self {
        let Entry { mode, uid, gid, mtime, .. } = *entry;
        Self { mode, uid, gid, mtime, xattrs: entry.xattrs.clone() }
    }
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Directory(BTreeMap<Vec<u8>, Node>),
    File(File),
    Symlink(Vec<u8>),
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

/// A file of any type.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) attributes: Attributes,
    pub(crate) kind: Kind,
}

impl Node {
    pub(crate) fn directory(attributes: Attributes) -> Self {
        Self { attributes, kind: Kind::Directory(BTreeMap::new()) }
    }

    pub(crate) fn children(&self) -> Option<&BTreeMap<Vec<u8>, Self>> {
        match &self.kind {
            Kind::Directory(children) => Some(children),
            _ => None,
        }
    }

    fn children_mut(&mut self) -> Option<&mut BTreeMap<Vec<u8>, Self>> {
        match &mut self.kind {
            Kind::Directory(children) => Some(children),
            _ => None,
        }
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory(_))
    }
}

/// Why a path leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("{}: too many levels of symbolic links", common::name::show(.0))]
    Loop(Vec<u8>),
    #[error("{}: not a directory", common::name::show(.0))]
    NotADirectory(Vec<u8>),
    #[error("a path is longer than {MAX_PATH_LEN_BYTES} bytes")]
    TooLong,
    #[error("directories are nested more than {MAX_DEPTH} deep")]
    TooDeep,
}

/// A whole tree.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    /// The number for the next group of hard links.
    next_group: u64,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { root: Node::directory(Attributes::implied(Timestamp::EPOCH)), next_group: 0 }
    }

    /// A number that no group of hard links has yet.
    pub(crate) fn new_group(&mut self) -> u64 {
        self.next_group += 1;
        self.next_group
    }

    /// The node at these names, links not followed.
    pub(crate) fn get(&self, names: &[Vec<u8>]) -> Option<&Node> {
        names.iter().try_fold(&self.root, |node, name| node.children()?.get(name))
    }

    fn get_mut(&mut self, names: &[Vec<u8>]) -> Option<&mut Node> {
        names.iter().try_fold(&mut self.root, |node, name| node.children_mut()?.get_mut(name))
    }

    /// Puts a node in its parent, which must be a directory that is there.
    pub(crate) fn put(&mut self, names: &[Vec<u8>], node: Node) {
        match names.split_last() {
            None => self.root = node,
            Some((name, parent)) => {
                let parent = self.get_mut(parent).and_then(Node::children_mut);
                if let Some(children) = parent {
                    children.insert(name.clone(), node);
                }
            }
        }
    }

    pub(crate) fn set_attributes(&mut self, names: &[Vec<u8>], attributes: Attributes) {
        if let Some(node) = self.get_mut(names) {
            node.attributes = attributes;
        }
    }

    /// Gives everything to root: whose the files of a context are means nothing.
    pub(crate) fn forget_owners(&mut self) {
        fn walk(node: &mut Node) {
            (node.attributes.uid, node.attributes.gid) = (0, 0);
            node.children_mut().into_iter().flatten().for_each(|(_, child)| walk(child));
        }
        walk(&mut self.root);
    }

    /// The names that `path` stands for once links are followed, as chroot(2) would
    /// see it. What is not there stands for itself.
    pub(crate) fn resolve(&self, path: &[u8], last: Last) -> Result<Names, ResolveError> {
        // Some room for what a working directory and a destination make together.
        if path.len() > 2 * MAX_PATH_LEN_BYTES {
            return Err(ResolveError::TooLong);
        }
        let mut ahead: VecDeque<Vec<u8>> = components(path).collect();
        let mut here = Names::new();
        // What the names in `here` lead to, the root before them.
        let mut nodes = vec![Some(&self.root)];
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == b".." {
                here.pop();
                nodes.truncate(here.len() + 1);
                continue;
            }
            let parent = nodes.last().copied().flatten();
            let node = parent.and_then(Node::children).and_then(|children| children.get(&name));
            match node.map(|node| &node.kind) {
                Some(Kind::Symlink(target)) if last == Last::Followed || !ahead.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(ResolveError::Loop(path.to_vec()));
                    }
                    if target.len() > MAX_PATH_LEN_BYTES {
                        return Err(ResolveError::TooLong);
                    }
                    if target.starts_with(b"/") {
                        here.clear();
                        nodes.truncate(1);
                    }
                    for name in components(target).collect::<Vec<_>>().into_iter().rev() {
                        ahead.push_front(name);
                    }
                    continue;
                }
                None | Some(Kind::Directory(_)) => {}
                Some(_) if ahead.is_empty() => {}
                Some(_) => {
                    here.push(name);
                    return Err(ResolveError::NotADirectory(join(&here)));
                }
            }
            here.push(name);
            nodes.push(node);
        }
        Ok(here)
    }

    /// Makes the directories that are missing on the way to `names` and at it; tells
    /// which. What is there must be directories.
    pub(crate) fn make_directories(
        &mut self,
        names: &[Vec<u8>],
        attributes: &Attributes,
    ) -> Result<Vec<Names>, ResolveError> {
        check_depth(names)?;
        let mut node = &self.root;
        let mut existing = 0;
        for name in names {
            let Some(child) = node.children().and_then(|children| children.get(name)) else {
                break;
            };
            existing += 1;
            if !child.is_directory() {
                return Err(ResolveError::NotADirectory(join(
                    names.get(..existing).unwrap_or_default(),
                )));
            }
            node = child;
        }
        let mut made = Vec::new();
        for len in existing + 1..=names.len() {
            let path = names.get(..len).unwrap_or_default();
            self.put(path, Node::directory(attributes.clone()));
            made.push(path.to_vec());
        }
        Ok(made)
    }
}

/// Refuses what is nested so deeply that walking it could exhaust the stack.
pub(crate) fn check_depth(names: &[Vec<u8>]) -> Result<(), ResolveError> {
    if names.len() > MAX_DEPTH { Err(ResolveError::TooDeep) } else { Ok(()) }
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Followed,
    NotFollowed,
}

/// The names in a path; `..` is among them.
pub(crate) fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .map(<[u8]>::to_vec)
}

/// The names with slashes between them, as a layer writes a path.
pub(crate) fn join(names: &[Vec<u8>]) -> Vec<u8> {
    names.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Kind, Last, Node, Tree, components, join};
    use common::time::Timestamp;

    fn link(tree: &mut Tree, at: &str, target: &str) {
        let attributes = Attributes::implied(Timestamp::EPOCH);
        let names: Vec<_> = components(at.as_bytes()).collect();
        tree.put(&names, Node { attributes, kind: Kind::Symlink(target.into()) });
    }

    #[test]
    fn links_are_followed_and_never_lead_out() {
        let mut tree = Tree::new();
        let attributes = Attributes::implied(Timestamp::EPOCH);
        let names: Vec<_> = components(b"usr/lib").collect();
        tree.make_directories(&names, &attributes).unwrap();
        link(&mut tree, "lib", "usr/lib");
        link(&mut tree, "usr/lib/up", "../../../../etc");
        link(&mut tree, "abs", "/usr");
        link(&mut tree, "loop", "loop");
        let resolve =
            |path: &str, last| tree.resolve(path.as_bytes(), last).map(|names| join(&names));
        assert_eq!(resolve("/lib/x", Last::Followed).unwrap(), b"usr/lib/x");
        assert_eq!(resolve("lib", Last::NotFollowed).unwrap(), b"lib");
        assert_eq!(resolve("lib/up/passwd", Last::Followed).unwrap(), b"etc/passwd");
        assert_eq!(resolve("abs/lib/../x/", Last::Followed).unwrap(), b"usr/x");
        assert_eq!(resolve("../../x", Last::Followed).unwrap(), b"x");
        assert!(resolve("loop/x", Last::Followed).is_err());
    }
}
