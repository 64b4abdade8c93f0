//! What a walk comes to: the plan and the groups of hard links, made from its steps
//! in layer order.
//!
//! Whether a file of equal metadata is to be told is known only once it has been
//! read. The walk does not wait for that: its steps queue up behind the first that is
//! not decided, as many as it takes to keep all processors busy.

use std::collections::VecDeque;

use super::compare::{Comparer, Pair, Pending};
use super::links::{Link, Links, Source};
use super::node::Node;
use super::plan::{ItemId, Plan, State};
use super::{Differences, Error, PassedOver};
use crate::descriptors;

/// How many steps may wait.
const STEPS_AHEAD: usize = 4096;

/// In how many directories, at most: a pair that waits keeps two open.
const DIRECTORIES_AHEAD: usize = 128;

/// A step of the walk.
#[derive(Debug)]
pub(super) enum Step {
    /// A name that the upper tree has.
    Present(Box<Present>),
    /// A name that only the lower tree has, and its inode there.
    Deleted(Vec<u8>, Option<Source>),
    /// The directory hides all that lower ones have in it.
    Opaque,
    /// The end of the directory that was entered last.
    Leave,
}

/// A name that the upper tree has.
#[derive(Debug)]
pub(super) struct Present {
    name: Vec<u8>,
    pub(super) node: Node,
    /// What changed; `None` for a new name.
    pub(super) differences: Option<Differences>,
    /// What will say whether its content did too.
    pub(super) content: Option<Pending>,
    /// The inode of this name in the lower tree.
    pub(super) source: Option<Source>,
    /// Whether its inode can only have names that the walk visits.
    pub(super) is_complete: bool,
    /// Whether the next steps, up to [`Step::Leave`], are in it.
    pub(super) enters: bool,
}

impl Present {
    /// A new name that is not entered.
    pub(super) fn new(name: Vec<u8>, node: Node) -> Self {
        let (differences, content, source) = (None, None, None);
        Self { name, node, differences, content, source, is_complete: false, enters: false }
    }
}

/// A plan in the making.
pub(super) struct Record {
    comparer: Comparer,
    waiting: VecDeque<Step>,
    /// How many of those enter a directory, and how many may.
    directories: usize,
    most_directories: usize,
    /// Whether the upper tree holds changes to one that is not at hand.
    is_unknown: bool,
    plan: Plan,
    links: Links,
    /// The directories that the next step is in, the root first.
    inside: Vec<ItemId>,
    /// Whether anything was skipped as the same in both trees.
    pub(super) skipped: bool,
}

/// What a walk found.
pub(super) struct Recorded {
    pub(super) plan: Plan,
    pub(super) links: Links,
    /// Whether anything was skipped as the same in both trees.
    pub(super) skipped: bool,
}

impl Record {
    pub(super) fn new(is_unknown: bool) -> Self {
        Self {
            comparer: Comparer::new(),
            waiting: VecDeque::new(),
            directories: 0,
            most_directories: descriptors::share(6, DIRECTORIES_AHEAD),
            is_unknown,
            plan: Plan::default(),
            links: Links::default(),
            inside: Vec::new(),
            skipped: false,
        }
    }

    /// Has two files compared, for [`Present::content`].
    pub(super) fn compare(&mut self, pair: Pair) -> Pending {
        self.comparer.submit(Box::new(pair))
    }

    /// Notes what is left out of the plan.
    pub(super) fn pass_over(&mut self, one: PassedOver) {
        self.plan.passed_over.push(one);
    }

    /// Takes the next step.
    pub(super) fn push(&mut self, step: Step) -> Result<(), Error> {
        self.directories += usize::from(enters(&step));
        self.waiting.push_back(step);
        // Never by what happens to have been read by now: of several errors the same
        // one is told every time.
        while self.waiting.front().is_some_and(is_decided)
            || self.waiting.len() > STEPS_AHEAD
            || self.directories > self.most_directories
        {
            self.settle()?;
        }
        Ok(())
    }

    /// The plan, all steps taken.
    pub(super) fn finish(mut self) -> Result<Recorded, Error> {
        while !self.waiting.is_empty() {
            self.settle()?;
        }
        Ok(Recorded { plan: self.plan, links: self.links, skipped: self.skipped })
    }

    /// Takes the first step that waits into the plan.
    fn settle(&mut self) -> Result<(), Error> {
        let Some(step) = self.waiting.pop_front() else { return Ok(()) };
        self.directories -= usize::from(enters(&step));
        let parent = self.inside.last().copied().unwrap_or(Plan::ROOT);
        match step {
            Step::Present(present) => self.present(parent, *present)?,
            Step::Deleted(name, source) => {
                self.plan.push(parent, name, State::Deleted);
                source.into_iter().for_each(|source| self.links.lose(source));
            }
            Step::Opaque => {
                self.plan.push(parent, Vec::new(), State::Opaque);
            }
            Step::Leave => {
                if let Some(item) = self.inside.pop() {
                    self.plan.drop_if_last(item);
                }
            }
        }
        Ok(())
    }

    fn present(&mut self, parent: ItemId, present: Present) -> Result<(), Error> {
        let Present { name, node, differences, content, source, is_complete, enters } = present;
        let is_root = self.inside.is_empty();
        let mut changed = differences.unwrap_or_default();
        if let Some(pending) = content {
            changed.add(Differences::CONTENT, !self.comparer.wait(pending)?);
        }
        let is_new = differences.is_none();
        // All that an upper directory holds by itself is a change; but for a
        // directory that may only be the way to one.
        let is_unchanged = !is_new && changed.is_empty() && !self.is_unknown;
        let (is_directory, inode) = (node.is_directory(), node.inode);
        if let Some(source) = source.filter(|source| source.id != inode.id) {
            self.links.lose(source);
        }
        let links_before = source.map_or(1, |source| source.links);
        let merged_links = node.merged_links.filter(|_| is_complete);
        let links = merged_links.map_or(inode.links, |merged| merged.max(inode.links));
        let may_be_link = !is_directory && (links > 1 || is_unchanged && links_before > 1);
        if is_unchanged && !is_directory && !may_be_link {
            return Ok(());
        }
        let state = State::Present { node, is_new, differences: changed };
        let item = self.plan.push(parent, name, state);
        if self.is_unknown && !is_root {
            self.plan.mark(item);
        }
        if may_be_link {
            let upper = Source { id: inode.id, links: inode.links };
            let unchanged_from = source.filter(|_| is_unchanged);
            self.links.push(Link { item, upper, is_complete, merged_links, unchanged_from });
        }
        if enters {
            self.inside.push(item);
        }
        Ok(())
    }
}

fn enters(step: &Step) -> bool {
    matches!(step, Step::Present(present) if present.enters)
}

/// Whether no content has to be read for it.
fn is_decided(step: &Step) -> bool {
    !matches!(step, Step::Present(present) if present.content.is_some())
}
