//! The model of a layer stack in memory: which names there are, what each of them is,
//! and which layer said so. The one place where a whiteout's meaning in memory is
//! decided.
//!
//! Members are applied one by one, without their content ([`Layer::apply`]), in the
//! same steps as [`crate::layer::apply`] applies them to directories; what a header
//! alone tells is decided for both by `layer::place`. Law 7 of the tests says
//! that they agree, names, attributes and refusals.
//!
//! The model does not know where content is. Each inode carries a `C` for that, which
//! readers choose: merging keeps a layer and a position, a build keeps extended
//! attributes and a digest as well. Memory grows with the number of names only.
//!
//! A stack that has nothing below it is a whole file system. Of one that is part of a
//! stack ([`Below::Unknown`]), what it says is known and nothing else: where nothing is
//! known of a name, it is as the tree below has it.
//!
//! | file | owns |
//! |---|---|
//! | `member` | what one member does |
//! | `link` | hard links, and those that wait for their targets |
//! | `walk` | the way to a member's directory |
//! | `read` | the tree as readers see it: nodes, paths, links followed |
//! | `edit` | changes that no layer made, such as those of COPY |
//! | `versions` | every version of every name, for readers that ask for it |
//! | `arena` | nodes and inodes in chunks that clones share |

mod arena;
mod edit;
mod link;
mod member;
mod read;
mod versions;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arena::Arena;

pub use member::Layer;
pub use read::{Last, NodeRef, ResolveError};
use versions::Versions;
pub use versions::{Change, Loss, Paths, Version};

use crate::tar::{Entry, Kind};
use crate::time::Timestamp;

/// A name in the tree. It stays the same until the name is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// The number of the data that all names of a file share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(u32);

impl NodeId {
    /// The root directory.
    pub const ROOT: Self = Self(0);
}

/// What the layers will be applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// A tree of which nothing is known: the layers are part of a stack.
    Unknown,
    /// Nothing: the layers are a whole image.
    Nothing,
}

/// The tree that layers have made.
#[derive(Debug, Clone)]
pub struct Tree<C> {
    nodes: Arena<Node>,
    inodes: Arena<Inode<C>>,
    /// Numbers of inodes that have no name any more, and of nodes that earlier layers
    /// have deleted: to be used again.
    free_inodes: Vec<InodeId>,
    free_nodes: Vec<NodeId>,
    /// Nodes that were deleted since the last layer began.
    gone: Vec<NodeId>,
    /// The layer that is being applied, or was last, counted from 1.
    layer: u32,
    below: Below,
    /// The earlier versions of each name, if a reader wants to know them.
    versions: Option<Versions>,
}

/// What is known of a name.
#[derive(Debug, Clone)]
pub(in crate::layer) struct Node {
    parent: NodeId,
    pub(in crate::layer) own: Own,
    /// The layer that said so.
    own_layer: u32,
    /// The last layer that put something here or below.
    touched: u32,
    /// Whether nothing of the tree below shows in it.
    pub(in crate::layer) hides: bool,
    /// Whether it is no longer part of the tree.
    gone: bool,
    pub(in crate::layer) children: BTreeMap<Box<[u8]>, NodeId>,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::layer) enum Own {
    /// Whatever the tree below has. With something in it, a directory: that of the
    /// tree below, or else one that no layer describes.
    Unknown,
    /// Deleted.
    Deleted,
    /// A directory that no layer describes.
    Made,
    /// A directory.
    Directory(InodeId),
    /// Anything else.
    Inode(InodeId),
    /// Another name of a file of the tree below: its inode is a hard link to it.
    Lower(InodeId),
    /// A hard link that waits for the end of its layer.
    Waiting,
}

/// All that a member says of what it makes, but for its path.
#[derive(Debug, Clone)]
pub struct Inode<C> {
    /// What it is: a hard link only for a file of which the tree below has another name.
    pub kind: Kind,
    /// Permission bits, set-id and sticky included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Timestamp,
    /// Length of the content in bytes.
    pub len_bytes: u64,
    /// What the reader keeps beside: where the content is, extended attributes.
    pub content: C,
    /// How many names it has.
    names: u32,
}

impl<C> Inode<C> {
    /// What `entry` describes; of its path and extended attributes nothing is kept.
    pub fn of(entry: &Entry, content: C) -> Self {
        let Entry { mode, uid, gid, mtime, len_bytes, .. } = *entry;
        Self { kind: entry.kind.clone(), mode, uid, gid, mtime, len_bytes, content, names: 0 }
    }

    /// How many names it has.
    #[must_use]
    pub fn names(&self) -> u32 {
        self.names
    }
}

impl Node {
    fn new(parent: NodeId) -> Self {
        Self {
            parent,
            own: Own::Unknown,
            own_layer: 0,
            touched: 0,
            hides: false,
            gone: false,
            children: BTreeMap::new(),
        }
    }
}

impl Own {
    /// Whether it is a directory, where it is anything.
    pub(in crate::layer) fn is_directory(self) -> bool {
        matches!(self, Self::Unknown | Self::Made | Self::Directory(_))
    }

