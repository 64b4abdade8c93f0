//! Every version of every name, for readers that look at the past of a tree: which
//! layer wrote a path first, which replaced or deleted it, and whose bytes that wasted.
//!
//! A tree that records ([`Tree::recording`]) gives no number out twice. A name that is
//! deleted and comes back has the number it had, so that a number stands for a path.
//! Memory grows with the number of members of all layers.

use std::collections::HashMap;

use super::{Below, InodeId, Node, NodeId, Own, Tree};
use crate::root;

/// The past of a tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Versions {
    changes: Vec<Change>,
    losses: Vec<Loss>,
    /// Names that are gone, by directory.
    graves: HashMap<(NodeId, Box<[u8]>), NodeId>,
}

/// A name that a layer wrote or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The name.
    pub node: NodeId,
    /// The layer, counted from 1.
    pub layer: u32,
    /// The new version of the name.
    pub version: Version,
}

/// The version of a name after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A file or directory that this inode describes.
    Inode(InodeId),
    /// A directory that no layer describes.
    Made,
    /// Nothing: the name, or a directory above it, was deleted or replaced.
    Deleted,
}

/// An inode that lost its last name: its content is still stored, and nothing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The inode.
    pub inode: InodeId,
    /// The name that it had last.
    pub node: NodeId,
    /// The layer that replaced or deleted it, counted from 1.
    pub layer: u32,
}

/// The paths of all names, of those that are gone too.
#[derive(Debug)]
pub struct Paths<'t> {
    /// The directory and the name, by number of the node.
    names: Vec<Option<(NodeId, &'t [u8])>>,
}

impl Paths<'_> {
    /// The path of a node, without a slash before it; the root's is empty. None for a
    /// file that only hard links named (AUFS's link store).
    #[must_use]
    pub fn of(&self, node: NodeId) -> Option<Vec<u8>> {
        let mut names = Vec::new();
        let mut at = node;
        while at != NodeId::ROOT {
            let (parent, name) = (*self.names.get(at.0 as usize)?)?;
            names.push(name);
            at = parent;
        }
        let mut path = Vec::new();
        names.iter().rev().for_each(|name| root::push(&mut path, name));
        Some(path)
    }

    /// Calls `seen` with every name and its path, those that are gone too: the root first,
    /// a directory before what is in it, in the order of names.
    ///
    /// # Errors
    /// The first of `seen`'s.
    pub fn walk<E>(&self, mut seen: impl FnMut(NodeId, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let numbers = (0..).take(self.names.len());
        let mut order: Vec<u32> = numbers
            .filter(|&at| self.names.get(at as usize).is_some_and(Option::is_some))
            .collect();
        let key = |at: u32| self.names.get(at as usize).copied().flatten();
        order.sort_unstable_by_key(|&at| key(at));
        let children = |parent: NodeId| {
            let from = order.partition_point(|&at| key(at).is_some_and(|(it, _)| it < parent));
            let rest = order.get(from..).unwrap_or_default();
            let len = rest.partition_point(|&at| key(at).is_some_and(|(it, _)| it == parent));
            rest.get(..len).unwrap_or_default()
        };
        let mut path = Vec::new();
        let mut pending = vec![(NodeId::ROOT, 0)];
        while let Some((node, parent_len)) = pending.pop() {
            path.truncate(parent_len);
            root::push(&mut path, key(node.0).map_or(b"", |(_, name)| name));
            seen(node, &path)?;
            let len = path.len();
            pending.extend(children(node).iter().rev().map(|&child| (NodeId(child), len)));
        }
        Ok(())
    }

    /// The directory that a name is in, unless it is the root.
    #[must_use]
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.names.get(node.0 as usize).copied().flatten().map(|(parent, _)| parent)
    }
}

