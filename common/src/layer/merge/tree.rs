//! What layers do to a tree that is not at hand: a tree of what is known of it.
//!
//! Each member is applied to it as [`crate::layer::apply`] applies it to
//! directories: whiteouts hide what is below the layer, in whatever order they
//! come; links to directories are written through; a directory over a directory
//! keeps what it holds. Where nothing is known of a name, it is as the tree has it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Error;
use crate::layer::whiteout::{self, Basename};
use crate::root;
use crate::tar::{Entry, Kind};

/// As many as Linux follows.
const MAX_LINKS: u32 = 40;

pub(super) type NodeId = usize;
pub(super) type InodeId = usize;

/// What is known of a tree.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    inodes: Vec<Inode>,
    /// The layer that is being applied, counted from 1.
    layer: u32,
    label: String,
    /// What AUFS keeps for hard links only, by path.
    aufs: HashMap<Vec<u8>, InodeId>,
    /// Links of this layer to what has not come yet, and the names that they lead to.
    pending: Vec<(NodeId, Vec<Vec<u8>>)>,
}

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Node {
    parent: NodeId,
    pub(super) own: Own,
    /// The layer that said so.
    own_layer: u32,
    /// The last layer that put something here or below.
    touched: u32,
    /// Whether nothing of the tree shows below.
    pub(super) hides: bool,
    pub(super) children: BTreeMap<Vec<u8>, NodeId>,
}

/// What a name is.
#[derive(Debug)]
pub(super) enum Own {
    /// Whatever the tree has; a directory if it has nothing.
    Unknown,
    /// Deleted.
    Deleted,
    /// A directory that no layer describes.
    Made,
    /// A directory.
    Directory(Entry),
    /// Anything else.
    Inode(InodeId),
    /// Another name of a file of the tree.
    Link(Entry, Vec<Vec<u8>>),
}

/// What the names of a file share.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) entry: Entry,
    /// Where its content is: which layer, counted from 1, and where in it.
    pub(super) layer: u32,
    pub(super) position: u64,
}

