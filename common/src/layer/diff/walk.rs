//! The walk through both trees at once: what each name is in either, in layer order.
//!
//! What follows from it is `record`'s part.

use std::vec;

use rustix::fs::FileType;

use super::change::{PassedOver, Reason};
use super::compare::Pair;
use super::content::FileContent;
use super::links::Source;
use super::node::Node;
use super::options::{Mounts, Sockets};
use super::record::{Present, Record, Recorded, Step};
use super::stack::{Directory, Form, Found, Lookup, Name, Stack};
use super::{Differences, Error, Options, times};
use crate::layer::whiteout;

/// What the upper tree is compared with.
#[derive(Debug)]
pub(super) enum Lower {
    /// Nothing: all is new.
    Empty,
    /// A tree.
    Known(Stack),
    /// A tree that is not at hand; the upper one holds only changes to it.
    Unknown,
}

/// Whether what is the same in both trees is walked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Same {
    Skipped,
    Walked,
}

/// Walks the upper tree and the lower.
pub(super) fn walk(
    lower: &Lower,
    upper: &Stack,
    options: &Options,
    same: Same,
) -> Result<Recorded, Error> {
    let record = Record::new(matches!(lower, Lower::Unknown));
    let mut walk =
        Walk { lower, upper, options, same, path: Vec::new(), record, frames: Vec::new() };
    walk.run()?;
    walk.record.finish()
}

struct Walk<'a> {
    lower: &'a Lower,
    upper: &'a Stack,
    options: &'a Options,
    same: Same,
    /// Of the name that is looked at.
    path: Vec<u8>,
    record: Record,
    /// The directories that are being walked, the root first. A stack of our own:
    /// the depth of a tree is not ours to choose.
    frames: Vec<Frame>,
}

/// A directory that is being walked.
struct Frame {
    path_len: usize,
    /// What is left to visit in it.
    children: vec::IntoIter<Child>,
}