    fn inode(self) -> Option<InodeId> {
        match self {
            Self::Directory(id) | Self::Inode(id) | Self::Lower(id) => Some(id),
            Self::Unknown | Self::Deleted | Self::Made | Self::Waiting => None,
        }
    }
}

impl<C> Tree<C> {
    /// What the layers will be applied to.
    #[must_use]
    pub fn below(&self) -> Below {
        self.below
    }

    /// A node.
    pub(in crate::layer) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id.0)
    }

    /// An inode.
    #[must_use]
    pub fn inode(&self, id: InodeId) -> &Inode<C> {
        self.inodes.get(id.0)
    }

    /// What is known of `name` in `parent`.
    fn known(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.node(parent).children.get(name).copied()
    }

    /// Whether nothing of the tree below shows in a directory.
    fn is_hidden(&self, mut id: NodeId) -> bool {
        while !self.node(id).hides {
            if id == NodeId::ROOT {
                return false;
            }
            id = self.node(id).parent;
        }
        true
    }

    /// Whether the layers have done nothing to a node, nor to anything in it.
    fn is_untouched(&self, id: NodeId) -> bool {
        let node = self.node(id);
        node.own == Own::Unknown && !node.hides && node.children.is_empty()
    }

    /// Whether the layers leave the file at `path` as the tree below has it.
    pub(in crate::layer) fn leaves_alone(&self, path: &[u8]) -> bool {
        let mut at = NodeId::ROOT;
        for name in path.split(|&byte| byte == b'/') {
            let node = self.node(at);
            if node.hides || !matches!(node.own, Own::Unknown | Own::Directory(_)) {
                return false;
            }
            match node.children.get(name) {
                Some(&child) => at = child,
                None => return true,
            }
        }
        self.is_untouched(at)
    }
}

impl<C: Clone> Tree<C> {
    /// A tree to which no layer has done anything.
    #[must_use]
    pub fn new(below: Below) -> Self {
        let mut tree = Self {
            nodes: Arena::new(),
            inodes: Arena::new(),
            free_inodes: Vec::new(),
            free_nodes: Vec::new(),
            gone: Vec::new(),
            layer: 0,
            below,
            versions: None,
        };
        let root = tree.add_node(NodeId::ROOT);
        tree.node_mut(root).hides = below == Below::Nothing;
        tree
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(id.0)
    }

    fn add_node(&mut self, parent: NodeId) -> NodeId {
        let node = Node::new(parent);
        match self.free_nodes.pop() {
            Some(id) => {
                *self.node_mut(id) = node;
                id
            }
            None => NodeId(self.nodes.push(node)),
        }
    }

    /// The node for `name` in `parent`.
    fn child(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        if let Some(known) = self.known(parent, name) {
            return known;
        }
        let child = match self.dig_up(parent, name) {
            Some(id) => id,
            None => self.add_node(parent),
        };
        self.node_mut(parent).children.insert(name.into(), child);
        child
    }

    /// Says what a node is; what it was has one name less.
    fn set_own(&mut self, id: NodeId, own: Own) {
        if let Some(inode) = own.inode() {
            self.inodes.get_mut(inode.0).names += 1;
        }
        let layer = self.layer;
        let node = self.node_mut(id);
        node.own_layer = layer;
        let before = std::mem::replace(&mut node.own, own).inode();
        self.record(id, own);
        if let Some(before) = before {
            let inode = self.inodes.get_mut(before.0);
            inode.names -= 1;
            if inode.names == 0 {
                self.lose(id, before);
            }
        }
    }

    /// Notes that the layer has something here.
    fn touch(&mut self, mut id: NodeId) {
        while self.node(id).touched != self.layer {
            let layer = self.layer;
            let node = self.node_mut(id);
            node.touched = layer;
            id = node.parent;
        }
    }

    /// Makes something else of a node, and forgets all below it.
    fn put(&mut self, id: NodeId, own: Own) {
        self.set_own(id, own);
        self.node_mut(id).hides = true;
        self.forget_children(id);
        self.touch(id);
    }

    /// Describes a directory, which keeps its content if it is one already.
    fn put_directory(&mut self, id: NodeId, inode: InodeId) {
        let was_directory = self.node(id).own.is_directory();
        self.node_mut(id).hides |= !was_directory;
        self.set_own(id, Own::Directory(inode));
        self.touch(id);
    }

    fn forget_children(&mut self, id: NodeId) {
        if self.node(id).children.is_empty() {
            return;
        }
        let mut emptied = vec![id];
        while let Some(parent) = emptied.pop() {
            for (name, id) in std::mem::take(&mut self.node_mut(parent).children) {
                self.forget(id);
                self.bury(parent, name, id);
                emptied.push(id);
            }
        }
    }

    /// Forgets a node that is in no directory any more, but not what is in it.
    fn forget(&mut self, id: NodeId) {
        self.set_own(id, Own::Deleted);
        self.node_mut(id).gone = true;
        self.gone.push(id);
    }
}
