//! COPY and ADD: one source of theirs, put into a stage's tree.
//!
//! The rules are BuildKit's: a directory gives its contents; a link that is named
//! is followed, one that is met is copied; what goes into the image meets the links
//! that are there, inside the image; files are replaced, directories merged, and
//! neither becomes the other. Parents that are missing are made 0755, with the
//! owner of the copy; the times of directories that are there stay.

use std::collections::{BTreeSet, HashMap};

use common::glob::{DoubleStar, Glob, has_wildcards};
use common::layer::tree::InodeId;
use common::tar;
use common::time::Timestamp;

use super::chmod::Chmod;
use crate::context::{Matched, Patterns};
use crate::error::Error;
use crate::tree::{Attributes, Item, Last, Names, Node, Tree, check_depth, components, join};

/// How files change on the way.
#[derive(Debug)]
pub(crate) struct Rules {
    /// `--chown`.
    pub(crate) owner: Option<(u32, u32)>,
    /// `--chmod`.
    pub(crate) chmod: Option<Chmod>,
    /// `--exclude`.
    pub(crate) excludes: Patterns,
    /// The time of directories that are made.
    pub(crate) now: Timestamp,
}

impl Rules {
    /// The attributes of a parent that is missing.
    pub(crate) fn implied(&self) -> Attributes {
        let (uid, gid) = self.owner.unwrap_or((0, 0));
        Attributes { uid, gid, ..Attributes::implied(self.now) }
    }

    /// What becomes of something.
    pub(crate) fn changed(&self, mut item: Item) -> Item {
        let attributes = &mut item.attributes;
        if let Some((uid, gid)) = self.owner {
            (attributes.uid, attributes.gid) = (uid, gid);
        }
        let is_link = matches!(item.kind, tar::Kind::Symlink { .. });
        if let (Some(chmod), false) = (&self.chmod, is_link) {
            let is_directory = item.kind == tar::Kind::Directory;
            attributes.mode = chmod.apply(attributes.mode, is_directory);
        }
        item
    }
}

/// A copy under way: into which tree, and what it changed there.
#[derive(Debug)]
pub(crate) struct Copying<'a> {
    pub(crate) target: &'a mut Tree,
    pub(crate) changed: &'a mut BTreeSet<Names>,
    pub(crate) rules: &'a Rules,
    /// Files of several names: the source's inodes and the target's.
    inodes: HashMap<InodeId, InodeId>,
}

/// What one source of an instruction stands for.
#[derive(Debug)]
pub(crate) struct Found {
    /// The node, links followed.
    pub(crate) names: Names,
    /// Its last name before links were followed: what it will be called.
    pub(crate) base: Vec<u8>,
    /// Where it is, links not followed, and from where on that path is kept
    /// (`--parents`).
    unfollowed: Names,
    kept_from: usize,
}

impl Found {
    /// A node of a tree that was made for the purpose.
    pub(crate) fn exactly(names: Names) -> Self {
        let base = names.last().cloned().unwrap_or_default();
        Self { base, unfollowed: names.clone(), kept_from: names.len(), names }
    }
}

/// Finds what a source names in a tree: one thing, or all that a pattern matches.
///
/// # Errors
/// A malformed pattern, a loop of links, or a wildcard that matches a link to nothing.
pub(crate) fn find(source: &Tree, path: &str, parents: bool) -> Result<Vec<Found>, Error> {
    // `a/./b` keeps only `b` of the path, from each directory that `a` stands for.
    let (pivot, path) = match path.split_once("/./") {
        Some((pivot, rest)) if parents => (pivot, rest),
        _ => return find_below(source, Names::new(), path, parents),
    };
    if !has_wildcards(pivot.as_bytes()) {
        return find_below(source, clean(pivot.as_bytes()), path, parents);
    }
    let mut found = Vec::new();
    for pivot in find_below(source, Names::new(), pivot, false)? {
        if source.get(&pivot.names).is_some_and(Node::is_directory) {
            found.extend(find_below(source, pivot.unfollowed, path, parents)?);
        }
    }
    Ok(found)
}