impl NodeId {
    /// The number as an index: numbers of a tree are close together.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl InodeId {
    /// The number of an index that [`InodeId::index`] gave.
    pub(in crate::layer) fn of_index(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Self)
    }

    /// The number as an index: numbers of a tree are close together.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl<C: Clone> Tree<C> {
    /// A tree to which no layer has done anything, and that remembers what they do.
    #[must_use]
    pub fn recording(below: Below) -> Self {
        Self { versions: Some(Versions::default()), ..Self::new(below) }
    }

    pub(super) fn record(&mut self, node: NodeId, own: Own) {
        let Some(versions) = &mut self.versions else { return };
        let version = match own {
            Own::Directory(id) | Own::Inode(id) | Own::Lower(id) => Version::Inode(id),
            Own::Made => Version::Made,
            Own::Deleted => Version::Deleted,
            // Its target is recorded once it is there.
            Own::Waiting | Own::Unknown => return,
        };
        versions.changes.push(Change { node, layer: self.layer, version });
    }

    /// Takes note of an inode without names, whose number may be used again unless
    /// somebody remembers it.
    pub(super) fn lose(&mut self, node: NodeId, inode: InodeId) {
        let layer = self.layer;
        match &mut self.versions {
            Some(versions) => versions.losses.push(Loss { inode, node, layer }),
            None => self.free_inodes.push(inode),
        }
    }

    /// Remembers the number of a name that is gone.
    pub(super) fn bury(&mut self, parent: NodeId, name: Box<[u8]>, id: NodeId) {
        if let Some(versions) = &mut self.versions {
            versions.graves.insert((parent, name), id);
        }
    }

    /// The number that a name had before it was deleted, with nothing in it.
    pub(super) fn dig_up(&mut self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let id = self.versions.as_mut()?.graves.remove(&(parent, name.into()))?;
        *self.node_mut(id) = Node::new(parent);
        Some(id)
    }

    /// Lets the numbers of deleted nodes be used again, unless somebody remembers them.
    pub(super) fn free_gone(&mut self) {
        match self.versions {
            Some(_) => self.gone.clear(),
            None => self.free_nodes.append(&mut self.gone),
        }
    }
}

