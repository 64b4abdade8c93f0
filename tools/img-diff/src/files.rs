//! The names of two trees that are not the same in both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use common::glob::Pattern;
use common::inside::{Error, Inside, Place, Side, Wanted, entry};
use common::layer::tree::{Inode, NodeRef};
use common::root;
use common::tar::{Entry, Kind, Xattrs};
use common::time::Timestamp;

/// The change of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Changed,
    Removed,
}

impl Change {
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Removed => 'D',
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// The attributes of a name in one of the trees.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) len_bytes: u64,
    /// Where its content is, if it is a file.
    pub(crate) place: Option<Place>,
}

/// A name that is not the same in both.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: Vec<u8>,
    pub(crate) change: Change,
    pub(crate) old: Option<Facts>,
    pub(crate) new: Option<Facts>,
    /// Of a changed name: `type`, `mode`, `owner`, `mtime`, `xattrs`, `size`, `content`,
    /// `target` and `device`.
    pub(crate) differs: Vec<&'static str>,
    /// Whether the directory that it is in was added or removed with it.
    pub(crate) is_within: bool,
}

impl File {
    /// Returns the growth of its content, in bytes.
    pub(crate) fn growth(&self) -> i128 {
        let len = |facts: &Option<Facts>| facts.as_ref().map_or(0, |facts| facts.len_bytes);
        i128::from(len(&self.new)) - i128::from(len(&self.old))
    }

    /// Returns the places of its content in both trees, if it is a file in both.
    pub(crate) fn places(&self) -> Option<(&Place, &Place)> {
        let (old, new) = (self.old.as_ref()?, self.new.as_ref()?);
        old.place.as_ref().zip(new.place.as_ref())
    }

    pub(crate) fn is_directory(&self) -> bool {
        let facts = self.new.as_ref().or(self.old.as_ref());
        facts.is_some_and(|facts| facts.kind == Kind::Directory)
    }
}

/// Rules for names and attributes that are not compared.
#[derive(Debug)]
pub(crate) struct Rules {
    ignore: Vec<Pattern>,
    ignores_times: bool,
}

impl Rules {
    pub(crate) fn new(ignore: &[OsString], ignores_times: bool) -> Self {
        let ignore = ignore.iter().map(|text| Pattern::new(text.as_bytes())).collect();
        Self { ignore, ignores_times }
    }
}

/// The names that differ, a directory before what is in it.
///
/// Files of the same length are compared by the digest of their content, unless both are
/// the same member of the same layer. The time of a directory alone is no difference: it
/// follows from what is in it.
pub(crate) fn compare(
    old: &Inside,
    new: &Inside,
    rules: &Rules,
) -> Result<Vec<File>, (Side, Error)> {
    let undescribed = entry(Vec::new(), None);
    let mut walk =
        Walk { old, new, rules, undescribed: &undescribed, files: Vec::new(), unsure: Vec::new() };
    walk.run();
    let Walk { mut files, unsure, .. } = walk;
    let mut wanted = (Wanted::default(), Wanted::default());
    for (one, other) in unsure.iter().filter_map(|&at| files.get(at)?.places()) {
        wanted.0.add(one);
        wanted.1.add(other);
    }
    let one = old.digests(&wanted.0).map_err(|error| (Side::Old, error))?;
    let other = new.digests(&wanted.1).map_err(|error| (Side::New, error))?;
    for at in unsure {
        let Some(file) = files.get_mut(at) else { continue };
        let Some((old, new)) = file.places() else { continue };
        let key = |place: &Place| (place.layer, place.position);
        if one.get(&key(old)) != other.get(&key(new)) {
            file.differs.push("content");
        }
    }
    files.retain(|file| file.change != Change::Changed || !file.differs.is_empty());
    Ok(files)
}

struct Walk<'a> {
    old: &'a Inside,
    new: &'a Inside,
    rules: &'a Rules,
    /// The attributes of a directory that no layer describes.
    undescribed: &'a Entry,
    files: Vec<File>,
    /// Files whose content has to be read to know whether it is the same.
    unsure: Vec<usize>,
}

type Node<'a> = Option<NodeRef<'a, Place>>;

impl<'a> Walk<'a> {
    fn run(&mut self) {
        let roots = (Some(self.old.tree.root()), Some(self.new.tree.root()));
        let mut path = Vec::new();
        let mut pending = vec![(0, &b""[..], roots, false)];
        while let Some((parent_len, name, (old, new), is_within)) = pending.pop() {
            path.truncate(parent_len);
            root::push(&mut path, name);
            if !path.is_empty() && self.rules.ignore.iter().any(|it| it.matches(&path)) {
                continue;
            }
            self.visit(&path, old, new, is_within);
            let mut both: BTreeMap<&[u8], (Node<'a>, Node<'a>)> = BTreeMap::new();
            for (name, child) in old.into_iter().flat_map(NodeRef::children) {
                both.entry(name).or_default().0 = Some(child);
            }
            for (name, child) in new.into_iter().flat_map(NodeRef::children) {
                both.entry(name).or_default().1 = Some(child);
            }
            // The content of a directory that only one tree has goes with it. A directory
            // that took the place of something else is a change, and its content is listed.
            let is_within = old.is_none() || new.is_none();
            let len = path.len();
            pending
                .extend(both.into_iter().rev().map(|(name, nodes)| (len, name, nodes, is_within)));
        }
    }