/// As [`find`], from the directory `pivot`.
fn find_below(source: &Tree, pivot: Names, path: &str, parents: bool) -> Result<Vec<Found>, Error> {
    let names = clean(path.as_bytes());
    let plain = names.iter().take_while(|name| !has_wildcards(name)).count();
    let (fixed, pattern) = names.split_at(plain);
    let fixed: Vec<_> = fixed.iter().map(|name| unescape(name)).collect();
    let start = [pivot.clone(), fixed].concat();
    let mut found = Vec::new();
    let mut add = |unfollowed: &[Vec<u8>]| -> Result<bool, Error> {
        let base = unfollowed.last().cloned().unwrap_or_default();
        let names = source.resolve(&join(unfollowed), Last::Followed)?;
        let is_there = source.get(&names).is_some();
        if is_there {
            let kept_from = if parents { pivot.len() } else { unfollowed.len() };
            found.push(Found { names, base, unfollowed: unfollowed.to_vec(), kept_from });
        }
        Ok(is_there)
    };
    if pattern.is_empty() {
        add(&start)?;
        return Ok(found);
    }
    let glob = Glob::parse_go(
        &join(pattern),
        match parents {
            true => DoubleStar::AnyDepth,
            false => DoubleStar::Plain,
        },
    );
    let glob = glob.map_err(|_| Error::Other(format!("invalid pattern '{path}'")))?;
    let real = source.resolve(&join(&start), Last::Followed)?;
    let Some(node) = source.get(&real) else { return Ok(found) };
    let mut matched = Vec::new();
    walk(node, &mut Names::new(), &glob, &mut matched)?;
    for below in matched {
        let path = [start.clone(), below].concat();
        // As in BuildKit, which follows the link: what is missing is not skipped.
        if !add(&path)? {
            return Err(Error::LinkToNowhere(join(&path)));
        }
    }
    Ok(found)
}

fn walk(
    node: Node<'_>,
    here: &mut Names,
    glob: &Glob,
    matched: &mut Vec<Names>,
) -> Result<(), Error> {
    check_depth(here)?;
    for (name, child) in node.children() {
        here.push(name.to_vec());
        if glob.matches(&join(here)) {
            matched.push(here.clone());
        } else {
            walk(child, here, glob, matched)?;
        }
        here.pop();
    }
    Ok(())
}

/// The names in a path, `..` resolved as far as the root.
fn clean(path: &[u8]) -> Names {
    let mut names = Names::new();
    for name in components(path) {
        if name == b".." {
            names.pop();
        } else {
            names.push(name);
        }
    }
    names
}

fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(*byte),
        }
    }
    plain
}

impl<'a> Copying<'a> {
    pub(crate) fn new(
        target: &'a mut Tree,
        changed: &'a mut BTreeSet<Names>,
        rules: &'a Rules,
    ) -> Self {
        Self { target, changed, rules, inodes: HashMap::new() }
    }

    /// Copies one thing that was found to `destination`, an absolute path; a slash
    /// at its end says that it is a directory.
    ///
    /// # Errors
    /// A file in the way of a directory or the reverse.
    pub(crate) fn copy(
        &mut self,
        source: &Tree,
        found: &Found,
        destination: &[u8],
    ) -> Result<(), Error> {
        let Some(node) = source.get(&found.names) else { return Ok(()) };
        let mut names = self.destination(destination)?;
        let mut kept: Names = found.unfollowed.get(found.kept_from..).unwrap_or_default().to_vec();
        let mut matched = Matched::default();
        if !kept.is_empty() {
            // The patterns of --exclude begin where the path that is kept does.
            let mut excluded = false;
            for len in 1..=kept.len() {
                let path = join(kept.get(..len).unwrap_or_default());
                (excluded, matched) = self.rules.excludes.excludes(&path, &matched);
            }
            if excluded && !self.may_include(node, &mut kept, &matched)? {
                return self.make(&names);
            }
            self.copy_parents(source, found, &mut names)?;
            if node.is_directory() {
                names.push(found.base.clone());
                self.place(node, &names)?;
            }
        }
        let is_directory = self.target.get(&names).is_some_and(Node::is_directory);
        if !node.is_directory() {
            if is_directory {
                names.push(found.base.clone());
            }
            let parent = names.split_last().map(|(_, parent)| parent).unwrap_or_default();
            self.make(&parent.to_vec())?;
            return self.place(node, &names);
        }
        if !is_directory {
            self.make(&names)?;
            // It is a copy of that directory, but for the mode: as in BuildKit, what
            // receives the contents of a directory is an ordinary one, --chmod or not.
            let mut attributes = self.rules.implied();
            attributes.mtime = Attributes::of(node).mtime;
            self.target.describe(&names, attributes);
        }
        self.merge(node, &names, &mut kept, &matched)
    }

