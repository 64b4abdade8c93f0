//! A tree of which nothing is known but what layers have done to it.
//!
//! Where nothing is known of a name, it is as the tree has it; below a node that
//! hides, all is known. What members do to the tree is in `member` and `link`.

use std::collections::{BTreeMap, VecDeque};

use rustix::io::Errno;

use crate::layer::apply::Problem;
use crate::layer::whiteout::{self, Basename};
use crate::root;
use crate::tar::{Entry, Kind};

pub(super) type NodeId = usize;
pub(super) type InodeId = usize;

/// The names that lead to something, links resolved.
pub(super) type Path = Vec<Vec<u8>>;

/// What is known of a tree.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// What the names of a file share.
    inodes: Vec<Described>,
    /// The layer that is being applied, counted from 1.
    pub(super) layer: u32,
}

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Node {
    parent: NodeId,
    pub(super) own: Own,
    /// The layer that said so.
    pub(super) own_layer: u32,
    /// The last layer that put something here or below.
    pub(super) touched: u32,
    /// Whether nothing of the tree shows below.
    pub(super) hides: bool,
    /// Whether it is no longer part of the tree.
    pub(super) gone: bool,
    pub(super) children: BTreeMap<Vec<u8>, NodeId>,
}

/// What a name is.
#[derive(Debug)]
pub(super) enum Own {
    /// Whatever the tree has. With something below it, a directory: that of the
    /// tree, or else one that no layer describes.
    Unknown,
    /// Deleted.
    Deleted,
    /// A directory that no layer describes.
    Made,
    /// A directory.
    Directory(Box<Described>),
    /// Anything else.
    Inode(InodeId),
    /// Another name of a file of the tree.
    Lower(Box<(Entry, Path)>),
    /// A hard link that waits for the end of its layer.
    Waiting,
}

/// What a member says of what it makes.
#[derive(Debug)]
pub(super) struct Described {
    /// All but its path and its extended attributes, which may be long: they stay
    /// where they are, as the content does.
    pub(super) entry: Entry,
    pub(super) has_xattrs: bool,
    /// Where that is: which layer, counted from 1, and where in it.
    pub(super) layer: u32,
    pub(super) position: u64,
}

/// What to do about a directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parents {
    /// It is made, in place of whatever else is there.
    Make,
    /// The walk ends.
    Find,
}

/// Where a walk ended.
#[derive(Debug)]
pub(super) enum Walk {
    /// At what is a directory, or is one if the tree has any there.
    Found(NodeId, Path),
    /// At a directory that has no such directory.
    Missing(NodeId, Vec<u8>),
}

