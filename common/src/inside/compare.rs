//! The names of two trees that are not the same in both.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use super::{Error, Inside, Place, Side, Wanted, entry};
use crate::glob::Pattern;
use crate::layer::tree::{Inode, NodeRef};
use crate::root;
use crate::tar::Kind;

/// The change of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only the new tree has it.
    Added,
    /// Both trees have it.
    Changed,
    /// Only the old tree has it.
    Removed,
}

impl Change {
    /// A letter, as `docker diff` has.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Changed => 'C',
            Self::Removed => 'D',
        }
    }

    /// A word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// The attributes of a name in one of the trees.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The type.
    pub kind: Kind,
    /// The length of its content in bytes, if it is a file.
    pub len_bytes: u64,
    /// The place of its content, if it is a file.
    pub place: Option<Place>,
}

/// A name that is not the same in both.
#[derive(Debug, Clone)]
pub struct File {
    /// The path; the root's is empty.
    pub path: Vec<u8>,
    /// The change.
    pub change: Change,
    /// Its attributes in the old tree.
    pub old: Option<Facts>,
    /// Its attributes in the new tree.
    pub new: Option<Facts>,
    /// Of a changed name: `type`, `mode`, `owner`, `mtime`, `xattrs`, `size`, `content`,
    /// `target` and `device`.
    pub differs: Vec<&'static str>,
    /// Set if the directory that it is in was added or removed with it.
    pub is_within: bool,
}

impl File {
    /// Returns the growth of its content, in bytes.
    #[must_use]
    pub fn growth(&self) -> i128 {
        let len = |facts: &Option<Facts>| facts.as_ref().map_or(0, |facts| facts.len_bytes);
        i128::from(len(&self.new)) - i128::from(len(&self.old))
    }

    /// Returns the places of its content in both trees, if it is a file in both.
    #[must_use]
    pub fn places(&self) -> Option<(&Place, &Place)> {
        let (old, new) = (self.old.as_ref()?, self.new.as_ref()?);
        old.place.as_ref().zip(new.place.as_ref())
    }

    /// Returns true for a directory, and for one that is gone.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        let facts = self.new.as_ref().or(self.old.as_ref());
        facts.is_some_and(|facts| facts.kind == Kind::Directory)
    }
}

/// Rules for names and attributes that are not compared.
#[derive(Debug)]
pub struct Rules {
    ignore: Vec<Pattern>,
    ignores_times: bool,
}

impl Rules {
    /// Rules that leave out names that match a pattern, and all below them.
    #[must_use]
    pub fn new(ignore: &[OsString], ignores_times: bool) -> Self {
        let ignore = ignore.iter().map(|text| Pattern::new(text.as_bytes())).collect();
        Self { ignore, ignores_times }
    }
}

/// The names that differ, a directory before what is in it.
///
/// Files of the same length are compared by the digest of their content, unless both are
/// the same member of the same layer. The time of a directory alone is no difference: it
/// follows from what is in it.
///
/// # Errors
/// A layer that cannot be read, with the image that has it.
pub fn compare(old: &Inside, new: &Inside, rules: &Rules) -> Result<Vec<File>, (Side, Error)> {
    let nowhere = Place { layer: 0, position: 0, xattrs: None };
    let undescribed = Inode::of(&entry(Vec::new(), None), nowhere);
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
    undescribed: &'a Inode<Place>,
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
        let (one, other) = (old.inode(), new.inode());
        let (one, other) = (one.unwrap_or(self.undescribed), other.unwrap_or(self.undescribed));
        let differs = differences(one, other, self.rules.ignores_times);
        let is_file = one.kind == Kind::File && other.kind == Kind::File;
        let may_differ = is_file
            && one.len_bytes == other.len_bytes
            && !self.old.is_same_content(one, self.new, other);
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

/// Returns the differences of two names, but for content of the same length.
fn differences(one: &Inode<Place>, other: &Inode<Place>, ignores_times: bool) -> Vec<&'static str> {
    let is_directory = one.kind == Kind::Directory && other.kind == Kind::Directory;
    let same_type = std::mem::discriminant(&one.kind) == std::mem::discriminant(&other.kind);
    let is_link = matches!(one.kind, Kind::Symlink { .. });
    let is_device = matches!(one.kind, Kind::CharDevice { .. } | Kind::BlockDevice { .. });
    let all = [
        ("type", !same_type),
        // A link's own bits mean nothing.
        ("mode", one.mode != other.mode && !(same_type && is_link)),
        ("owner", (one.uid, one.gid) != (other.uid, other.gid)),
        ("mtime", one.mtime != other.mtime && same_type && !is_directory && !ignores_times),
        ("xattrs", one.content.xattrs != other.content.xattrs),
        ("size", one.len_bytes != other.len_bytes && same_type),
        ("target", same_type && is_link && one.kind != other.kind),
        ("device", same_type && is_device && one.kind != other.kind),
    ];
    all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