/// What to do about a directory on the way that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is made, in place of whatever else is there.
    Made,
    /// The tree may have it.
    Assumed,
    /// The search ends.
    Ends,
}

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    pub(super) fn new() -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            inodes: Vec::new(),
            layer: 0,
            label: String::new(),
            aufs: HashMap::new(),
            pending: Vec::new(),
        };
        tree.add(Self::ROOT);
        tree
    }

    /// Begins the next layer.
    pub(super) fn begin(&mut self, label: &str) {
        self.layer += 1;
        self.label = label.to_owned();
    }

    /// Ends the layer: what its links meant is settled.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        for (id, target) in std::mem::take(&mut self.pending) {
            let names: Vec<&[u8]> = target.iter().map(Vec::as_slice).collect();
            let is_link = |node: &Node| matches!(&node.own, Own::Link(_, own) if *own == target);
            if self.nodes.get(id).is_some_and(is_link) {
                if let Some(own @ Own::Inode(_)) = self.target(&names, &root::join(&names))? {
                    if let Some(node) = self.nodes.get_mut(id) {
                        node.own = own;
                    }
                }
            }
        }
        self.aufs.clear();
        Ok(())
    }

    /// Applies one member, whose headers are at `position`.
    pub(super) fn apply(&mut self, mut entry: Entry, position: u64) -> Result<(), Error> {
        let path = std::mem::take(&mut entry.path);
        let components = self.split(&path)?;
        let names: Vec<&[u8]> = components.iter().map(Vec::as_slice).collect();
        let Some((name, parents)) = names.split_last() else {
            return self.apply_root(entry, path);
        };
        let kinds = || parents.iter().map(|parent| whiteout::classify(parent));
        if kinds().any(|kind| kind == Basename::Aufs) || whiteout::classify(name) == Basename::Aufs
        {
            if !matches!(entry.kind, Kind::Directory | Kind::HardLink { .. }) {
                let inode = self.add_inode(entry, position);
                self.aufs.insert(root::join(&names), inode);
            }
            return Ok(());
        }
        let invalid = || Error::Whiteout { layer: self.label.clone(), path: path.clone() };
        if kinds().any(|kind| kind != Basename::Plain) {
            return Err(invalid());
        }
        match whiteout::classify(name) {
            Basename::Plain => {}
            Basename::Opaque => return self.apply_opaque(parents),
            Basename::Whiteout(hidden) => return self.apply_whiteout(parents, hidden),
            Basename::Aufs | Basename::Invalid => return Err(invalid()),
        }
        if let Kind::HardLink { target } = &entry.kind {
            let target = self.split(target)?;
            entry.path = path;
            return self.link(entry, target);
        }
        let node = self.place(&names)?;
        if entry.kind == Kind::Directory {
            self.put_directory(node, Own::Directory(entry));
        } else {
            let inode = self.add_inode(entry, position);
            self.put(node, Own::Inode(inode));
        }
        Ok(())
    }

    fn split(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        match root::split(path) {
            Ok(names) => Ok(names.into_iter().map(<[u8]>::to_vec).collect()),
            Err(source) => {
                Err(Error::Path { layer: self.label.clone(), path: path.to_vec(), source })
            }
        }
    }

    fn apply_root(&mut self, entry: Entry, path: Vec<u8>) -> Result<(), Error> {
        if entry.kind != Kind::Directory {
            return Err(Error::Root { layer: self.label.clone(), path });
        }
        self.put_directory(Self::ROOT, Own::Directory(entry));
        Ok(())
    }

    /// The node for a name that is to be put there.
    fn place(&mut self, names: &[&[u8]]) -> Result<NodeId, Error> {
        let Some((name, parents)) = names.split_last() else { return Ok(Self::ROOT) };
        let parent = self.walk(parents, Missing::Made)?.unwrap_or(Self::ROOT);
        Ok(self.child(parent, name))
    }

    fn put(&mut self, id: NodeId, own: Own) {
        let layer = self.layer;
        if let Some(node) = self.nodes.get_mut(id) {
            (node.own, node.own_layer, node.hides) = (own, layer, true);
            node.children.clear();
        }
        self.touch(id);
    }

    fn put_directory(&mut self, id: NodeId, own: Own) {
        let layer = self.layer;
        if let Some(node) = self.nodes.get_mut(id) {
            if !matches!(node.own, Own::Unknown | Own::Made | Own::Directory(_)) {
                node.hides = true;
                node.children.clear();
            }
            (node.own, node.own_layer) = (own, layer);
        }
        self.touch(id);
    }

    /// Notes that this layer has something here.
    fn touch(&mut self, mut id: NodeId) {
        while let Some(node) = self.nodes.get_mut(id) {
            node.touched = self.layer;
            if id == Self::ROOT {
                return;
            }
            id = node.parent;
        }
    }

    fn apply_opaque(&mut self, parents: &[&[u8]]) -> Result<(), Error> {
        if let Some(id) = self.walk(parents, Missing::Assumed)? {
            self.hide_lower(id);
            if let Some(node) = self.nodes.get_mut(id) {
                node.hides = true;
            }
        }
        Ok(())
    }

    fn apply_whiteout(&mut self, parents: &[&[u8]], name: &[u8]) -> Result<(), Error> {
        let Some(parent) = self.walk(parents, Missing::Assumed)? else { return Ok(()) };
        let id = self.child(parent, name);
        let layer = self.layer;
        let Some(node) = self.nodes.get_mut(id) else { return Ok(()) };
        node.hides = true;
        if node.touched != layer {
            node.own = Own::Deleted;
            node.children.clear();
        } else {
            if node.own_layer != layer {
                node.own = Own::Made;
            }
            self.hide_lower(id);
        }
        Ok(())
    }

    /// Forgets all below a node that this layer did not put there.
    fn hide_lower(&mut self, id: NodeId) {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let Some(node) = self.nodes.get(id) else { continue };
            let children: Vec<_> =
                node.children.iter().map(|(name, &child)| (name.clone(), child)).collect();
            for (name, child) in children {
                let layer = self.layer;
                let Some(node) = self.nodes.get_mut(child) else { continue };
                if node.touched == layer {
                    if node.own_layer != layer {
                        (node.own, node.hides) = (Own::Made, true);
                    }
                    left.push(child);
                } else if let Some(parent) = self.nodes.get_mut(id) {
                    parent.children.remove(&name);
                }
            }
        }
    }

    fn link(&mut self, mut entry: Entry, target: Vec<Vec<u8>>) -> Result<(), Error> {
        let path = std::mem::take(&mut entry.path);
        let names = self.split(&path)?;
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        if names.is_empty() {
            return Err(Error::Root { layer: self.label.clone(), path });
        }
        let target_names: Vec<&[u8]> = target.iter().map(Vec::as_slice).collect();
        let found = match self.aufs.get(&root::join(&target_names)) {
            Some(&inode) => Some(Own::Inode(inode)),
            None => self.target(&target_names, &path)?,
        };
        let node = self.place(&names)?;
        match found {
            Some(own) => self.put(node, own),
            // It leads to a file of the tree, or to one that comes later.
            None => {
                self.put(node, Own::Link(entry, target.clone()));
                self.pending.push((node, target));
            }
        }
        Ok(())
    }

    /// What a link to `names` is, if the layers tell.
    fn target(&mut self, names: &[&[u8]], path: &[u8]) -> Result<Option<Own>, Error> {
        let directory =
            || Error::LinkToDirectory { layer: self.label.clone(), path: path.to_vec() };
        let Some((name, parents)) = names.split_last() else { return Err(directory()) };
        let Some(parent) = self.walk(parents, Missing::Ends)? else { return Ok(None) };
        let child = self.nodes.get(parent).and_then(|node| node.children.get(*name));
        match child.and_then(|&child| self.nodes.get(child)).map(|node| &node.own) {
            Some(Own::Inode(inode)) => Ok(Some(Own::Inode(*inode))),
            Some(Own::Link(entry, target)) => Ok(Some(Own::Link(entry.clone(), target.clone()))),
            Some(Own::Directory(_) | Own::Made) => {
                Err(Error::LinkToDirectory { layer: self.label.clone(), path: path.to_vec() })
            }
            Some(Own::Unknown | Own::Deleted) | None => Ok(None),
        }
    }

    /// Walks directories from the root, through links to directories.
    fn walk(&mut self, names: &[&[u8]], missing: Missing) -> Result<Option<NodeId>, Error> {
        let mut left: VecDeque<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
        let (mut at, mut links) = (Self::ROOT, 0);
        while let Some(name) = left.pop_front() {
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    at = self.nodes.get(at).map_or(Self::ROOT, |node| node.parent);
                    continue;
                }
                _ => {}
            }
            let known = self.nodes.get(at).and_then(|node| node.children.get(&name).copied());
            let Some(child) = known else {
                if missing == Missing::Ends {
                    return Ok(None);
                }
                at = self.child(at, &name);
                continue;
            };
            match self.nodes.get(child).map(|node| &node.own) {
                Some(Own::Unknown | Own::Made | Own::Directory(_)) => at = child,
                Some(Own::Inode(inode)) => match self.link_target(*inode) {
                    Some(target) => {
                        links += 1;
                        if links > MAX_LINKS {
                            let path = root::join(names);
                            return Err(Error::TooManyLinks { layer: self.label.clone(), path });
                        }
                        if target.starts_with(b"/") {
                            at = Self::ROOT;
                        }
                        for name in target.split(|&byte| byte == b'/').rev() {
                            left.push_front(name.to_vec());
                        }
                    }
                    None if missing == Missing::Made => at = self.make(child),
                    None => return Ok(None),
                },
                _ if missing == Missing::Made => at = self.make(child),
                _ => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn link_target(&self, inode: InodeId) -> Option<Vec<u8>> {
        match &self.inodes.get(inode)?.entry.kind {
            Kind::Symlink { target } => Some(target.clone()),
            _ => None,
        }
    }

    /// Makes a directory of what was something else.
    fn make(&mut self, id: NodeId) -> NodeId {
        self.put(id, Own::Made);
        id
    }

    fn child(&mut self, parent: NodeId, name: &[u8]) -> NodeId {
        if let Some(&child) = self.nodes.get(parent).and_then(|node| node.children.get(name)) {
            return child;
        }
        let child = self.add(parent);
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.insert(name.to_vec(), child);
        }
        child
    }

    fn add(&mut self, parent: NodeId) -> NodeId {
        self.nodes.push(Node {
            parent,
            own: Own::Unknown,
            own_layer: 0,
            touched: 0,
            hides: false,
            children: BTreeMap::new(),
        });
        self.nodes.len() - 1
    }

    fn add_inode(&mut self, entry: Entry, position: u64) -> InodeId {
        self.inodes.push(Inode { entry, layer: self.layer, position });
        self.inodes.len() - 1
    }

    /// A node.
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// An inode.
    pub(super) fn inode(&self, id: InodeId) -> Option<&Inode> {
        self.inodes.get(id)
    }

    /// Whether the layers leave the file `names` as the tree has it.
    pub(super) fn leaves_alone(&self, names: &[Vec<u8>]) -> bool {
        let mut at = Self::ROOT;
        for name in names {
            let Some(node) = self.nodes.get(at) else { return true };
            if node.hides || !matches!(node.own, Own::Unknown | Own::Directory(_)) {
                return false;
            }
            match node.children.get(name) {
                Some(&child) => at = child,
                None => return true,
            }
        }
        self.nodes.get(at).is_none_or(|node| matches!(node.own, Own::Unknown) && !node.hides)
    }
}