    /// Makes the destination of a copy with `--parents`, a directory whatever is copied.
    pub(crate) fn make_destination(&mut self, destination: &[u8]) -> Result<(), Error> {
        let names = self.destination(destination)?;
        self.make(&names)
    }

    /// Where the destination is: what has to be a directory is made one.
    pub(crate) fn destination(&mut self, destination: &[u8]) -> Result<Names, Error> {
        let names = self.target.resolve(destination, Last::Followed)?;
        if destination.ends_with(b"/") || destination.ends_with(b"/.") {
            self.make(&names)?;
        }
        Ok(names)
    }

    /// Makes a directory and its parents.
    pub(crate) fn make(&mut self, names: &Names) -> Result<(), Error> {
        let made = self.target.make_directories(names, &self.rules.implied())?;
        self.changed.extend(made);
        Ok(())
    }

    /// `--parents`: the directories above the source, as they are in it.
    fn copy_parents(
        &mut self,
        source: &Tree,
        found: &Found,
        names: &mut Names,
    ) -> Result<(), Error> {
        self.make(names)?;
        for at in found.kept_from..found.unfollowed.len().saturating_sub(1) {
            let path = found.unfollowed.get(..=at).unwrap_or_default();
            names.extend(path.last().cloned());
            if self.target.get(names).is_some_and(Node::is_directory) {
                continue;
            }
            let real = source.resolve(&join(path), Last::Followed)?;
            let node = source.get(&real).filter(|node| node.is_directory());
            let attributes = node.map_or_else(
                || self.rules.implied(),
                |node| self.rules.changed(Item::of(node)).attributes,
            );
            self.make(names)?;
            self.target.describe(names, attributes);
        }
        Ok(())
    }

    /// Copies what is in a directory into one that is there.
    fn merge(
        &mut self,
        node: Node<'_>,
        names: &Names,
        below: &mut Names,
        matched: &Matched,
    ) -> Result<(), Error> {
        for (name, child) in node.children() {
            below.push(name.to_vec());
            let at: Names = [names.as_slice(), &[name.to_vec()]].concat();
            let (excluded, matched) = self.rules.excludes.excludes(&join(below), matched);
            if !child.is_directory() {
                if !excluded {
                    self.place(child, &at)?;
                }
            } else if !excluded || self.may_include(child, below, &matched)? {
                self.place(child, &at)?;
                self.merge(child, &at, below, &matched)?;
            }
            below.pop();
        }
        Ok(())
    }

    /// Whether anything in an excluded directory is wanted after all: it is made only then.
    fn may_include(
        &self,
        node: Node<'_>,
        below: &mut Names,
        matched: &Matched,
    ) -> Result<bool, Error> {
        let may = node.is_directory() && self.rules.excludes.may_include_again();
        Ok(may && self.any_included(node, below, matched)?)
    }

    fn any_included(
        &self,
        node: Node<'_>,
        below: &mut Names,
        matched: &Matched,
    ) -> Result<bool, Error> {
        check_depth(below)?;
        for (name, child) in node.children() {
            below.push(name.to_vec());
            let (excluded, matched) = self.rules.excludes.excludes(&join(below), matched);
            let included = !excluded || self.any_included(child, below, &matched)?;
            below.pop();
            if included {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts one node in its place; of a directory, not what is in it.
    fn place(&mut self, node: Node<'_>, names: &Names) -> Result<(), Error> {
        let shared = node.inode().filter(|inode| inode.names() > 1).and(node.inode_id());
        self.place_item(Item::of(node), names, shared)
    }

    /// Puts something in its place. Names of one inode of the source are names of one
    /// in the target.
    pub(crate) fn place_item(
        &mut self,
        item: Item,
        names: &Names,
        shared: Option<InodeId>,
    ) -> Result<(), Error> {
        check_depth(names)?;
        let item = self.rules.changed(item);
        let existing = self.target.get(names).map(Node::is_directory);
        match (item.is_directory(), existing) {
            (true, Some(false)) => return Err(Error::DirectoryOverFile(join(names))),
            (false, Some(true)) => return Err(Error::FileOverDirectory(join(names))),
            (true, Some(true)) => self.target.describe(names, item.attributes),
            _ => match shared.and_then(|source| self.inodes.get(&source)) {
                Some(inode) => self.target.put_name(names, *inode),
                None => {
                    let inode = self.target.put(names, item);
                    self.inodes.extend(shared.zip(inode));
                }
            },
        }
        self.changed.insert(names.clone());
        Ok(())
    }
}
