//! The walk through both trees at once: what each name is in either, in layer order.
//!
//! What follows from it is `record`'s part.

use std::collections::VecDeque;
use std::sync::Arc;

use rustix::fs::FileType;

use super::change::{PassedOver, Reason};
use super::compare::Pair;
use super::content::FileContent;
use super::links::Source;
use super::node::Node;
use super::options::{Mounts, Sockets};
use super::pool::{Pending, Pool};
use super::record::{Present, Record, Recorded, Step};
use super::scan::{Both, Scan, Scope};
use super::stack::{Form, Found, Lookup, Stack};
use super::{Differences, Error, Options, times};
use crate::descriptors;
use crate::layer::whiteout;
use crate::root;

/// How many directories of one are read ahead, and how many of all that are being
/// walked, at most: each that waits keeps two open, and in it there may be many names.
const SCANS_IN_DIRECTORY: usize = 8;
const SCANS_AHEAD: usize = 64;

/// What the upper tree is compared with.
#[derive(Debug)]
pub(super) enum Lower {
    /// Nothing: all is new.
    Empty,
    /// A tree.
    Known(Arc<Stack>),
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
    upper: &Arc<Stack>,
    options: &Options,
    same: Same,
) -> Result<Recorded, Error> {
    let below = match lower {
        Lower::Known(stack) => Some(Arc::clone(stack)),
        Lower::Empty | Lower::Unknown => None,
    };
    let exclude = options.exclude.clone();
    let scope = Scope { upper: Arc::clone(upper), lower: below, exclude, same };
    let record = Record::new(matches!(lower, Lower::Unknown));
    let mut walk = Walk {
        lower,
        upper,
        options,
        same,
        path: Vec::new(),
        record,
        frames: Vec::new(),
        scope: Arc::new(scope),
        pool: Pool::new(),
        scans: 0,
        most_scans: descriptors::share(8, SCANS_AHEAD),
    };
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
    scope: Arc<Scope>,
    pool: Pool<Box<Scan>>,
    /// How many directories are read ahead, and how many may be.
    scans: usize,
    most_scans: usize,
}

/// A directory that is being walked.
struct Frame {
    path_len: usize,
    /// What is left to visit in it.
    children: VecDeque<Child>,
    /// How many of those have been looked at for what can be read ahead, and how many
    /// have been.
    looked_at: usize,
    scans: usize,
}

/// A name that is in the upper tree.
struct Child {
    name: Vec<u8>,
    lower: Option<Found>,
    upper: Found,
    /// What is in it, if it is a directory that is being read ahead.
    scan: Option<Pending<Box<Scan>>>,
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let upper = self.upper.root()?;
        let lower = match self.lower {
            Lower::Known(stack) => Some(stack.root()?),
            Lower::Empty | Lower::Unknown => None,
        };
        self.visit(Child { name: Vec::new(), lower, upper, scan: None })?;
        loop {
            self.read_ahead();
            let Some(frame) = self.frames.last_mut() else { return Ok(()) };
            let path_len = frame.path_len;
            match frame.children.pop_front() {
                Some(child) => {
                    frame.looked_at = frame.looked_at.saturating_sub(1);
                    if child.scan.is_some() {
                        frame.scans -= 1;
                        self.scans -= 1;
                    }
                    self.set_path(path_len, &child.name);
                    self.visit(child)?;
                }
                None => {
                    self.frames.pop();
                    self.record.push(Step::Leave)?;
                }
            }
        }
    }

    /// Has the next directories read that the walk will come to.
    fn read_ahead(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        while frame.scans < SCANS_IN_DIRECTORY && self.scans < self.most_scans {
            let Some(child) = frame.children.get_mut(frame.looked_at) else { return };
            frame.looked_at += 1;
            let is_same = child.lower.as_ref().is_some_and(|lower| child.upper.is_same(lower));
            let is_left_out = self.options.mounts == Mounts::PassOver
                && is_mount_point(&child.upper, child.lower.as_ref())
                || child.upper.dangling.is_some()
                || is_same && self.same == Same::Skipped;
            if child.upper.inode.kind == FileType::Directory && !is_left_out {
                self.path.truncate(frame.path_len);
                root::push(&mut self.path, &child.name);
                let scan = Scan::new(&self.scope, &self.path, &child.upper, child.lower.as_ref());
                child.scan = Some(self.pool.submit(Box::new(scan)));
                frame.scans += 1;
                self.scans += 1;
            }
        }
    }

    fn set_path(&mut self, parent_len: usize, name: &[u8]) {
        self.path.truncate(parent_len);
        root::push(&mut self.path, name);
    }

    /// Records a name that the upper tree has, and goes into it if it is a directory.
    fn visit(&mut self, child: Child) -> Result<(), Error> {
        let Child { name, lower, upper, scan } = child;
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
        if enters { self.enter(&upper, lower.as_ref(), scan) } else { Ok(()) }
    }

    fn read(&self, upper: &Found, lower: Option<&Found>) -> Result<Node, Error> {
        let lower_links = lower.map(|lower| lower.inode.links);
        Node::read(self.upper, upper, &self.path, self.options, lower_links)
    }

    /// Whether something is mounted on either, and is to be left alone.
    fn passes_over_mount(&mut self, upper: &Found, lower: Option<&Found>) -> bool {
        let is_mount_point = is_mount_point(upper, lower);
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

    /// Begins the walk through a directory. Those of its names that are gone are recorded
    /// at once, so that they come before their siblings.
    fn enter(
        &mut self,
        upper: &Found,
        lower: Option<&Found>,
        scan: Option<Pending<Box<Scan>>>,
    ) -> Result<(), Error> {
        if upper.opaque && matches!(self.lower, Lower::Unknown) {
            self.record.push(Step::Opaque)?;
        }
        let scanned = match scan {
            Some(scan) => self.pool.wait(scan)?,
            None => Scan::new(&self.scope, &self.path, upper, lower).read()?,
        };
        self.record.skipped |= scanned.skipped;
        let path_len = self.path.len();
        // The children hold their directories open, and no longer than needed.
        let mut children = VecDeque::with_capacity(scanned.names.len());
        for both in scanned.names {
            let both = both?;
            self.set_path(path_len, &both.name);
            children.extend(self.child(both)?);
        }
        self.path.truncate(path_len);
        self.frames.push(Frame { path_len, children, looked_at: 0, scans: 0 });
        Ok(())
    }

    /// What is to be visited of a name.
    fn child(&mut self, both: Both) -> Result<Option<Child>, Error> {
        let Both { name, upper, lower } = both;
        let source = lower.as_ref().map(Source::of);
        let is_gone = match (upper, lower) {
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
                return Ok(Some(Child { name, lower, upper, scan: None }));
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
        Ok(None)
    }

    fn check_name(&self, name: &[u8]) -> Result<(), Error> {
        if name.starts_with(whiteout::PREFIX) {
            return Err(Error::ReservedName { path: self.upper.label(0, &self.path) });
        }
        Ok(())
    }
}

fn is_mount_point(upper: &Found, lower: Option<&Found>) -> bool {
    upper.inode.is_mount_point || lower.is_some_and(|lower| lower.inode.is_mount_point)
}
