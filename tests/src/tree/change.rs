//! What happens to a tree between two snapshots of it.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::Index;

use super::model::{Attributes, Kind, Tree, is_below, join, parent};
use super::strategy::{Scope, Seed, attributes, content, name, seed, tree};

/// One change. Names are picked by index from those that are there.
#[derive(Debug, Clone)]
enum Change {
    Add(Seed),
    Remove(Index),
    Write(Index, Vec<u8>),
    Carry(Index, Attributes),
    Touch(Index, i64),
    Rename(Index, Vec<u8>),
    /// Another kind under the same name: what was below goes away.
    Replace(Index, Vec<u8>),
    /// A copy of its own instead of a shared inode.
    Unshare(Index),
}

fn change(scope: Scope) -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        4 => seed(scope).prop_map(Change::Add),
        3 => at().prop_map(Change::Remove),
        3 => (at(), content()).prop_map(|(at, content)| Change::Write(at, content)),
        2 => (at(), attributes(scope)).prop_map(|(at, carried)| Change::Carry(at, carried)),
        1 => (at(), -2_i64..3).prop_map(|(at, by)| Change::Touch(at, by)),
        2 => (at(), name()).prop_map(|(at, name)| Change::Rename(at, name)),
        2 => (at(), content()).prop_map(|(at, content)| Change::Replace(at, content)),
        1 => at().prop_map(Change::Unshare),
    ]
}

/// A tree, and what became of it.
pub fn pair(scope: Scope, size: usize) -> impl Strategy<Value = (Tree, Tree)> {
    series(scope, size, 1).prop_map(|mut trees| {
        let after = trees.pop().expect("two trees");
        (trees.pop().expect("two trees"), after)
    })
}

/// A tree and what became of it after each of `steps` rounds of changes.
pub fn series(scope: Scope, size: usize, steps: usize) -> impl Strategy<Value = Vec<Tree>> {
    let rounds = vec(vec(change(scope), 0..=size / 2), steps);
    (tree(scope, size), rounds).prop_map(move |(first, rounds)| {
        let mut trees = vec![first];
        for round in rounds {
            let before = trees.last().expect("one at least").clone();
            let mut after = before.clone();
            for change in round {
                change.apply(scope, &mut after);
            }
            distinguish(&before, &mut after);
            trees.push(after);
        }
        trees
    })
}

impl Change {
    fn apply(self, scope: Scope, tree: &mut Tree) {
        // The root, the empty name, stays.
        let names: Vec<Vec<u8>> = tree.nodes.keys().skip(1).cloned().collect();
        if let Self::Add(seed) = self {
            return seed.plant(scope, tree);
        }
        if names.is_empty() {
            return;
        }
        match self {
            Self::Add(_) => {}
            Self::Remove(at) => tree.remove(pick(at, &names)),
            Self::Write(at, content) => tree.edit(pick(at, &names), |node| {
                if let Kind::File(old) = &mut node.kind {
                    *old = content;
                }
            }),
            Self::Carry(at, carried) => tree.edit(pick(at, &names), |node| {
                node.attributes = carried;
                node.attributes.fit(scope, &node.kind);
            }),
            Self::Touch(at, by) => {
                tree.edit(pick(at, &names), |node| node.attributes.seconds += by);
            }
            Self::Rename(at, name) => rename(tree, pick(at, &names), &name),
            Self::Replace(at, content) => replace(scope, tree, pick(at, &names), content),
            Self::Unshare(at) => unshare(tree, pick(at, &names)),
        }
    }
}

fn pick(at: Index, names: &[Vec<u8>]) -> &[u8] {
    &names[at.index(names.len())]
}

fn rename(tree: &mut Tree, from: &[u8], name: &[u8]) {
    let to = join(parent(from), name);
    if tree.nodes.contains_key(&to) {
        return;
    }
    let moved = |path: &[u8]| -> Option<Vec<u8>> {
        let inside = path == from || is_below(path, from);
        inside.then(|| [&to, &path[from.len()..]].concat())
    };
    for (path, mut node) in std::mem::take(&mut tree.nodes) {
        if let Kind::Link(first) = &node.kind {
            if let Some(first) = moved(first) {
                node.kind = Kind::Link(first);
            }
        }
        tree.nodes.insert(moved(&path).unwrap_or(path), node);
    }
}

fn replace(scope: Scope, tree: &mut Tree, path: &[u8], content: Vec<u8>) {
    let Some(mut node) = tree.nodes.get(path).cloned() else { return };
    node.kind = match node.kind {
        Kind::Directory if content.len() % 2 == 0 => Kind::Symlink(b"a".to_vec()),
        Kind::Directory => Kind::File(content),
        Kind::File(_) if content.len() % 2 == 0 => Kind::Fifo,
        _ => Kind::Directory,
    };
    node.attributes.fit(scope, &node.kind);
    tree.remove(path);
    tree.nodes.insert(path.to_vec(), node);
}

fn unshare(tree: &mut Tree, path: &[u8]) {
    let kind = match tree.nodes.get(path).map(|node| &node.kind) {
        Some(Kind::Link(first)) => tree.nodes.get(first).map(|node| node.kind.clone()),
        _ => None,
    };
    if let (Some(kind), Some(node)) = (kind, tree.nodes.get_mut(path)) {
        node.kind = kind;
    }
}

/// Moves the time of a file whose content alone changed, unless its time is a
/// whole second. A comparison by metadata cannot see the change otherwise, and is
/// not meant to: a kernel never leaves such a pair behind, nobody sets
/// nanoseconds by hand.
fn distinguish(before: &Tree, after: &mut Tree) {
    let content = |tree: &Tree, path: &[u8]| match &tree.nodes.get(path)?.kind {
        Kind::File(content) => Some(content.clone()),
        Kind::Link(first) => match &tree.nodes.get(first)?.kind {
            Kind::File(content) => Some(content.clone()),
            _ => None,
        },
        _ => None,
    };
    for path in before.nodes.keys() {
        let (Some(old), Some(new)) = (content(before, path), content(after, path)) else {
            continue;
        };
        let (was, is) = (&before.nodes[path].attributes, &after.nodes[path].attributes);
        let same_time = (was.seconds, was.nanoseconds) == (is.seconds, is.nanoseconds);
        if old != new && same_time && is.nanoseconds != 0 {
            let unused = before.nodes.values().chain(after.nodes.values());
            let latest = unused.map(|node| node.attributes.seconds).max().unwrap_or(0);
            after.edit(path, |node| node.attributes.seconds = latest.min(15_000_000_000) + 1);
        }
    }
}
