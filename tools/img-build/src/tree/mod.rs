//! A file system as names and attributes, contents left where they are: the model of
//! [`common::layer::tree`], with what COPY needs beside.
//!
//! A stage's tree, the context and an image that is copied from are all the same
//! thing here: so COPY is a function from two trees to a changeset, no container
//! is started for it and no base image unpacked, and it works for files of any
//! owner whoever we are. Paths are resolved in the tree alone; a link cannot lead
//! out of it.

mod content;
mod index;
mod write;

use std::sync::Arc;

use common::layer::apply::Problem;
use common::layer::index::Member;
use common::layer::tree::{self, Below, Inode, InodeId, NodeId, NodeRef, ResolveError};
use common::tar::{self, Entry, Xattrs};
use common::time::Timestamp;

pub(crate) use common::layer::tree::Last;
pub(crate) use content::{Archive, Content, File, HostRoot};
pub(crate) use index::{Reading, Scanned, of_archive, of_layer};
pub(crate) use write::{Planned, fingerprints, planned, write_layer};

use crate::error::Error;

/// As deep as the longest path can lead; links could lead deeper.
const MAX_DEPTH: usize = 2048;

/// The names from the root to a node.
pub(crate) type Names = Vec<Vec<u8>>;

/// A node of a tree.
pub(crate) type Node<'t> = NodeRef<'t, Held>;

/// What a tree keeps of an inode beside what every header says.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    xattrs: Xattrs,
    file: Option<File>,
}

/// Everything but name, kind and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Timestamp,
    pub(crate) xattrs: Xattrs,
}

/// What a node is, wherever it is.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) kind: tar::Kind,
    pub(crate) attributes: Attributes,
    /// The content, if it is a file.
    pub(crate) file: Option<File>,
}

impl Attributes {
    /// A directory that nobody described: 0755, root's.
    pub(crate) fn implied(mtime: Timestamp) -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() }
    }

    /// Those of a node.
    pub(crate) fn of(node: Node<'_>) -> Self {
        let Some(inode) = node.inode() else { return Self::implied(Timestamp::EPOCH) };
        let Inode { mode, uid, gid, mtime, .. } = *inode;
        Self { mode, uid, gid, mtime, xattrs: inode.content.xattrs.clone() }
    }
}

impl Item {
    /// An empty directory.
    pub(crate) fn directory(attributes: Attributes) -> Self {
        Self { kind: tar::Kind::Directory, attributes, file: None }
    }

    /// A regular file.
    pub(crate) fn file(attributes: Attributes, file: File) -> Self {
        Self { kind: tar::Kind::File, attributes, file: Some(file) }
    }

    /// What a node is, but for what is in it.
    pub(crate) fn of(node: Node<'_>) -> Self {
        let (attributes, file) = (Attributes::of(node), file_of(node).cloned());
        Self { kind: node.kind().clone(), attributes, file }
    }

    /// What a member of an archive makes.
    pub(crate) fn of_member(member: Member, archive: &Arc<Archive>) -> Self {
        let (Entry { kind, mode, uid, gid, mtime, .. }, held) = held(member, archive);
        let attributes = Attributes { mode, uid, gid, mtime, xattrs: held.xattrs };
        Self { kind, attributes, file: held.file }
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.kind == tar::Kind::Directory
    }

    fn into_inode(self) -> Inode<Held> {
        let Self { kind, attributes: Attributes { mode, uid, gid, mtime, xattrs }, file } = self;
        let len_bytes = file.as_ref().map_or(0, |file| file.len_bytes);
        let path = Vec::new();
        let entry = Entry { path, kind, mode, uid, gid, mtime, len_bytes, xattrs: Xattrs::new() };
        Inode::of(&entry, Held { xattrs, file })
    }
}

/// The content of a node, if it is a file.
pub(crate) fn file_of(node: Node<'_>) -> Option<&File> {
    node.inode().and_then(|inode| inode.content.file.as_ref())
}

/// A member's headers, and what a tree keeps beside them.
fn held(member: Member, archive: &Arc<Archive>) -> (Entry, Held) {
    let Member { mut entry, position, digest } = member;
    let xattrs = std::mem::take(&mut entry.xattrs);
    let file = (entry.kind == tar::Kind::File).then(|| File {
        len_bytes: entry.len_bytes,
        content: Content::Member { archive: Arc::clone(archive), position },
        digest: Arc::new(digest.map(Into::into).unwrap_or_default()),
    });
    (entry, Held { xattrs, file })
}

