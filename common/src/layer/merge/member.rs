//! What one member of a layer does to the tree, in the same steps as
//! [`crate::layer::apply`] does it to directories: whiteouts hide what is below the
//! layer, in whatever order they come; links to directories are written through; a
//! directory over a directory keeps what it holds.

use super::link::Links;
use super::tree::{Described, NodeId, Own, Parents, Tree, Walk};
use crate::layer::apply::{Place, Problem, What};
use crate::tar::{Entry, Kind, Xattrs};

/// A layer on its way into the tree.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    pub(super) tree: &'a mut Tree,
    pub(super) links: Links,
    link_store: Option<NodeId>,
}

impl<'a> Layer<'a> {
    /// Begins the next layer.
    pub(super) fn begin(tree: &'a mut Tree) -> Self {
        tree.layer += 1;
        Self { tree, links: Links::default(), link_store: None }
    }

    /// Applies one member, whose headers are at `position`.
    pub(super) fn apply(&mut self, entry: &Entry, position: u64) -> Result<(), Problem> {
        let Place { parents, what } = Place::of(entry)?;
        match what {
            What::Nothing => {}
            What::Store(name) => {
                let at = self.link_store();
                let id = self.tree.child(at, name);
                let inode = self.tree.add_inode(self.described(entry, position));
                self.tree.put(id, Own::Inode(inode));
            }
            What::Root => self.tree.put_directory(Tree::ROOT, self.described(entry, position)),
            What::Hide(name) => self.hide_name(&parents, name)?,
            What::HideAll => {
                let at = self.directory_of(&parents)?;
                self.hide_within(at);
            }
            What::Put(name) => {
                let at = self.directory_of(&parents)?;
                if let Kind::HardLink { target } = &entry.kind {
                    return self.put_link(at, name, entry, target);
                }
                let id = self.tree.child(at, name);
                let described = self.described(entry, position);
                if entry.kind == Kind::Directory {
                    self.tree.put_directory(id, described);
                } else {
                    let inode = self.tree.add_inode(described);
                    self.tree.put(id, Own::Inode(inode));
                }
            }
        }
        Ok(())
    }

    /// The directory of the files that hard links of this layer may name without the
    /// tree having them: it is beside the tree, where no path leads.
    pub(super) fn link_store(&mut self) -> NodeId {
        match self.link_store {
            Some(id) => id,
            None => {
                let id = self.tree.add(Tree::ROOT);
                self.tree.put(id, Own::Made);
                *self.link_store.insert(id)
            }
        }
    }

    fn described(&self, entry: &Entry, position: u64) -> Described {
        Described {
            has_xattrs: !entry.xattrs.is_empty(),
            entry: bare(entry),
            layer: self.tree.layer,
            position,
        }
    }

    /// The directory that `parents` lead to, which the layer thereby has.
    fn directory_of(&mut self, parents: &[&[u8]]) -> Result<NodeId, Problem> {
        let (Walk::Found(at, _) | Walk::Missing(at, _)) = self.tree.walk(parents, Parents::Make)?;
        self.tree.touch(at);
        Ok(at)
    }

    fn hide_name(&mut self, parents: &[&[u8]], name: &[u8]) -> Result<(), Problem> {
        let at = self.directory_of(parents)?;
        let known = self.tree.known(at, name);
        match known {
            Some(id) if self.is_touched(id) => {
                if self.tree.node(id).own.is_directory() {
                    self.undescribe(id);
                    self.hide_within(id);
                }
            }
            // Nothing of the tree shows, so that nothing needs to be said.
            None if self.tree.is_hidden(at) => {}
            _ => {
                let id = self.tree.child(at, name);
                let layer = self.tree.layer;
                let node = self.tree.node_mut(id);
                (node.own, node.own_layer, node.hides) = (Own::Deleted, layer, true);
                self.tree.forget_children(id);
            }
        }
        Ok(())
    }

    pub(super) fn is_touched(&self, id: NodeId) -> bool {
        self.tree.node(id).touched == self.tree.layer
    }

    /// Takes away what lower layers, or the tree, say of a directory that this layer
    /// has but does not describe.
    fn undescribe(&mut self, id: NodeId) {
        let layer = self.tree.layer;
        let node = self.tree.node_mut(id);
        if node.own_layer != layer {
            (node.own, node.own_layer) = (Own::Made, layer);
        }
    }

    /// Forgets all below a directory that this layer did not put there.
    fn hide_within(&mut self, id: NodeId) {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            self.tree.node_mut(id).hides = true;
            let children = std::mem::take(&mut self.tree.node_mut(id).children);
            let (kept, gone) = children.into_iter().partition(|(_, child)| self.is_touched(*child));
            self.tree.node_mut(id).children = gone;
            self.tree.forget_children(id);
            for &child in kept.values() {
                if self.tree.node(child).own.is_directory() {
                    self.undescribe(child);
                    pending.push(child);
                }
            }
            self.tree.node_mut(id).children = kept;
        }
    }
}

/// An entry without its path and its extended attributes.
pub(super) fn bare(entry: &Entry) -> Entry {
    let Entry { kind, mode, uid, gid, mtime, len_bytes, .. } = entry;
    Entry {
        path: Vec::new(),
        kind: kind.clone(),
        mode: *mode,
        uid: *uid,
        gid: *gid,
        mtime: *mtime,
        len_bytes: *len_bytes,
        xattrs: Xattrs::new(),
    }
}
