//! The versions of every path: what each layer did to it.

use super::{Inside, Place};
use crate::layer::tree::{self, Inode, InodeId, NodeId, Version};
use crate::tar::Kind;

/// The change that a layer made to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It was not there before.
    Added,
    /// Something else took its place.
    Changed,
    /// The content is as long as before and has the same time: owner, mode, extended
    /// attributes or the like changed, or nothing did.
    Metadata,
    /// It is not there any more.
    Deleted,
}

impl Change {
    /// A letter, as `docker diff` has.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Metadata => 'M',
            Self::Deleted => 'D',
        }
    }

    /// A word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Metadata => "metadata",
            Self::Deleted => "deleted",
        }
    }
}

/// A change that one layer made to one path.
#[derive(Debug, Clone, Copy)]
pub struct Event<'t> {
    /// The layer, counted from 1.
    pub layer: u32,
    /// The kind of change.
    pub change: Change,
    /// The inode after it, if a layer describes one.
    pub inode: Option<&'t Inode<Place>>,
    /// Its number.
    pub id: Option<InodeId>,
}

/// The events of an image, by path.
#[derive(Debug)]
pub struct Past<'t> {
    inside: &'t Inside,
    /// Numbers of changes, by node and then by layer.
    order: Vec<u32>,
}

impl<'t> Past<'t> {
    /// The past of an image that was read with it.
    #[must_use]
    pub fn of(inside: &'t Inside) -> Self {
        let changes = inside.tree.changes();
        let mut order: Vec<u32> = (0..).take(changes.len()).collect();
        // The sort is stable: changes are in the order of layers.
        order.sort_by_key(|&at| changes.get(at as usize).map(|change| change.node));
        Self { inside, order }
    }

    /// Returns the changes that the layers made to one name, in their order.
    #[must_use]
    pub fn of_node(&self, node: NodeId) -> Vec<Event<'t>> {
        let changes = self.inside.tree.changes();
        let change = |&at: &u32| changes.get(at as usize);
        let from = self.order.partition_point(|at| change(at).is_some_and(|it| it.node < node));
        let rest = self.order.get(from..).unwrap_or_default();
        let own = rest.iter().map_while(|at| change(at).filter(|it| it.node == node));
        self.events(&own.collect::<Vec<_>>())
    }

    /// Every node with its events, in no order that means anything.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Vec<Event<'t>>)> + '_ {
        let changes = self.inside.tree.changes();
        let mut left = self.order.as_slice();
        std::iter::from_fn(move || {
            let change = |&at: &u32| changes.get(at as usize);
            let node = change(left.first()?)?.node;
            let len = left.iter().take_while(|at| change(at).is_some_and(|it| it.node == node));
            let (own, rest) = left.split_at_checked(len.count())?;
            left = rest;
            let own: Vec<&tree::Change> = own.iter().filter_map(change).collect();
            Some((node, self.events(&own)))
        })
    }

    fn events(&self, changes: &[&tree::Change]) -> Vec<Event<'t>> {
        let mut before: Option<Option<&Inode<Place>>> = None;
        let mut events = Vec::new();
        for (at, tree::Change { layer, version, .. }) in changes.iter().enumerate() {
            // Of what one layer does to a name only the end is seen.
            if changes.get(at + 1).is_some_and(|next| next.layer == *layer) {
                continue;
            }
            let (now, id) = match version {
                Version::Inode(id) => (Some(Some(self.inside.tree.inode(*id))), Some(*id)),
                Version::Made => (Some(None), None),
                Version::Deleted => (None, None),
            };
            let change = match (before, now) {
                (None, None) => continue,
                (None, Some(_)) => Change::Added,
                (Some(_), None) => Change::Deleted,
                (Some(one), Some(other)) => change(one, other),
            };
            events.push(Event { layer: *layer, change, inode: now.flatten(), id });
            before = now;
        }
        events
    }
}

/// Returns the kind of change between two descriptions, of which at least one exists.
fn change(one: Option<&Inode<Place>>, other: Option<&Inode<Place>>) -> Change {
    let kind = |inode: Option<&Inode<Place>>| inode.map_or(Kind::Directory, |i| i.kind.clone());
    let same = match (kind(one), kind(other)) {
        (Kind::File, Kind::File) => {
            let len_bytes = |inode: Option<&Inode<Place>>| inode.map(|i| i.len_bytes);
            len_bytes(one) == len_bytes(other) && same_time(one, other)
        }
        (one, other) => one == other,
    };
    if same { Change::Metadata } else { Change::Changed }
}

/// Whether both have the same time, as far as it is known: many writers of layers cut
/// times to seconds.
fn same_time(one: Option<&Inode<Place>>, other: Option<&Inode<Place>>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let is_cut = one.mtime.nanoseconds == 0 || other.mtime.nanoseconds == 0;
    one.mtime == other.mtime || is_cut && one.mtime.seconds == other.mtime.seconds
}
