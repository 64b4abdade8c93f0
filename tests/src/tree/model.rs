//! A tree as a value.

use std::collections::BTreeMap;

/// Names within a tree: components joined by `/`; the root's is empty.
pub type Path = Vec<u8>;

/// Everything that a layer must carry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Every name, parents before what they hold; the root is the empty name.
    pub nodes: BTreeMap<Path, Node>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// What it carries; a further name of an inode carries what the first one does.
    pub attributes: Attributes,
}

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink(Vec<u8>),
    /// A named pipe.
    Fifo,
    /// A character device.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// The same inode as that of an earlier name, which is not itself such a link.
    Link(Path),
}

/// Owner, permissions, time and extended attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with set-id and sticky; always 0777 for a symbolic link.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last modification: seconds, rounded down.
    pub seconds: i64,
    /// Last modification: nanoseconds after them.
    pub nanoseconds: u32,
    /// Extended attributes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The name of the directory that holds `path`.
#[must_use]
pub fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &path[..slash])
}

/// `name` in the directory `folder`.
#[must_use]
pub fn join(folder: &[u8], name: &[u8]) -> Path {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// Whether `path` is below the directory `folder`.
#[must_use]
pub fn is_below(path: &[u8], folder: &[u8]) -> bool {
    !path.is_empty()
        && (folder.is_empty()
            || path.strip_prefix(folder).is_some_and(|rest| rest.first() == Some(&b'/')))
}

impl Tree {
    /// An empty root directory.
    #[must_use]
    pub fn new(attributes: Attributes) -> Self {
        let root = Node { kind: Kind::Directory, attributes };
        Self { nodes: BTreeMap::from([(Path::new(), root)]) }
    }

    /// Removes `path` and all below it. If that takes the first name of an inode
    /// away, the next one becomes it.
    pub fn remove(&mut self, path: &[u8]) {
        let gone: Vec<Path> = self
            .nodes
            .keys()
            .filter(|name| *name == path || is_below(name, path))
            .cloned()
            .collect();
        let removed: Vec<(Path, Node)> =
            gone.into_iter().filter_map(|name| self.nodes.remove_entry(&name)).collect();
        for (name, node) in removed {
            let links = |kind: &Kind| matches!(kind, Kind::Link(first) if *first == name);
            let mut heir: Option<Path> = None;
            for (other, other_node) in &mut self.nodes {
                if links(&other_node.kind) {
                    match &heir {
                        None => {
                            *other_node = node.clone();
                            heir = Some(other.clone());
                        }
                        Some(first) => other_node.kind = Kind::Link(first.clone()),
                    }
                }
            }
        }
    }

    /// Changes what all names of the inode of `path` carry.
    pub fn edit(&mut self, path: &[u8], change: impl FnOnce(&mut Node)) {
        let first = match self.nodes.get(path).map(|node| &node.kind) {
            Some(Kind::Link(first)) => first.clone(),
            _ => path.to_vec(),
        };
        let Some(node) = self.nodes.get_mut(&first) else { return };
        change(node);
        let attributes = node.attributes.clone();
        for node in self.nodes.values_mut() {
            if matches!(&node.kind, Kind::Link(target) if *target == first) {
                node.attributes = attributes.clone();
            }
        }
    }

    /// The same tree with the first name of every inode in the order of names
    /// being the one that the others link to: as [`crate::tree::read()`] gives it.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        let firsts: Vec<Path> = self
            .nodes
            .values()
            .filter_map(|node| match &node.kind {
                Kind::Link(first) => Some(first.clone()),
                _ => None,
            })
            .collect();
        for first in firsts {
            let least = self.nodes.iter().find(|(name, node)| {
                **name == first || matches!(&node.kind, Kind::Link(other) if *other == first)
            });
            let Some((least, _)) = least else { continue };
            if *least < first {
                let least = least.clone();
                let kind = std::mem::replace(
                    &mut self.nodes.get_mut(&first).expect("a link's target is there").kind,
                    Kind::Link(least.clone()),
                );
                for node in self.nodes.values_mut() {
                    if matches!(&node.kind, Kind::Link(other) if *other == first) {
                        node.kind = Kind::Link(least.clone());
                    }
                }
                self.nodes.get_mut(&least).expect("just found").kind = kind;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Kind, Node, Tree};
    use std::collections::BTreeMap;

    fn attributes() -> Attributes {
        let xattrs = BTreeMap::new();
        Attributes { mode: 0o644, uid: 0, gid: 0, seconds: 0, nanoseconds: 0, xattrs }
    }

    fn tree(nodes: &[(&str, Kind)]) -> Tree {
        let mut tree = Tree::new(attributes());
        for (name, kind) in nodes {
            let node = Node { kind: kind.clone(), attributes: attributes() };
            tree.nodes.insert(name.as_bytes().to_vec(), node);
        }
        tree
    }

    #[test]
    fn a_removed_first_name_leaves_the_inode_to_the_next() {
        let file = Kind::File(b"x".to_vec());
        let link = |name: &str| Kind::Link(name.into());
        let mut removed = tree(&[("a", file.clone()), ("b", link("a")), ("c", link("a"))]);
        removed.remove(b"a");
        assert_eq!(removed, tree(&[("b", file.clone()), ("c", link("b"))]));
    }

    #[test]
    fn the_least_name_of_an_inode_is_its_first() {
        let file = Kind::File(b"x".to_vec());
        let link = |name: &str| Kind::Link(name.into());
        let given = tree(&[("b", file.clone()), ("a", link("b")), ("c", link("b"))]);
        let expected = tree(&[("a", file), ("b", link("a")), ("c", link("a"))]);
        assert_eq!(given.normalised(), expected);
    }
}
