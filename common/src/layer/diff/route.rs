//! The way through a plan: the path of one item after the other, and the directories
//! that it is in.

use super::node::Node;
use super::plan::{Item, ItemId, Plan};
use crate::root;

/// Where an item is.
#[derive(Debug, Default)]
pub(super) struct Route {
    path: Vec<u8>,
    levels: Vec<Level>,
}

/// A directory on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Its item.
    pub(super) id: ItemId,
    path_len: usize,
}

impl Route {
    /// Goes on to `item`, which is the next of the plan.
    pub(super) fn move_to(&mut self, id: ItemId, item: &Item) {
        if id == Plan::ROOT {
            self.levels.push(Level { id, path_len: 0 });
            return;
        }
        while self.levels.len() > 1 && self.levels.last().is_some_and(|l| l.id != item.parent) {
            self.levels.pop();
        }
        self.path.truncate(self.levels.last().map_or(0, |level| level.path_len));
        root::push(&mut self.path, &item.name);
        if item.node().is_some_and(Node::is_directory) {
            self.levels.push(Level { id, path_len: self.path.len() });
        }
    }

    /// The path of the item.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The directories above it, the root first; a directory is above itself.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The path of one of them.
    pub(super) fn path_of(&self, level: Level) -> &[u8] {
        self.path.get(..level.path_len).unwrap_or_default()
    }
}
