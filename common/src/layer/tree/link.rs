//! Hard links: to what the layer has made, to what it is yet to make, or to what
//! there was before it, which shows only at its end.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::walk::Find;
use super::{Inode, Layer, NodeId, Own};
use crate::layer::apply::Problem;
use crate::layer::place::{LinkTarget, link_target};
use crate::root;
use crate::tar::{Entry, Kind};

/// A name in a directory.
type Name = (NodeId, Vec<u8>);

/// The links whose targets were not there when they came, of which the last for a
/// name counts.
#[derive(Debug)]
pub(super) struct Links<C> {
    waiting: HashMap<NodeId, Waiting<C>>,
    /// How many links had to wait so far.
    arrived: usize,
}

impl<C> Default for Links<C> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), arrived: 0 }
    }
}

#[derive(Debug)]
struct Waiting<C> {
    /// Its place among the links that had to wait: the order in which they are tried,
    /// here as in directories, so that the same one of several bad links is reported.
    order: usize,
    /// The directory and the name that it will have.
    own: Name,
    /// Its path, as stored.
    path: Vec<u8>,
    target: Vec<u8>,
    inode: Inode<C>,
}

/// Whose files a link may name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Targets {
    /// Those of this layer.
    Own,
    /// All.
    All,
}

/// The end of a link.
enum Target {
    /// What is known.
    Known(NodeId),
    /// The file of the tree below at this path.
    Lower(Vec<u8>),
    /// Nothing, as long as there is nothing of this name.
    Missing(Name),
}

impl<C: Clone> Layer<'_, C> {
    pub(super) fn put_link(
        &mut self,
        at: NodeId,
        name: &[u8],
        entry: &Entry,
        target: &[u8],
        content: C,
    ) -> Result<(), Problem> {
        let found = self.target(target, Targets::Own)?;
        let id = self.tree.child(at, name);
        let inode = Inode::of(entry, content);
        if let Target::Known(known) = found {
            // It would go with what is in the way of the link.
            if self.is_below(known, id) {
                return Err(Problem::LinkTargetMissing(target.to_vec()));
            }
            self.make_link(id, known, inode);
            return Ok(());
        }
        self.tree.put(id, Own::Waiting);
        let (own, target) = ((at, name.to_vec()), target.to_vec());
        let path = entry.path.clone();
        self.links.arrived += 1;
        let order = self.links.arrived;
        self.links.waiting.insert(id, Waiting { order, own, path, target, inode });
        Ok(())
    }

    /// Makes the links that waited: each is tried again only once what it lacked is
    /// there, so that a long chain of them, in whatever order, is no work.
    pub(super) fn make_waiting_links(&mut self) -> Result<(), (Vec<u8>, Problem)> {
        let mut ready: Vec<_> = std::mem::take(&mut self.links.waiting).into_iter().collect();
        ready.sort_unstable_by_key(|(_, link)| Reverse(link.order));
        let mut lacking: HashMap<Name, Vec<(NodeId, Waiting<C>)>> = HashMap::new();
        while let Some((id, link)) = ready.pop() {
            let node = self.tree.node(id);
            if node.gone || node.own != Own::Waiting {
                // A later entry took its place.
                continue;
            }
            match self.target(&link.target, Targets::All) {
                Err(problem) => return Err((link.path, problem)),
                Ok(Target::Missing(lacks)) => {
                    lacking.entry(lacks).or_default().push((id, link));
                    continue;
                }
                Ok(Target::Known(known)) => self.make_link(id, known, link.inode),
                Ok(Target::Lower(path)) => self.make_lower(id, path, link.inode),
            }
            ready.extend(lacking.remove(&link.own).unwrap_or_default());
        }
        match lacking.into_values().flatten().min_by_key(|(_, link)| link.order) {
            None => Ok(()),
            Some((_, link)) => Err((link.path, Problem::LinkTargetMissing(link.target))),
        }
    }

    fn make_link(&mut self, id: NodeId, known: NodeId, inode: Inode<C>) {
        if id == known {
            return;
        }
        match self.tree.node(known).own {
            Own::Inode(shared) => self.tree.put(id, Own::Inode(shared)),
            Own::Lower(lower) => {
                if let Kind::HardLink { target } = &self.tree.inode(lower).kind {
                    let path = target.clone();
                    self.make_lower(id, path, inode);
                }
            }
            _ => {}
        }
    }

    /// Another name of the file of the tree below at `path`.
    fn make_lower(&mut self, id: NodeId, path: Vec<u8>, inode: Inode<C>) {
        let kind = Kind::HardLink { target: path };
        let inode = self.tree.add_layers_inode(Inode { kind, ..inode });
        self.tree.put(id, Own::Lower(inode));
    }

    /// What the target of a link is.
    fn target(&mut self, target: &[u8], targets: Targets) -> Result<Target, Problem> {
        let (at, mut path, name) = match link_target(target)? {
            LinkTarget::Path(parents, name) => match self.tree.find_directory(&parents)? {
                Find::Found(at, path) => (at, path, name),
                Find::Missing(at, name) => return Ok(Target::Missing((at, name))),
            },
            LinkTarget::Store(name) => (self.link_store(), Vec::new(), name),
        };
        let missing = Ok(Target::Missing((at, name.to_vec())));
        let Some(known) = self.tree.known(at, name) else {
            if targets == Targets::Own || self.tree.is_hidden(at) {
                return missing;
            }
            root::push(&mut path, name);
            return Ok(Target::Lower(path));
        };
        if targets == Targets::Own && !self.is_touched(known) {
            return missing;
        }
        match self.tree.node(known).own {
            Own::Deleted | Own::Waiting => missing,
            Own::Inode(_) | Own::Lower(_) => Ok(Target::Known(known)),
            Own::Unknown if self.tree.is_untouched(known) => {
                root::push(&mut path, name);
                Ok(Target::Lower(path))
            }
            Own::Unknown | Own::Made | Own::Directory(_) => {
                Err(Problem::LinkToDirectory(target.to_vec()))
            }
        }
    }

    /// Whether `id` is below `ancestor`.
    fn is_below(&self, mut id: NodeId, ancestor: NodeId) -> bool {
        while id != NodeId::ROOT {
            id = self.tree.node(id).parent;
            if id == ancestor {
                return true;
            }
        }
        false
    }
}
