//! Changes that no layer made: what a step of a build puts into a stage, what a
//! directory of the host holds. They count as those of the last layer.

use super::{Inode, InodeId, NodeId, Own, Tree};

impl<C: Clone> Tree<C> {
    /// Adds an inode, which has no name yet. Its number is not used again before the
    /// next layer, even if it loses all its names.
    pub fn add_inode(&mut self, inode: Inode<C>) -> InodeId {
        InodeId(self.inodes.push(Inode { names: 0, ..inode }))
    }

    /// The same for a layer, in which nobody remembers numbers of inodes.
    pub(super) fn add_layers_inode(&mut self, inode: Inode<C>) -> InodeId {
        match self.free_inodes.pop() {
            Some(id) => {
                *self.inodes.get_mut(id.0) = Inode { names: 0, ..inode };
                id
            }
            None => self.add_inode(inode),
        }
    }

    /// Puts an inode that is no directory under a name, in place of what is there.
    pub fn put_inode(&mut self, parent: NodeId, name: &[u8], inode: InodeId) -> NodeId {
        let id = self.child(parent, name);
        self.put(id, Own::Inode(inode));
        id
    }

    /// Puts an empty directory under a name, in place of what is there. Without an inode
    /// it is one that nobody describes.
    pub fn put_new_directory(
        &mut self,
        parent: NodeId,
        name: &[u8],
        inode: Option<InodeId>,
    ) -> NodeId {
        let id = self.child(parent, name);
        self.put(id, inode.map_or(Own::Made, Own::Directory));
        id
    }

    /// Gives a directory other attributes.
    pub fn describe(&mut self, directory: NodeId, inode: InodeId) {
        self.put_directory(directory, inode);
    }

    /// Removes a name and all below it, without a trace in the tree.
    pub fn remove(&mut self, parent: NodeId, name: &[u8]) {
        if let Some((name, id)) = self.node_mut(parent).children.remove_entry(name) {
            self.forget_children(id);
            self.forget(id);
            self.bury(parent, name, id);
        }
    }

    /// Changes every inode.
    pub fn for_each_inode(&mut self, change: impl FnMut(&mut Inode<C>)) {
        self.inodes.for_each(change);
    }
}
