//! Trees as values: generated, edited, and made on a real file system.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chownat, mknodat,
    utimensat,
};

use super::is_root;

/// Names that sort, quote and encode awkwardly. Few, so that trees overlap.
pub(crate) const NAMES: [&[u8]; 9] =
    [b"a", b"a.b", b"a-b", b"b", "\u{e9}".as_bytes(), b"\xff", b"x\ny", b"-", b"zz"];

/// Times: whole, fractional, before the epoch, after 2038.
const TIMES: [(i64, i64); 6] =
    [(0, 0), (1, 1), (-5, 500_000_000), (4_000_000_000, 999_999_999), (1_700_000_000, 0), (7, 7)];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) mtime: (i64, i64),
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Directory(Meta, BTreeMap<Vec<u8>, Node>),
    File(Meta, Vec<u8>),
    Symlink(Meta, Vec<u8>),
    Fifo(Meta),
    Device(Meta, bool, u32),
    /// One of the names of an inode that is described in [`Tree::inodes`].
    Linked(usize),
}

/// A tree, and the inodes that have several names in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    /// Of the names that are `Linked` to one, the first makes it.
    pub(crate) inodes: Vec<Node>,
}

fn meta() -> BoxedStrategy<Meta> {
    let xattrs = prop_oneof![
        3 => Just(BTreeMap::new()),
        1 => prop::collection::btree_map(
            prop_oneof!["user\\.[ab]", Just("user.x=%y".to_owned()), Just("trusted.t".to_owned())],
            prop_oneof![Just(Vec::new()), Just(b"\n22 path=x\n\0".to_vec()), Just(b"v".to_vec())],
            0..3,
        ),
    ];
    let owner = prop_oneof![3 => Just((0, 0)), 1 => Just((1000, 3_000_000))];
    let mode = prop_oneof![Just(0o644), Just(0o755), Just(0o4711), Just(0o1700), Just(0o000)];
    (mode, owner, prop::sample::select(&TIMES[..]), xattrs)
        .prop_map(|(mode, owner, mtime, xattrs)| Meta { mode, owner, mtime, xattrs })
        .boxed()
}

fn content() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"one".to_vec()),
        Just(b"two".to_vec()),
        Just(vec![7; 512]),
        Just(vec![8; 70_001])
    ]
    .boxed()
}

fn inode() -> BoxedStrategy<Node> {
    let target = prop_oneof![Just(b"a".to_vec()), Just(b"/b".to_vec()), Just(vec![b'x'; 150])];
    prop_oneof![
        6 => (meta(), content()).prop_map(|(meta, content)| Node::File(meta, content)),
        2 => (meta(), target).prop_map(|(meta, target)| Node::Symlink(meta, target)),
        1 => meta().prop_map(Node::Fifo),
        1 => (meta(), any::<bool>(), 1..3_u32).prop_map(|(m, block, n)| Node::Device(m, block, n)),
    ]
    .boxed()
}

fn node() -> BoxedStrategy<Node> {
    let leaf = prop_oneof![5 => inode(), 3 => (0..3_usize).prop_map(Node::Linked)];
    leaf.prop_recursive(3, 24, 5, |inner| {
        let name = prop::sample::select(&NAMES[..]).prop_map(<[u8]>::to_vec);
        (meta(), prop::collection::btree_map(name, inner, 0..5))
            .prop_map(|(meta, children)| Node::Directory(meta, children))
    })
    .boxed()
}

fn directory() -> BoxedStrategy<Node> {
    let name = prop::sample::select(&NAMES[..]).prop_map(<[u8]>::to_vec);
    (meta(), prop::collection::btree_map(name, node(), 0..6))
        .prop_map(|(meta, children)| Node::Directory(meta, children))
        .boxed()
}

/// A tree.
pub(crate) fn tree() -> BoxedStrategy<Tree> {
    (directory(), prop::collection::vec(inode(), 3))
        .prop_map(|(root, inodes)| Tree { root, inodes })
        .boxed()
}

impl Tree {
    /// The tree with times as archives have them.
    pub(crate) fn in_whole_seconds(mut self) -> Self {
        self.root.round_times();
        self.inodes.iter_mut().for_each(Node::round_times);
        self
    }
}

impl Node {
    fn round_times(&mut self) {
        match self {
            Self::Directory(meta, children) => {
                meta.mtime.1 = 0;
                children.values_mut().for_each(Self::round_times);
            }
            Self::File(meta, _)
            | Self::Symlink(meta, _)
            | Self::Fifo(meta)
            | Self::Device(meta, ..) => meta.mtime.1 = 0,
            Self::Linked(_) => {}
        }
    }
}