impl<C> Tree<C> {
    /// All that the layers did, in their order; nothing if the tree does not record.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        self.versions.as_ref().map_or(&[], |versions| &versions.changes)
    }

    /// The inodes whose content nothing shows any more, in the order of their loss.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        self.versions.as_ref().map_or(&[], |versions| &versions.losses)
    }

    /// The paths of all names.
    #[must_use]
    pub fn paths(&self) -> Paths<'_> {
        let mut names = vec![None; self.nodes.len() as usize];
        let mut put = |id: NodeId, parent, name| {
            if let Some(slot) = names.get_mut(id.index()) {
                *slot = Some((parent, name));
            }
        };
        for ((parent, name), &id) in self.versions.iter().flat_map(|versions| &versions.graves) {
            put(id, *parent, &**name);
        }
        let mut pending = vec![NodeId::ROOT];
        while let Some(parent) = pending.pop() {
            for (name, &id) in &self.node(parent).children {
                put(id, parent, name);
                pending.push(id);
            }
        }
        Paths { names }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Change, Loss, Version};
    use crate::layer::apply::Problem;
    use crate::layer::tree::{Below, NodeRef, Tree};
    use crate::tar::Kind;
    use crate::tar::testing::entry;

    type Member = (String, Kind);

    fn apply(tree: &mut Tree<usize>, members: &[Member]) -> Result<(), Problem> {
        let mut layer = tree.begin();
        for (number, (path, kind)) in members.iter().enumerate() {
            layer.apply(&entry(path, kind.clone()), number)?;
        }
        layer.end().map_err(|(_, problem)| problem)
    }

    /// Each path with its layer, kind, member and number of names.
    fn seen(tree: &Tree<usize>) -> Vec<String> {
        fn walk(node: NodeRef<'_, usize>, above: &str, seen: &mut Vec<String>) {
            for (name, child) in node.children() {
                let path = format!("{above}/{}", name.escape_ascii());
                let inode = child.inode().map(|inode| (inode.content, inode.names()));
                seen.push(format!("{path} {} {:?} {inode:?}", child.layer(), child.kind()));
                walk(child, &path, seen);
            }
        }
        let mut all = Vec::new();
        walk(tree.root(), "", &mut all);
        all
    }

    #[test]
    fn a_name_keeps_its_number_and_its_past() {
        let mut tree = Tree::recording(Below::Nothing);
        let file = |path: &str| (path.to_owned(), Kind::File);
        apply(&mut tree, &[file("d/f"), file("g")]).unwrap();
        apply(&mut tree, &[file(".wh.d")]).unwrap();
        apply(&mut tree, &[file("d/f"), file("g")]).unwrap();
        let paths = tree.paths();
        let id = tree.get(&["d", "f"]).unwrap().id();
        assert_eq!(paths.of(id).unwrap(), b"d/f");
        let of = |change: &&Change| change.node == id;
        let past = tree.changes().iter().filter(of).map(|change| (change.layer, change.version));
        let past: Vec<_> = past.collect();
        assert!(
            matches!(
                *past,
                [(1, Version::Inode(_)), (2, Version::Deleted), (3, Version::Inode(_))]
            ),
            "{past:?}"
        );
        let lost = |Loss { node, layer, .. }: &Loss| (paths.of(*node).unwrap(), *layer);
        let losses: Vec<_> = tree.losses().iter().map(lost).collect();
        assert_eq!(losses, [(b"d/f".to_vec(), 2), (b"g".to_vec(), 3)]);
    }

    #[test]
    fn the_path_of_what_is_gone_is_known() {
        let mut tree = Tree::recording(Below::Nothing);
        apply(&mut tree, &[("a/b/c".into(), Kind::File)]).unwrap();
        let id = tree.get(&["a", "b", "c"]).unwrap().id();
        apply(&mut tree, &[("a".into(), Kind::File)]).unwrap();
        assert_eq!(tree.paths().of(id).unwrap(), b"a/b/c");
        apply(&mut tree, &[("0".into(), Kind::File), ("a-".into(), Kind::File)]).unwrap();
        let mut paths = Vec::new();
        let mut put = |_, path: &[u8]| -> Result<(), ()> {
            paths.push(String::from_utf8(path.to_vec()).unwrap());
            Ok(())
        };
        tree.paths().walk(&mut put).unwrap();
        assert_eq!(paths, ["", "0", "a", "a/b", "a/b/c", "a-"]);
    }

    fn path() -> impl Strategy<Value = String> {
        prop::collection::vec("[abl]", 1..4).prop_map(|names| names.join("/"))
    }

    fn member() -> impl Strategy<Value = Member> {
        let target = |target: String| target.into_bytes();
        prop_oneof![
            4 => path().prop_map(|path| (path, Kind::File)),
            2 => path().prop_map(|path| (path, Kind::Directory)),
            1 => (path(), path()).prop_map(move |(path, to)| (path, Kind::Symlink { target: target(to) })),
            2 => (path(), path()).prop_map(move |(path, to)| (path, Kind::HardLink { target: target(to) })),
            2 => path().prop_map(|path| {
                let (above, name) = path.rsplit_once('/').unwrap_or((".", &path));
                (format!("{above}/.wh.{name}"), Kind::File)
            }),
            1 => path().prop_map(|path| (format!("{path}/.wh..wh..opq"), Kind::File)),
            1 => "[ab]".prop_map(|name| (format!(".wh..wh.plnk/{name}"), Kind::File)),
            1 => ("[ab]", "[ab]").prop_map(|(path, name)| {
                (path, Kind::HardLink { target: format!(".wh..wh.plnk/{name}").into() })
            }),
        ]
    }

    proptest! {
        // Law 7 holds for a tree that records, as it does for one that does not.
        #[test]
        fn recording_changes_nothing(
            layers in prop::collection::vec(prop::collection::vec(member(), 0..8), 1..5),
            below in prop::sample::select(vec![Below::Nothing, Below::Unknown]),
        ) {
            let mut plain = Tree::new(below);
            let mut recording = Tree::recording(below);
            for layer in &layers {
                let told = |done: Result<(), Problem>| done.map_err(|problem| problem.to_string());
                let (one, other) = (apply(&mut plain, layer), apply(&mut recording, layer));
                let failed = one.is_err();
                prop_assert_eq!(told(one), told(other));
                if failed {
                    return Ok(());
                }
                prop_assert_eq!(seen(&plain), seen(&recording));
            }
        }
    }
}
