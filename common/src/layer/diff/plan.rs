//! What a comparison finds, in layer order, before any of it is told: metadata
//! only, so that memory grows with the number of changed names and not with
//! their content.
//!
//! The layer cannot be told on the way through the trees. Whether a directory
//! belongs to it is known only after what it holds; whether a name does, only
//! after all other names of its inode.

use super::node::Node;
use super::{ChangeKind, Differences, Parents, PassedOver};

/// Index of an item.
pub(super) type ItemId = usize;

/// All names that may have to be told.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In layer order: parents first, whiteouts before their siblings.
    items: Vec<Item>,
    pub(super) passed_over: Vec<PassedOver>,
}

/// A name.
#[derive(Debug)]
pub(super) struct Item {
    /// The directory that it is in; the root's own is the root.
    pub(super) parent: ItemId,
    pub(super) name: Vec<u8>,
    pub(super) state: State,
    /// Whether it will be told.
    pub(super) told: bool,
    /// The earlier item that it is another name of.
    pub(super) link: Option<ItemId>,
}

/// What became of a name.
#[derive(Debug)]
pub(super) enum State {
    /// It is gone.
    Deleted,
    /// What it holds below is gone.
    Opaque,
    /// It is here.
    Present {
        /// In the upper tree.
        node: Node,
        /// Whether it is new.
        is_new: bool,
        /// What changed, if it is not.
        differences: Differences,
    },
}

impl State {
    /// Whether there is anything to tell of the name itself.
    fn is_change(&self) -> bool {
        match self {
            Self::Deleted | Self::Opaque => true,
            Self::Present { is_new, differences, .. } => *is_new || !differences.is_empty(),
        }
    }
}

impl Item {
    /// What is told of it.
    pub(super) fn kind(&self) -> ChangeKind {
        match self.state {
            State::Deleted => ChangeKind::Deleted,
            State::Opaque => ChangeKind::Opaque,
            State::Present { is_new: true, .. } => ChangeKind::Added,
            State::Present { .. } => ChangeKind::Changed,
        }
    }

    /// The changes of what is here.
    pub(super) fn differences(&self) -> Differences {
        match self.state {
            State::Present { differences, .. } => differences,
            State::Deleted | State::Opaque => Differences::NONE,
        }
    }

    /// The node of what is here.
    pub(super) fn node(&self) -> Option<&Node> {
        match &self.state {
            State::Present { node, .. } => Some(node),
            State::Deleted | State::Opaque => None,
        }
    }
}

impl Plan {
    /// The root's item.
    pub(super) const ROOT: ItemId = 0;

    /// Adds a name, to be told if it changed.
    pub(super) fn push(&mut self, parent: ItemId, name: Vec<u8>, state: State) -> ItemId {
        let told = state.is_change();
        self.items.push(Item { parent, name, state, told, link: None });
        self.items.len() - 1
    }

    /// Forgets a directory that did not change, if nothing was added below it.
    pub(super) fn drop_if_last(&mut self, id: ItemId) {
        let is_last = id != Self::ROOT && id + 1 == self.items.len();
        if is_last && self.items.last().is_some_and(|item| !item.told) {
            self.items.pop();
        }
    }

    /// All items.
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// The path of an item.
    pub(super) fn path(&self, mut id: ItemId) -> Vec<u8> {
        let mut names = Vec::new();
        while let Some(item) = self.items.get(id).filter(|_| id != Self::ROOT) {
            names.push(item.name.as_slice());
            id = item.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// Tells an item, whether or not it is known to have changed.
    pub(super) fn mark(&mut self, id: ItemId) {
        if let Some(item) = self.items.get_mut(id) {
            item.told = true;
        }
    }

    /// Tells an item for the sake of its group of links, as another name of `link` or by itself.
    pub(super) fn tell(&mut self, id: ItemId, link: Option<ItemId>) {
        if let Some(item) = self.items.get_mut(id) {
            item.told = true;
            item.link = link;
            if let State::Present { is_new: false, differences, .. } = &mut item.state {
                let unchanged = differences.is_empty();
                differences.add(Differences::LINKS, unchanged);
            }
        }
    }

    /// Decides which directories are told for what is below them.
    pub(super) fn choose_parents(&mut self, parents: Parents) {
        if parents == Parents::Changed {
            return;
        }
        // Children come after their parents.
        for id in (1..self.items.len()).rev() {
            let Some(item) = self.items.get(id).filter(|item| item.told) else { continue };
            let parent = item.parent;
            if let Some(parent) = self.items.get_mut(parent) {
                parent.told = true;
            }
        }
    }

    /// The root is not told, whatever happened to it. Whether there was more to tell
    /// than its time, which changes with every name in it.
    pub(super) fn leave_out_root(&mut self) -> bool {
        let Some(root) = self.items.first_mut() else { return false };
        root.told = false;
        let differences = root.differences();
        [Differences::MODE, Differences::OWNER, Differences::XATTRS]
            .into_iter()
            .any(|one| differences.contains(one))
    }
}
