//! The comparison of two trees in memory ([`crate::layer::tree`]), as if both had been
//! unpacked: the same plan, made of what the layers say, and told in the same way.

use std::fs::File;
use std::io::{self, BufReader};

use super::change::{Change, Content};
use super::contents::has_content;
use super::links::Source;
use super::node::Node;
use super::plan::{Item, Plan};
use super::record::{Present, Record, Step};
use super::route::Route;
use super::{Differences, Error, Options, Sink, Summary, emit, times};
use crate::layer::tree::{Inode, InodeId, NodeRef, Tree};
use crate::root;
use crate::tar::{Kind, Reader, Xattrs};

/// Extended attributes and content, which the trees do not hold.
pub trait Contents<C> {
    /// The extended attributes of an inode of either tree.
    fn xattrs(&self, content: &C) -> Xattrs;

    /// Whether two files of the same length, one of each tree, hold the same bytes.
    ///
    /// # Errors
    /// Attributes or content that cannot be read.
    fn are_same(&mut self, lower: &Inode<C>, upper: &Inode<C>) -> io::Result<bool>;

    /// The layer that holds a file of the upper tree, read up to its content.
    ///
    /// # Errors
    /// Content that cannot be read.
    fn open(&mut self, upper: &Inode<C>) -> io::Result<Reader<BufReader<File>>>;
}

/// Tells `sink` what turns `lower` into `upper`, in layer order; without a lower tree,
/// everything is added.
///
/// # Errors
/// Files that no layer can hold, content that cannot be read; errors of the sink.
pub fn models<C: Clone>(
    lower: Option<&Tree<C>>,
    upper: &Tree<C>,
    options: &Options,
    contents: &mut dyn Contents<C>,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let mut walk = Walk { options, contents, record: Record::new(false), path: Vec::new() };
    walk.run(lower.map(Tree::root), upper.root())?;
    let Walk { record, .. } = walk;
    let recorded = record.finish()?;
    let mut plan = recorded.plan;
    recorded.links.resolve(&mut plan);
    plan.choose_parents(options.parents);
    tell(&plan, upper, options, contents, sink)
}

/// A tree of the two: inodes of both have numbers of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

/// The steps that are left of a walk, the last first.
enum Work<'t, C> {
    Visit {
        parent_len: usize,
        name: &'t [u8],
        lower: Option<NodeRef<'t, C>>,
        upper: NodeRef<'t, C>,
    },
    Leave,
}

struct Walk<'a, C> {
    options: &'a Options,
    contents: &'a mut dyn Contents<C>,
    record: Record,
    path: Vec<u8>,
}

