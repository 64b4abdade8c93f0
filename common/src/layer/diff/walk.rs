//! The walk through both trees at once, which makes the plan.

use std::vec;

use rustix::fs::FileType;

use super::change::{PassedOver, Reason};
use super::content::{self, FileContent};
use super::links::{Link, Links};
use super::node::Node;
use super::options::{ContentPolicy, Mounts, Sockets};
use super::plan::{ItemId, Plan, State};
use super::stack::{Directory, Form, Found, Lookup, Name, Stack};
use super::{Differences, Error, Options};
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

/// What a walk found.
pub(super) struct Walked {
    pub(super) plan: Plan,
    pub(super) links: Links,
    /// Whether anything was skipped.
    pub(super) skipped: bool,
}

/// Walks the upper tree and the lower.
pub(super) fn walk(
    lower: &Lower,
    upper: &Stack,
    options: &Options,
    same: Same,
) -> Result<Walked, Error> {
    let (plan, links) = (Plan::default(), Links::default());
    let walked = Walked { plan, links, skipped: false };
    let mut walk =
        Walk { lower, upper, options, same, path: Vec::new(), walked, frames: Vec::new() };
    walk.run()?;
    Ok(walk.walked)
}

struct Walk<'a> {
    lower: &'a Lower,
    upper: &'a Stack,
    options: &'a Options,
    same: Same,
    /// Of the name that is looked at.
    path: Vec<u8>,
    walked: Walked,
    /// The directories that are being walked, the root first. A stack of our own:
    /// the depth of a tree is not ours to choose.
    frames: Vec<Frame>,
}

/// A directory that is being walked.
struct Frame {
    item: ItemId,
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
                    let item = frame.item;
                    self.frames.pop();
                    self.walked.plan.drop_if_last(item);
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

    /// Puts a name that the upper tree has into the plan, and goes into it if it is
    /// a directory.
    fn visit(&mut self, child: Child) -> Result<(), Error> {
        let Child { name, lower, upper } = child;
        let is_directory = upper.inode.kind == FileType::Directory;
        let is_root = self.frames.is_empty();
        if !is_root && self.passes_over_mount(&upper, lower.as_ref()) {
            if lower.is_none() && is_directory {
                let node = self.read(&upper, None)?;
                self.push(
                    name,
                    State::Present { node, is_new: true, differences: Differences::NONE },
                );
            }
            return Ok(());
        }
        if let Some(what) = upper.dangling {
            let path = self.upper.label(upper.layer, &self.path);
            return Err(Error::LowerNeeded { path, what });
        }
        let is_same = lower.as_ref().is_some_and(|lower| upper.is_same(lower));
        if is_same && is_directory && self.same == Same::Skipped {
            self.walked.skipped = true;
            if is_root {
                // The root's item is there in every plan.
                let node = self.read(&upper, None)?;
                let differences = Differences::NONE;
                self.push(name, State::Present { node, is_new: false, differences });
            }
            return Ok(());
        }
        if is_same && !is_directory && upper.inode.links == 1 {
            return Ok(());
        }
        let node = self.read(&upper, lower.as_ref())?;
        let differences = match (&lower, self.lower) {
            (Some(_), _) if is_same => Some(Differences::NONE),
            (Some(lower), Lower::Known(stack)) => {
                Some(self.differences(&node, &upper, stack, lower)?)
            }
            (_, Lower::Unknown) if node.copied_up || is_root => Some(Differences::NONE),
            _ => None,
        };
        // All that an upper directory holds by itself is a change; but for a
        // directory that may only be the way to one.
        let is_unknown = matches!(self.lower, Lower::Unknown);
        let is_unchanged = differences.is_some_and(Differences::is_empty) && !is_unknown;
        let links_before = lower.as_ref().map_or(1, |lower| lower.inode.links);
        let may_be_link =
            !is_directory && (upper.inode.links > 1 || is_unchanged && links_before > 1);
        if is_unchanged && !is_directory && !may_be_link {
            return Ok(());
        }
        let merged_links = node.merged_links.filter(|_| upper.layer == 0);
        let state = State::Present {
            node,
            is_new: differences.is_none(),
            differences: differences.unwrap_or_default(),
        };
        let item = self.push(name, state);
        if is_unknown && !is_root {
            self.walked.plan.mark(item);
        }
        if may_be_link {
            let is_complete = matches!(self.upper.form(), Form::Overlay(_)) && upper.layer == 0;
            let unchanged_from = lower
                .as_ref()
                .filter(|_| is_unchanged)
                .map(|lower| (lower.inode.id, lower.inode.links));
            let upper = (upper.inode.id, upper.inode.links);
            self.walked.links.push(Link { item, upper, is_complete, merged_links, unchanged_from });
        }
        if is_directory { self.enter(item, &upper, lower.as_ref()) } else { Ok(()) }
    }

