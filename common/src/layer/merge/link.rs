//! Hard links: to what the layer has made, to what it is yet to make, or to what
//! there was before it, which shows only at its end.

use std::collections::{BTreeMap, HashMap};

use super::member::{Layer, bare};
use super::tree::{NodeId, Own, Parents, Path, Walk};
use crate::layer::apply::{LinkTarget, Problem, link_target};
use crate::tar::Entry;

/// A name in a directory.
type Name = (NodeId, Vec<u8>);

/// The links whose targets were not there when they came, of which the last for a
/// name counts.
#[derive(Debug, Default)]
pub(super) struct Links {
    waiting: BTreeMap<NodeId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// The directory and the name that it will have.
    own: Name,
    target: Vec<u8>,
    entry: Entry,
}

/// Whose files a link may name now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Targets {
    /// Those of this layer.
    Own,
    /// All.
    All,
}

/// What a link leads to.
enum Target {
    /// What is known.
    Known(NodeId),
    /// A file of the tree.
    Lower(Path),
    /// Nothing, as long as there is nothing of this name.
    Missing(Name),
}

impl Layer<'_> {
    pub(super) fn put_link(
        &mut self,
        at: NodeId,
        name: &[u8],
        entry: &Entry,
        target: &[u8],
    ) -> Result<(), Problem> {
        let found = self.target(target, Targets::Own)?;
        let id = self.tree.child(at, name);
        if let Target::Known(known) = found {
            // It would go with what is in the way of the link.
            if self.tree.is_below(known, id) {
                return Err(Problem::LinkTargetMissing(target.to_vec()));
            }
            self.make_link(id, known, entry);
            return Ok(());
        }
        self.tree.put(id, Own::Waiting);
        let (own, target) = ((at, name.to_vec()), target.to_vec());
        // A hard link has no attributes of its own.
        let entry = Entry { path: entry.path.clone(), ..bare(entry) };
        self.links.waiting.insert(id, Waiting { own, target, entry });
        Ok(())
    }

    /// Ends the layer: links that waited are made, or else there is one that cannot
    /// be, with its path.
    pub(super) fn end(mut self) -> Result<(), (Vec<u8>, Problem)> {
        let mut ready: Vec<_> = std::mem::take(&mut self.links.waiting).into_iter().collect();
        let mut lacking: HashMap<Name, Vec<(NodeId, Waiting)>> = HashMap::new();
        while let Some((id, link)) = ready.pop() {
            let node = self.tree.node(id);
            if node.gone || !matches!(node.own, Own::Waiting) {
                // A later entry took its place.
                continue;
            }
            match self.target(&link.target, Targets::All) {
                Err(problem) => return Err((link.entry.path, problem)),
                Ok(Target::Missing(lacks)) => {
                    lacking.entry(lacks).or_default().push((id, link));
                    continue;
                }
                Ok(Target::Known(known)) => self.make_link(id, known, &link.entry),
                Ok(Target::Lower(path)) => {
                    self.tree.put(id, Own::Lower(Box::new((link.entry, path))));
                }
            }
            ready.extend(lacking.remove(&link.own).unwrap_or_default());
        }
        match lacking.into_values().flatten().min_by_key(|(id, _)| *id) {
            None => Ok(()),
            Some((_, link)) => Err((link.entry.path, Problem::LinkTargetMissing(link.target))),
        }
    }

    fn make_link(&mut self, id: NodeId, known: NodeId, entry: &Entry) {
        if id == known {
            return;
        }
        let own = match &self.tree.node(known).own {
            Own::Inode(inode) => Own::Inode(*inode),
            Own::Lower(lower) => Own::Lower(Box::new((bare(entry), lower.1.clone()))),
            _ => return,
        };
        self.tree.put(id, own);
    }

    /// What the target of a link is.
    fn target(&mut self, target: &[u8], targets: Targets) -> Result<Target, Problem> {
        let (at, mut path, name) = match link_target(target)? {
            LinkTarget::Path(parents, name) => match self.tree.walk(&parents, Parents::Find)? {
                Walk::Found(at, path) => (at, path, name),
                Walk::Missing(at, name) => return Ok(Target::Missing((at, name))),
            },
            LinkTarget::Store(name) => (self.link_store(), Path::new(), name),
        };
        let missing = Ok(Target::Missing((at, name.to_vec())));
        let Some(known) = self.tree.known(at, name) else {
            if targets == Targets::Own || self.tree.is_hidden(at) {
                return missing;
            }
            path.push(name.to_vec());
            return Ok(Target::Lower(path));
        };
        if targets == Targets::Own && !self.is_touched(known) {
            return missing;
        }
        match self.tree.node(known).own {
            Own::Deleted | Own::Waiting => missing,
            Own::Inode(_) | Own::Lower(_) => Ok(Target::Known(known)),
            Own::Unknown if self.tree.is_untouched(known) => {
                path.push(name.to_vec());
                Ok(Target::Lower(path))
            }
            Own::Unknown | Own::Made | Own::Directory(_) => {
                Err(Problem::LinkToDirectory(target.to_vec()))
            }
        }
    }
}