impl Own {
    /// Whether it is a directory, where it is anything.
    pub(super) fn is_directory(&self) -> bool {
        matches!(self, Self::Unknown | Self::Made | Self::Directory(_))
    }
}

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    pub(super) fn new() -> Self {
        let mut tree = Self { nodes: Vec::new(), inodes: Vec::new(), layer: 0 };
        tree.add(Self::ROOT);
        tree
    }

    // An identifier is an index that was given out, and nodes and inodes stay.

    /// A node.
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id]
    }

    /// An inode.
    pub(super) fn inode(&self, id: InodeId) -> &Described {
        &self.inodes[id]
    }

    pub(super) fn add_inode(&mut self, inode: Described) -> InodeId {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    pub(super) fn add(&mut self, parent: NodeId) -> NodeId {
        self.nodes.push(Node {
            parent,
            own: Own::Unknown,
            own_layer: 0,
            touched: 0,
            hides: false,
            gone: false,
            children: BTreeMap::new(),
        });
        self.nodes.len() - 1
    }

    /// What is known of `name` in `parent`.
    pub(super) fn known(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        self.node(parent).children.get(name).copied()
    }

    /// The node for `name` in `parent`.
    pub(super) fn child(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        if let Some(known) = self.known(parent, name) {
            return known;
        }
        let child = self.add(parent);
        self.node_mut(parent).children.insert(name.to_vec(), child);
        child
    }

    /// Whether nothing of the tree shows in a directory.
    pub(super) fn is_hidden(&self, mut id: NodeId) -> bool {
        while !self.node(id).hides {
            if id == Self::ROOT {
                return false;
            }
            id = self.node(id).parent;
        }
        true
    }

    /// Whether `id` is below `ancestor`.
    pub(super) fn is_below(&self, mut id: NodeId, ancestor: NodeId) -> bool {
        while id != Self::ROOT {
            id = self.node(id).parent;
            if id == ancestor {
                return true;
            }
        }
        false
    }

    /// Notes that the layer has something here.
    pub(super) fn touch(&mut self, mut id: NodeId) {
        while self.node(id).touched != self.layer {
            self.node_mut(id).touched = self.layer;
            id = self.node(id).parent;
        }
    }

    /// Makes something else of a node, and forgets all below it.
    pub(super) fn put(&mut self, id: NodeId, own: Own) {
        let layer = self.layer;
        let node = self.node_mut(id);
        (node.own, node.own_layer, node.hides) = (own, layer, true);
        self.forget_children(id);
        self.touch(id);
    }

    /// Describes a directory, which keeps its content if it is one already.
    pub(super) fn put_directory(&mut self, id: NodeId, directory: Described) {
        let layer = self.layer;
        let node = self.node_mut(id);
        node.hides |= !node.own.is_directory();
        (node.own, node.own_layer) = (Own::Directory(Box::new(directory)), layer);
        self.touch(id);
    }

    pub(super) fn forget_children(&mut self, id: NodeId) {
        let mut gone: Vec<_> =
            std::mem::take(&mut self.node_mut(id).children).into_values().collect();
        while let Some(id) = gone.pop() {
            let node = self.node_mut(id);
            (node.own, node.gone) = (Own::Deleted, true);
            gone.extend(std::mem::take(&mut node.children).into_values());
        }
    }

    /// Walks directories from the root, through the links of the layers. Of the
    /// tree it is taken that it has directories, and no links, where layers walk.
    pub(super) fn walk(&mut self, names: &[&[u8]], parents: Parents) -> Result<Walk, Problem> {
        let refused =
            |errno: Errno| Problem::System { action: "open its directory", source: errno.into() };
        let mut ahead: VecDeque<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
        let (mut at, mut path, mut links) = (Self::ROOT, Path::new(), 0);
        while let Some(name) = ahead.pop_front() {
            if name == b".." {
                at = self.node(at).parent;
                path.pop();
                continue;
            }
            if name.len() > root::MAX_NAME_LEN_BYTES {
                return Err(refused(Errno::NAMETOOLONG));
            }
            let known = self.known(at, &name);
            if let Some(target) = known.and_then(|id| self.link_target(id)) {
                links += 1;
                if links > root::MAX_LINKS {
                    return Err(refused(Errno::LOOP));
                }
                if target.starts_with(b"/") {
                    (at, path) = (Self::ROOT, Path::new());
                }
                let names = target.split(|&byte| byte == b'/');
                for name in names.filter(|name| !matches!(*name, b"" | b".")).rev() {
                    ahead.push_front(name.to_vec());
                }
                continue;
            }
            let can_be = whiteout::classify(&name) == Basename::Plain;
            let is_there = match known {
                Some(id) => self.node(id).own.is_directory(),
                None => can_be && !self.is_hidden(at),
            };
            if !is_there {
                if parents == Parents::Find {
                    return Ok(Walk::Missing(at, name));
                }
                if !can_be {
                    return Err(Problem::WhiteoutComponent(name));
                }
                if ahead.iter().any(|name| name == b"..") {
                    return Err(Problem::ClimbsFromNowhere);
                }
            }
            at = self.child(at, &name);
            if !is_there {
                self.put(at, Own::Made);
            }
            path.push(name);
        }
        Ok(Walk::Found(at, path))
    }

    /// Where a symbolic link leads, if the node is one.
    fn link_target(&self, id: NodeId) -> Option<Vec<u8>> {
        let Own::Inode(inode) = &self.node(id).own else { return None };
        match &self.inode(*inode).entry.kind {
            Kind::Symlink { target } => Some(target.clone()),
            _ => None,
        }
    }

    /// Whether the layers leave the file at `path` as the tree has it.
    pub(super) fn leaves_alone(&self, path: &[Vec<u8>]) -> bool {
        let mut at = Self::ROOT;
        for name in path {
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

    /// Whether the layers have done nothing to a node, nor to anything below it.
    pub(super) fn is_untouched(&self, id: NodeId) -> bool {
        let node = self.node(id);
        matches!(node.own, Own::Unknown) && !node.hides && node.children.is_empty()
    }
}