    fn read(&self, upper: &Found, lower: Option<&Found>) -> Result<Node, Error> {
        let lower_links = lower.map(|lower| lower.inode.links);
        Node::read(self.upper, upper, &self.path, self.options, lower_links)
    }

    fn push(&mut self, name: Vec<u8>, state: State) -> ItemId {
        let parent = self.frames.last().map_or(Plan::ROOT, |frame| frame.item);
        self.walked.plan.push(parent, name, state)
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
        self.walked.plan.passed_over.push(PassedOver { path, reason });
    }

    fn differences(
        &self,
        node: &Node,
        upper: &Found,
        stack: &Stack,
        lower: &Found,
    ) -> Result<Differences, Error> {
        if lower.inode.kind == FileType::Socket {
            return Ok(Differences::TYPE);
        }
        let lower_node = Node::read(stack, lower, &self.path, self.options, None)?;
        let mut differences = node.differences(&lower_node);
        if !differences.is_empty() || !node.is_file() || node.inode.len_bytes == 0 {
            return Ok(differences);
        }
        let is_whole_second = |found: &Found| found.inode.mtime.nanoseconds == 0;
        let must_read = match self.options.content {
            ContentPolicy::Always => true,
            ContentPolicy::Never => false,
            ContentPolicy::Auto => {
                upper.inode.mtime != lower.inode.mtime
                    || is_whole_second(upper)
                    || is_whole_second(lower)
            }
        };
        if must_read {
            let mut one = self.content(self.upper, upper);
            let mut other = self.content(stack, lower);
            differences.add(Differences::CONTENT, !content::are_equal(&mut one, &mut other)?);
        }
        Ok(differences)
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
    fn enter(&mut self, item: ItemId, upper: &Found, lower: Option<&Found>) -> Result<(), Error> {
        if upper.opaque && matches!(self.lower, Lower::Unknown) {
            self.walked.plan.push(item, Vec::new(), State::Opaque);
        }
        let lower = match (self.lower, lower) {
            (Lower::Known(stack), Some(lower)) if lower.inode.kind == FileType::Directory => {
                Some((stack, stack.open(lower, &self.path)?))
            }
            _ => None,
        };
        let upper = self.upper.open(upper, &self.path)?;
        let path_len = self.path.len();
        let children = self.children(item, &upper, lower.as_ref())?;
        self.path.truncate(path_len);
        // The children hold their directories open, and no longer than needed.
        let children = children.into_iter();
        self.frames.push(Frame { item, path_len, children });
        Ok(())
    }

    /// Looks up all names of a directory. Those that are gone are put into the plan
    /// at once, so that they come before their siblings.
    fn children(
        &mut self,
        item: ItemId,
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
                self.walked.skipped = true;
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
                (Lookup::Whiteout, lower) => {
                    lower.is_some() || matches!(self.lower, Lower::Unknown)
                }
            };
            if is_gone {
                self.check_name(&name)?;
                self.walked.plan.push(item, name, State::Deleted);
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