/// A name that is in the upper tree.
struct Child {
    name: Vec<u8>,
    lower: Option<Found>,
    upper: Found,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let upper = self.upper.root()?;
        let lower = match self.lower {
            Lower::Known(stack) => Some(stack.root()?),
            Lower::Empty | Lower::Unknown => None,
        };
        self.visit(Child { name: Vec::new(), lower, upper })?;
        while let Some(frame) = self.frames.last_mut() {
            let path_len = frame.path_len;
            match frame.children.next() {
                Some(child) => {
                    self.set_path(path_len, &child.name);
                    self.visit(child)?;
                }
                None => {
                    self.frames.pop();
                    self.record.push(Step::Leave)?;
                }
            }
        }
        Ok(())
    }

    fn set_path(&mut self, parent_len: usize, name: &[u8]) {
        self.path.truncate(parent_len);
        if parent_len > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
    }

    /// Records a name that the upper tree has, and goes into it if it is a directory.
    fn visit(&mut self, child: Child) -> Result<(), Error> {
        let Child { name, lower, upper } = child;
        let is_directory = upper.inode.kind == FileType::Directory;
        let is_root = self.frames.is_empty();
        if !is_root && self.passes_over_mount(&upper, lower.as_ref()) {
            if lower.is_none() && is_directory {
                let node = self.read(&upper, None)?;
                self.record.push(Step::Present(Box::new(Present::new(name, node))))?;
            }
            return Ok(());
        }
        if let Some(what) = upper.dangling {
            let path = self.upper.label(upper.layer, &self.path);
            return Err(Error::LowerNeeded { path, what });
        }
        let is_same = lower.as_ref().is_some_and(|lower| upper.is_same(lower));
        let is_skipped = is_same && is_directory && self.same == Same::Skipped;
        if is_skipped {
            self.record.skipped = true;
        }
        // The root is there in every plan.
        let is_left_out = is_skipped || is_same && !is_directory && upper.inode.links == 1;
        if is_left_out && !is_root {
            return Ok(());
        }
        let mut present = Present::new(name, self.read(&upper, lower.as_ref())?);
        match (&lower, self.lower) {
            (Some(_), _) if is_same => present.differences = Some(Differences::NONE),
            (Some(lower), Lower::Known(stack)) => {
                self.compare(&mut present, &upper, stack, lower)?;
            }
            (_, Lower::Unknown) if present.node.copied_up || is_root => {
                present.differences = Some(Differences::NONE);
            }
            _ => {}
        }
        present.source = lower.as_ref().map(Source::of);
        present.is_complete = matches!(self.upper.form(), Form::Overlay(_)) && upper.layer == 0;
        let enters = is_directory && !is_skipped;
        present.enters = enters;
        self.record.push(Step::Present(Box::new(present)))?;
        if enters { self.enter(&upper, lower.as_ref()) } else { Ok(()) }
    }

    fn read(&self, upper: &Found, lower: Option<&Found>) -> Result<Node, Error> {
        let lower_links = lower.map(|lower| lower.inode.links);
        Node::read(self.upper, upper, &self.path, self.options, lower_links)
    }

    /// Whether something is mounted on either, and is to be left alone.
    fn passes_over_mount(&mut self, upper: &Found, lower: Option<&Found>) -> bool {
        let is_mount_point =
            upper.inode.is_mount_point || lower.is_some_and(|lower| lower.inode.is_mount_point);
        let pass_over = is_mount_point && self.options.mounts == Mounts::PassOver;
        if pass_over {
            self.pass_over(upper, Reason::MountPoint);
        }
        pass_over
    }

    fn pass_over(&mut self, upper: &Found, reason: Reason) {
        let path = self.upper.label(upper.layer, &self.path);
        self.record.pass_over(PassedOver { path, reason });
    }

    /// Finds how `present`, which is `upper`, differs from `lower`; where only their
    /// content can tell, that is compared meanwhile.
    fn compare(
        &mut self,
        present: &mut Present,
        upper: &Found,
        stack: &Stack,
        lower: &Found,
    ) -> Result<(), Error> {
        if lower.inode.kind == FileType::Socket {
            present.differences = Some(Differences::TYPE);
            return Ok(());
        }
        let lower_node = Node::read(stack, lower, &self.path, self.options, None)?;
        let differences = present.node.differences(&lower_node);
        present.differences = Some(differences);
        let may_hide_more = present.node.is_file() && upper.inode.len_bytes > 0;
        let policy = self.options.content;
        if differences.is_empty()
            && may_hide_more
            && times::must_read(policy, &upper.inode, &lower.inode)
        {
            let pair = Pair(self.content(self.upper, upper), self.content(stack, lower));
            present.content = Some(self.record.compare(pair));
        }
        Ok(())
    }

    fn content(&self, stack: &Stack, found: &Found) -> FileContent {
        let label = stack.label(found.layer, &self.path);
        let (place, expected) = match &found.data {
            Some(place) => (place.clone(), None),
            None => (found.place.clone(), Some(found.inode)),
        };
        FileContent::new(place, label, expected, found.inode.len_bytes)
    }

    /// Begins the walk through a directory.
    fn enter(&mut self, upper: &Found, lower: Option<&Found>) -> Result<(), Error> {
        if upper.opaque && matches!(self.lower, Lower::Unknown) {
            self.record.push(Step::Opaque)?;
        }
        let lower = match (self.lower, lower) {
            (Lower::Known(stack), Some(lower)) if lower.inode.kind == FileType::Directory => {
                Some((stack, stack.open(lower, &self.path)?))
            }
            _ => None,
        };
        let upper = self.upper.open(upper, &self.path)?;
        let path_len = self.path.len();
        let children = self.children(&upper, lower.as_ref())?;
        self.path.truncate(path_len);
        // The children hold their directories open, and no longer than needed.
        let children = children.into_iter();
        self.frames.push(Frame { path_len, children });
        Ok(())
    }

    /// Looks up all names of a directory. Those that are gone are recorded at once, so
    /// that they come before their siblings.
    fn children(
        &mut self,
        directory: &Directory,
        lower: Option<&(&Stack, Directory)>,
    ) -> Result<Vec<Child>, Error> {
        let path_len = self.path.len();
        let upper_names = self.upper.names(directory, &self.path)?;
        let lower_names = match lower {
            Some((stack, directory)) => stack.names(directory, &self.path)?,
            None => Vec::new(),
        };
        // From this part on, both trees have the same directories.
        let shared = match (self.same, lower) {
            (Same::Skipped, Some((_, lower))) => directory.above(lower),
            _ => None,
        };
        let mut children = Vec::with_capacity(upper_names.len());
        for (name, upper_part, lower_part) in merge(upper_names, lower_names) {
            if upper_part.zip(shared).is_some_and(|(part, shared)| part >= shared) {
                self.record.skipped = true;
                continue;
            }
            self.set_path(path_len, &name);
            if self.options.exclude.iter().any(|pattern| pattern.matches(&self.path)) {
                continue;
            }
            let in_upper = match upper_part {
                Some(part) => self.upper.lookup(directory, &name, part, &self.path)?,
                None => Lookup::Absent,
            };
            let in_lower = match (lower, lower_part) {
                (Some((stack, directory)), Some(part)) => {
                    stack.lookup(directory, &name, part, &self.path)?.found()
                }
                _ => None,
            };
            let source = in_lower.as_ref().map(Source::of);
            let is_gone = match (in_upper, in_lower) {
                (Lookup::Found(upper), lower) if upper.inode.kind == FileType::Socket => {
                    if self.options.sockets == Sockets::Refuse {
                        let path = self.upper.label(upper.layer, &self.path);
                        return Err(Error::Socket { path });
                    }
                    self.pass_over(&upper, Reason::Socket);
                    lower.is_some_and(|lower| lower.inode.kind != FileType::Socket)
                }
                (Lookup::Found(upper), lower) => {
                    self.check_name(&name)?;
                    children.push(Child { name, lower, upper });
                    continue;
                }
                (Lookup::Absent, lower) => lower.is_some(),
                // Nothing that a layer could hold was hidden by a whiteout for `.wh.x`;
                // fuse-overlayfs leaves such.
                (Lookup::Whiteout, None) => {
                    matches!(self.lower, Lower::Unknown) && !name.starts_with(whiteout::PREFIX)
                }
                (Lookup::Whiteout, Some(_)) => true,
            };
            if is_gone {
                self.check_name(&name)?;
                self.record.push(Step::Deleted(name, source))?;
            }
        }
        Ok(children)
    }

    fn check_name(&self, name: &[u8]) -> Result<(), Error> {
        if name.starts_with(whiteout::PREFIX) {
            return Err(Error::ReservedName { path: self.upper.label(0, &self.path) });
        }
        Ok(())
    }
}

/// All names of both, sorted, each with its part in either.
fn merge(
    upper: Vec<Name>,
    lower: Vec<Name>,
) -> impl Iterator<Item = (Vec<u8>, Option<usize>, Option<usize>)> {
    let mut upper = upper.into_iter().peekable();
    let mut lower = lower.into_iter().peekable();
    std::iter::from_fn(move || {
        let order = match (upper.peek(), lower.peek()) {
            (Some(one), Some(other)) => one.name.cmp(&other.name),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return None,
        };
        let one = if order.is_le() { upper.next() } else { None };
        let other = if order.is_ge() { lower.next() } else { None };
        let parts = (one.as_ref().map(|one| one.part), other.as_ref().map(|other| other.part));
        let name = one.or(other)?.name;
        Some((name, parts.0, parts.1))
    })
}