/// A whole tree. A clone costs little until it, or what it is a clone of, is changed.
#[derive(Debug, Clone)]
pub(crate) struct Tree(tree::Tree<Held>);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tree::Tree::new(Below::Nothing))
    }

    pub(crate) fn root(&self) -> Node<'_> {
        self.0.root()
    }

    /// The node at these names, links not followed.
    pub(crate) fn get(&self, names: &[Vec<u8>]) -> Option<Node<'_>> {
        self.0.get(names)
    }

    /// The names that `path` stands for once links are followed, as chroot(2) would
    /// see it. What is not there stands for itself.
    pub(crate) fn resolve(&self, path: &[u8], last: Last) -> Result<Names, ResolveError> {
        self.0.resolve(path, last)
    }

    /// As [`Tree::resolve`], with the directory at `top` as the root.
    pub(crate) fn resolve_below(
        &self,
        top: &[Vec<u8>],
        path: &[u8],
        last: Last,
    ) -> Result<Names, ResolveError> {
        self.0.resolve_below(top, path, last)
    }

    /// Applies the members of a layer.
    ///
    /// # Errors
    /// The path of the member that the layer cannot have, and why.
    pub(crate) fn apply(&mut self, (members, archive): Scanned) -> Result<(), (Vec<u8>, Problem)> {
        let mut layer = self.0.begin();
        for member in members {
            let (entry, held) = held(member, &archive);
            layer.apply(&entry, held).map_err(|problem| (entry.path, problem))?;
        }
        layer.end()
    }

    /// Puts something in a directory, in place of what is there under this name.
    pub(crate) fn put_in(&mut self, parent: NodeId, name: &[u8], item: Item) -> NodeId {
        let is_directory = item.is_directory();
        let inode = self.0.add_inode(item.into_inode());
        match is_directory {
            true => self.0.put_new_directory(parent, name, Some(inode)),
            false => self.0.put_inode(parent, name, inode),
        }
    }

    /// Puts something in its parent, which must be a directory that is there; its inode.
    pub(crate) fn put(&mut self, names: &[Vec<u8>], item: Item) -> Option<InodeId> {
        let (name, parent) = names.split_last()?;
        let parent = self.get(parent)?.id();
        let id = self.put_in(parent, name, item);
        self.0.at(id).inode_id()
    }

    /// Puts another name of a file in its parent, which must be a directory that is there.
    pub(crate) fn put_name(&mut self, names: &[Vec<u8>], inode: InodeId) {
        let Some((name, parent)) = names.split_last() else { return };
        let Some(parent) = self.get(parent).map(NodeRef::id) else { return };
        self.put_name_in(parent, name, inode);
    }

    /// Puts another name of a file in a directory.
    pub(crate) fn put_name_in(&mut self, parent: NodeId, name: &[u8], inode: InodeId) {
        self.0.put_inode(parent, name, inode);
    }

    /// Gives a directory other attributes.
    pub(crate) fn describe(&mut self, names: &[Vec<u8>], attributes: Attributes) {
        if let Some(id) = self.get(names).filter(|node| node.is_directory()).map(NodeRef::id) {
            let inode = self.0.add_inode(Item::directory(attributes).into_inode());
            self.0.describe(id, inode);
        }
    }

    /// Removes what a directory has under a name.
    pub(crate) fn remove_from(&mut self, parent: NodeId, name: &[u8]) {
        self.0.remove(parent, name);
    }

    /// The node of this number.
    pub(crate) fn at(&self, id: NodeId) -> Node<'_> {
        self.0.at(id)
    }

    /// Gives everything to root: whose the files of a context are means nothing.
    pub(crate) fn forget_owners(&mut self) {
        self.0.for_each_inode(|inode| (inode.uid, inode.gid) = (0, 0));
    }

    /// Makes the directories that are missing on the way to `names` and at it; tells
    /// which. What is there must be directories.
    pub(crate) fn make_directories(
        &mut self,
        names: &[Vec<u8>],
        attributes: &Attributes,
    ) -> Result<Vec<Names>, Error> {
        check_depth(names)?;
        let mut node = self.root();
        let mut existing = 0;
        for name in names {
            let Some(child) = node.child(name) else { break };
            existing += 1;
            if !child.is_directory() {
                let path = join(names.get(..existing).unwrap_or_default());
                return Err(ResolveError::NotADirectory(path).into());
            }
            node = child;
        }
        let mut at = node.id();
        let mut made = Vec::new();
        for (len, name) in (1..).zip(names).skip(existing) {
            at = self.put_in(at, name, Item::directory(attributes.clone()));
            made.push(names.get(..len).unwrap_or_default().to_vec());
        }
        Ok(made)
    }
}

/// Refuses what is nested so deeply that walking it could exhaust the stack.
pub(crate) fn check_depth(names: &[Vec<u8>]) -> Result<(), Error> {
    if names.len() > MAX_DEPTH { Err(Error::TooDeep(MAX_DEPTH)) } else { Ok(()) }
}

/// The names in a path; `..` is among them.
pub(crate) fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    common::root::components(path).map(<[u8]>::to_vec)
}

/// The names with slashes between them, as a layer writes a path.
pub(crate) fn join(names: &[Vec<u8>]) -> Vec<u8> {
    names.join(&b'/')
}