    fn visit(&mut self, path: &[u8], old: Node<'a>, new: Node<'a>, is_within: bool) {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) => (old, new),
            (None, None) => return,
            (old, new) => {
                let change = if new.is_some() { Change::Added } else { Change::Removed };
                let (old, new) = (old.map(facts), new.map(facts));
                let path = path.to_vec();
                self.files.push(File { path, change, old, new, differs: Vec::new(), is_within });
                return;
            }
        };
        let attributes = |node: NodeRef<'a, Place>| match node.inode() {
            Some(inode) => Attributes::of(inode, &self.undescribed.xattrs),
            None => Attributes::of_entry(self.undescribed),
        };
        let (one, other) = (attributes(old), attributes(new));
        let differs = differences(&one, &other, self.rules.ignores_times);
        let is_file = *one.kind == Kind::File && *other.kind == Kind::File;
        let may_differ = is_file
            && one.len_bytes == other.len_bytes
            && !old.inode().zip(new.inode()).is_some_and(|(one, other): (&Inode<_>, &Inode<_>)| {
                self.old.is_same_content(one, self.new, other)
            });
        if differs.is_empty() && !may_differ {
            return;
        }
        if may_differ {
            self.unsure.push(self.files.len());
        }
        let (old, new, path) = (Some(facts(old)), Some(facts(new)), path.to_vec());
        self.files.push(File { path, change: Change::Changed, old, new, differs, is_within });
    }
}

fn facts(node: NodeRef<'_, Place>) -> Facts {
    let kind = node.kind().clone();
    let inode = node.inode().filter(|_| kind == Kind::File);
    let len_bytes = inode.map_or(0, |inode| inode.len_bytes);
    Facts { kind, len_bytes, place: inode.map(|inode| inode.content.clone()) }
}

/// The attributes that are compared, borrowed: most names are the same in both trees.
struct Attributes<'a> {
    kind: &'a Kind,
    mode: u32,
    owner: (u32, u32),
    mtime: Timestamp,
    len_bytes: u64,
    xattrs: &'a Xattrs,
}

impl<'a> Attributes<'a> {
    fn of(inode: &'a Inode<Place>, no_xattrs: &'a Xattrs) -> Self {
        Self {
            kind: &inode.kind,
            mode: inode.mode,
            owner: (inode.uid, inode.gid),
            mtime: inode.mtime,
            len_bytes: inode.len_bytes,
            xattrs: inode.content.xattrs.as_deref().unwrap_or(no_xattrs),
        }
    }

    fn of_entry(entry: &'a Entry) -> Self {
        Self {
            kind: &entry.kind,
            mode: entry.mode,
            owner: (entry.uid, entry.gid),
            mtime: entry.mtime,
            len_bytes: entry.len_bytes,
            xattrs: &entry.xattrs,
        }
    }
}

/// Returns the differences of two names, but for content of the same length.
fn differences(
    one: &Attributes<'_>,
    other: &Attributes<'_>,
    ignores_times: bool,
) -> Vec<&'static str> {
    let is_directory = *one.kind == Kind::Directory && *other.kind == Kind::Directory;
    let same_type = std::mem::discriminant(one.kind) == std::mem::discriminant(other.kind);
    let is_link = matches!(one.kind, Kind::Symlink { .. });
    let is_device = matches!(one.kind, Kind::CharDevice { .. } | Kind::BlockDevice { .. });
    let all = [
        ("type", !same_type),
        // A link's own bits mean nothing.
        ("mode", one.mode != other.mode && !(same_type && is_link)),
        ("owner", one.owner != other.owner),
        ("mtime", one.mtime != other.mtime && same_type && !is_directory && !ignores_times),
        ("xattrs", one.xattrs != other.xattrs),
        ("size", one.len_bytes != other.len_bytes && same_type),
        ("target", same_type && is_link && one.kind != other.kind),
        ("device", same_type && is_device && one.kind != other.kind),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// The changes in a directory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) removed: u64,
    /// The growth of its files, in bytes.
    pub(crate) growth: i128,
}

/// The directories down to `depth` in which something happened, the root first; only what
/// is no directory counts.
pub(crate) fn directories(files: &[File], depth: usize) -> BTreeMap<Vec<u8>, Sum> {
    let mut sums: BTreeMap<Vec<u8>, Sum> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_directory()) {
        let slashes = file.path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = std::iter::once(0).chain(slashes.map(|(at, _)| at));
        for end in ends.take(depth.saturating_add(1)) {
            let sum = sums.entry(file.path.get(..end).unwrap_or_default().to_vec()).or_default();
            match file.change {
                Change::Added => sum.added += 1,
                Change::Changed => sum.changed += 1,
                Change::Removed => sum.removed += 1,
            }
            sum.growth += file.growth();
        }
    }
    sums
}