impl<C> Walk<'_, C> {
    fn run<'t>(
        &mut self,
        lower: Option<NodeRef<'t, C>>,
        upper: NodeRef<'t, C>,
    ) -> Result<(), Error> {
        let mut pending = vec![Work::Visit { parent_len: 0, name: b"", lower, upper }];
        while let Some(work) = pending.pop() {
            let Work::Visit { parent_len, name, lower, upper } = work else {
                self.record.push(Step::Leave)?;
                continue;
            };
            self.path.truncate(parent_len);
            root::push(&mut self.path, name);
            self.visit(name, lower, upper)?;
            if !upper.is_directory() {
                continue;
            }
            pending.push(Work::Leave);
            let lower = lower.filter(|lower| lower.is_directory());
            self.gone(lower, upper)?;
            let parent_len = self.path.len();
            let start = pending.len();
            for (name, child) in upper.children().filter(|(name, _)| !self.is_excluded(name)) {
                let lower = lower.and_then(|lower| lower.child(name));
                pending.push(Work::Visit { parent_len, name, lower, upper: child });
            }
            pending.get_mut(start..).unwrap_or_default().reverse();
        }
        Ok(())
    }

    /// Records the names that only the lower directory has, before their siblings.
    fn gone(&mut self, lower: Option<NodeRef<'_, C>>, upper: NodeRef<'_, C>) -> Result<(), Error> {
        for (name, child) in lower.into_iter().flat_map(NodeRef::children) {
            if upper.child(name).is_none() && !self.is_excluded(name) {
                let source = source(Side::Lower, child);
                self.record.push(Step::Deleted(name.to_vec(), Some(source)))?;
            }
        }
        Ok(())
    }

    /// Whether a name in the directory at hand is left out.
    fn is_excluded(&self, name: &[u8]) -> bool {
        if self.options.exclude.is_empty() {
            return false;
        }
        let mut path = self.path.clone();
        root::push(&mut path, name);
        self.options.exclude.iter().any(|pattern| pattern.matches(&path))
    }

    fn visit(
        &mut self,
        name: &[u8],
        lower: Option<NodeRef<'_, C>>,
        upper: NodeRef<'_, C>,
    ) -> Result<(), Error> {
        let node = self.node(Side::Upper, upper)?;
        let mut differences = None;
        if let Some(lower) = lower {
            let before = self.node(Side::Lower, lower)?;
            let mut found = node.differences(&before);
            let is_unsure = found.is_empty()
                && node.is_file()
                && node.inode.len_bytes > 0
                && times::must_read(self.options.content, &node.inode, &before.inode);
            if let (true, Some(one), Some(other)) = (is_unsure, lower.inode(), upper.inode()) {
                let same = self.contents.are_same(one, other);
                let same = same.map_err(|error| Error::read(self.path.clone(), error))?;
                found.add(Differences::CONTENT, !same);
            }
            differences = Some(found);
        }
        let mut present = Present::new(name.to_vec(), node);
        present.differences = differences;
        present.source = lower.map(|lower| source(Side::Lower, lower));
        present.enters = upper.is_directory();
        self.record.push(Step::Present(Box::new(present)))
    }

    fn node(&self, side: Side, node: NodeRef<'_, C>) -> Result<Node, Error> {
        let xattrs = node.inode().map(|inode| self.contents.xattrs(&inode.content));
        let links = source(side, node);
        Node::of_model(node, xattrs.unwrap_or_default(), links, &self.path, self.options)
    }
}

/// The inode that a name leads to, as the comparison knows inodes. A directory that no
/// layer describes has none, and needs none: it has one name.
fn source<C>(side: Side, node: NodeRef<'_, C>) -> Source {
    let device = (0, u32::from(side == Side::Upper));
    let number = node.inode_id().map_or(u64::MAX, |id| id.index() as u64);
    let links = node.inode().filter(|inode| inode.kind != Kind::Directory);
    let links = links.map_or(1, Inode::names);
    Source { id: crate::layer::inode::InodeId { device, number }, links }
}

fn tell<C: Clone>(
    plan: &Plan,
    upper: &Tree<C>,
    options: &Options,
    contents: &mut dyn Contents<C>,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let mut route = Route::default();
    let mut summary = Summary::default();
    for (id, item) in plan.items().iter().enumerate() {
        route.move_to(id, item);
        if !item.told {
            continue;
        }
        summary.count(item.kind());
        let entry = emit::entry(plan, item, route.path(), options);
        let differences = item.differences();
        let inode = inode(item, upper).filter(|inode| has_content(item) && inode.len_bytes > 0);
        let mut layer = match inode {
            Some(inode) => Some(contents.open(inode)?),
            None => None,
        };
        let (kind, path) = (item.kind(), route.path());
        let content = Content::member(layer.as_mut());
        let change = Change { kind, path, entry: &entry, differences, content };
        sink.change(change).map_err(Error::of_sink)?;
    }
    Ok(summary)
}

/// The inode in the upper tree that an item is of.
fn inode<'t, C>(item: &Item, upper: &'t Tree<C>) -> Option<&'t Inode<C>> {
    let number = item.node()?.inode.id.number;
    InodeId::of_index(usize::try_from(number).ok()?).map(|id| upper.inode(id))
}