/// Something to do to a tree: at a path that is followed as far as it goes, put a
/// node, or nothing.
type Edit = (Vec<Vec<u8>>, Option<Node>);

fn edit() -> BoxedStrategy<Edit> {
    let name = prop::sample::select(&NAMES[..]).prop_map(<[u8]>::to_vec);
    (prop::collection::vec(name, 1..4), prop::option::weighted(0.7, node())).boxed()
}

/// Two trees: unrelated ones, or one and what some edits make of it.
pub(crate) fn two_trees() -> BoxedStrategy<(Tree, Tree)> {
    let edited = (
        tree(),
        prop::collection::vec(edit(), 0..5),
        prop::option::weighted(0.3, (0..3_usize, inode())),
        prop::option::weighted(0.5, meta()),
    )
        .prop_map(|(before, edits, inode, root)| {
            let mut after = before.clone();
            for (path, node) in edits {
                apply_edit(&mut after.root, &path, node);
            }
            if let Some((index, inode)) = inode {
                after.inodes[index] = inode;
            }
            if let (Some(meta), Node::Directory(own, _)) = (root, &mut after.root) {
                *own = meta;
            }
            (before, after)
        });
    prop_oneof![1 => (tree(), tree()), 3 => edited].boxed()
}

fn apply_edit(at: &mut Node, path: &[Vec<u8>], node: Option<Node>) {
    let Node::Directory(_, children) = at else { return };
    let (name, rest) = path.split_first().unwrap();
    match children.get_mut(name) {
        Some(child @ Node::Directory(..)) if !rest.is_empty() => apply_edit(child, rest, node),
        _ => {
            match node {
                Some(node) => children.insert(name.clone(), node),
                None => children.remove(name),
            };
        }
    }
}

/// Makes the tree at `path`, which must not be there.
pub(crate) fn make(tree: &Tree, path: &Path) {
    let mut first_names = BTreeMap::new();
    make_node(&tree.root, path, tree, &mut first_names);
}

fn make_node(node: &Node, path: &Path, tree: &Tree, first: &mut BTreeMap<usize, PathBuf>) {
    let meta = match node {
        Node::Linked(index) => {
            if let Some(other) = first.get(index) {
                rustix::fs::linkat(CWD, other, CWD, path, AtFlags::empty()).unwrap();
                return;
            }
            first.insert(*index, path.into());
            return make_node(&tree.inodes[*index], path, tree, first);
        }
        Node::Directory(meta, children) => {
            fs::create_dir(path).unwrap();
            for (name, child) in children {
                make_node(child, &path.join(OsStr::from_bytes(name)), tree, first);
            }
            meta
        }
        Node::File(meta, content) => {
            fs::write(path, content).unwrap();
            meta
        }
        Node::Symlink(meta, target) => {
            std::os::unix::fs::symlink(OsStr::from_bytes(target), path).unwrap();
            meta
        }
        Node::Fifo(meta) => {
            mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
            meta
        }
        Node::Device(meta, is_block, number) => {
            let kind = match (is_root(), is_block) {
                (false, _) => FileType::Fifo,
                (true, true) => FileType::BlockDevice,
                (true, false) => FileType::CharacterDevice,
            };
            mknodat(CWD, path, kind, Mode::RWXU, rustix::fs::makedev(1, *number)).unwrap();
            meta
        }
    };
    set(meta, path, node);
}

fn set(meta: &Meta, path: &Path, node: &Node) {
    let (uid, gid) = (Uid::from_raw(meta.owner.0), Gid::from_raw(meta.owner.1));
    if is_root() {
        chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
    let has_mode = !matches!(node, Node::Symlink(..));
    if has_mode {
        // An ordinary user has to read it again.
        let mode = if is_root() { meta.mode } else { meta.mode | 0o700 };
        rustix::fs::chmod(path, Mode::from_raw_mode(mode)).unwrap();
    }
    for (name, value) in &meta.xattrs {
        let is_allowed = match name.starts_with("user.") {
            true => matches!(node, Node::Directory(..) | Node::File(..)),
            false => is_root(),
        };
        if is_allowed {
            rustix::fs::lsetxattr(path, name.as_str(), value, XattrFlags::empty()).unwrap();
        }
    }
    let time = Timespec { tv_sec: meta.mtime.0, tv_nsec: meta.mtime.1 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
