//! What one member of a layer does to the tree: whiteouts hide what is below the layer,
//! in whatever order they come; links to directories are written through; a directory
//! over a directory keeps what it holds.

use super::link::Links;
use super::{Inode, NodeId, Own, Tree};
use crate::layer::apply::Problem;
use crate::layer::place::{Place, What};
use crate::tar::{Entry, Kind};

/// A layer on its way into the tree.
#[derive(Debug)]
pub struct Layer<'a, C> {
    pub(super) tree: &'a mut Tree<C>,
    pub(super) links: Links<C>,
    link_store: Option<NodeId>,
}

impl<C: Clone> Tree<C> {
    /// Begins the next layer.
    pub fn begin(&mut self) -> Layer<'_, C> {
        self.layer += 1;
        self.free_gone();
        Layer { tree: self, links: Links::default(), link_store: None }
    }
}

impl<C: Clone> Layer<'_, C> {
    /// Applies one member, with what the reader keeps of it.
    ///
    /// # Errors
    /// What [`crate::layer::apply`] would refuse, too.
    pub fn apply(&mut self, entry: &Entry, content: C) -> Result<(), Problem> {
        let Place { parents, what } = Place::of(entry)?;
        match what {
            What::Nothing => {}
            What::Root => self.describe(NodeId::ROOT, entry, content),
            What::Hide(name) => self.hide_name(&parents, name)?,
            What::HideAll => {
                let at = self.directory_of(&parents)?;
                self.hide_within(at);
            }
            What::Store(name) => {
                let at = self.link_store();
                self.put_inode(at, name, entry, content);
            }
            What::Put(name) => {
                let at = self.directory_of(&parents)?;
                match &entry.kind {
                    Kind::HardLink { target } => {
                        self.put_link(at, name, entry, target, content)?;
                    }
                    Kind::Directory => {
                        let id = self.tree.child(at, name);
                        self.describe(id, entry, content);
                    }
                    _ => self.put_inode(at, name, entry, content),
                }
            }
        }
        Ok(())
    }

    /// Ends the layer: hard links that waited for their targets are made.
    ///
    /// # Errors
    /// The path of a link that cannot be made, and why.
    pub fn end(mut self) -> Result<(), (Vec<u8>, Problem)> {
        self.make_waiting_links()?;
        if let Some(store) = self.link_store {
            self.tree.forget_children(store);
            self.tree.forget(store);
        }
        Ok(())
    }

    fn describe(&mut self, id: NodeId, entry: &Entry, content: C) {
        let inode = self.tree.add_layers_inode(Inode::of(entry, content));
        self.tree.put_directory(id, inode);
    }

    fn put_inode(&mut self, at: NodeId, name: &[u8], entry: &Entry, content: C) {
        let id = self.tree.child(at, name);
        let inode = self.tree.add_layers_inode(Inode::of(entry, content));
        self.tree.put(id, Own::Inode(inode));
    }

    /// The directory of the files that hard links of this layer may name without the
    /// tree having them: it is beside the tree, where no path leads.
    pub(super) fn link_store(&mut self) -> NodeId {
        match self.link_store {
            Some(id) => id,
            None => {
                let id = self.tree.add_node(NodeId::ROOT);
                self.tree.put(id, Own::Made);
                *self.link_store.insert(id)
            }
        }
    }

    /// The directory that `parents` lead to, which the layer thereby has.
    fn directory_of(&mut self, parents: &[&[u8]]) -> Result<NodeId, Problem> {
        let at = self.tree.make_directory_of(parents)?;
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
            // Nothing of the tree below shows, so that nothing needs to be said.
            _ if self.tree.is_hidden(at) => self.tree.remove(at, name),
            _ => {
                let id = self.tree.child(at, name);
                self.tree.set_own(id, Own::Deleted);
                self.tree.node_mut(id).hides = true;
                self.tree.forget_children(id);
            }
        }
        Ok(())
    }

    pub(super) fn is_touched(&self, id: NodeId) -> bool {
        self.tree.node(id).touched == self.tree.layer
    }

    /// Takes away what lower layers, or the tree below, say of a directory that this
    /// layer has but does not describe.
    fn undescribe(&mut self, id: NodeId) {
        if self.tree.node(id).own_layer != self.tree.layer {
            self.tree.set_own(id, Own::Made);
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
