//! Tells the sink what the plan holds, and opens the files that it reads.

use super::content::FileContent;
use super::node::{self, Node};
use super::plan::{Item, ItemId, Plan, State};
use super::stack::{Directory, Stack};
use super::{Change, ChangeKind, Content, Differences, Error, Options, Sink, Summary};
use crate::layer::whiteout;
use crate::root;

/// Tells `sink` of everything in `plan`. The summary is without what was passed over.
pub(super) fn emit(
    plan: &Plan,
    upper: &Stack,
    options: &Options,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let mut emitter = Emitter { plan, upper, options, path: Vec::new(), levels: Vec::new() };
    let mut summary = Summary::default();
    for (id, item) in plan.items().iter().enumerate() {
        emitter.move_to(id, item);
        if item.told {
            emitter.tell(item, sink)?;
            match item.kind() {
                ChangeKind::Added => summary.added += 1,
                ChangeKind::Changed => summary.changed += 1,
                ChangeKind::Deleted | ChangeKind::Opaque => summary.deleted += 1,
            }
        }
    }
    Ok(summary)
}

struct Emitter<'a> {
    plan: &'a Plan,
    upper: &'a Stack,
    options: &'a Options,
    /// Of the item that is told.
    path: Vec<u8>,
    /// The directories above it, the root first.
    levels: Vec<Level>,
}

/// A directory on the way to an item; opened when a file in it is.
struct Level {
    id: ItemId,
    path_len: usize,
    directory: Option<Directory>,
}

impl Emitter<'_> {
    /// Makes the path and the directories those of `item`.
    fn move_to(&mut self, id: ItemId, item: &Item) {
        if id == Plan::ROOT {
            self.levels.push(Level { id, path_len: 0, directory: None });
            return;
        }
        while self.levels.len() > 1 && self.levels.last().is_some_and(|l| l.id != item.parent) {
            self.levels.pop();
        }
        self.path.truncate(self.levels.last().map_or(0, |level| level.path_len));
        root::push(&mut self.path, &item.name);
        if item.node().is_some_and(Node::is_directory) {
            let path_len = self.path.len();
            self.levels.push(Level { id, path_len, directory: None });
        }
    }

    fn tell(&mut self, item: &Item, sink: &mut dyn Sink) -> Result<(), Error> {
        let (entry, differences) = match &item.state {
            State::Deleted => (node::whiteout_entry(self.beside(item, &item.name)), None),
            State::Opaque => (node::whiteout_entry(self.below(whiteout::OPAQUE)), None),
            State::Present { node, differences, .. } => {
                let link = item.link.map(|id| self.plan.path(id));
                let path = match self.path.as_slice() {
                    b"" => b"./".to_vec(),
                    path => path.to_vec(),
                };
                let clamp = self.options.clamp_mtime;
                (node.entry(path, clamp, link.as_deref()), Some(*differences))
            }
        };
        let mut content = match item.node() {
            Some(node) if item.link.is_none() && node.is_file() => Some(self.content(item, node)?),
            _ => None,
        };
        let change = Change {
            kind: item.kind(),
            path: &self.path,
            entry: &entry,
            differences: differences.unwrap_or(Differences::NONE),
            content: Content(content.as_mut()),
        };
        sink.change(change).map_err(|error| {
            let failure = content.as_mut().and_then(FileContent::take_failure);
            failure.unwrap_or(Error::Sink(error))
        })
    }

    /// The path of the whiteout for `name`, which is the last of the path.
    fn beside(&self, item: &Item, name: &[u8]) -> Vec<u8> {
        let parent_len = self.path.len() - item.name.len();
        let parent = self.path.get(..parent_len).unwrap_or_default();
        [parent, whiteout::PREFIX, name].concat()
    }

    fn below(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.path.clone();
        root::push(&mut path, name);
        path
    }

    fn content(&mut self, item: &Item, node: &Node) -> Result<FileContent, Error> {
        self.open_levels()?;
        let unstable = || Error::Unstable { path: self.upper.label(0, &self.path) };
        let level = self.levels.last().and_then(|level| level.directory.as_ref());
        let directory = level.ok_or_else(unstable)?;
        let (place, is_elsewhere) =
            self.upper.content(directory, &item.name, &self.path)?.ok_or_else(unstable)?;
        let expected = if is_elsewhere { None } else { Some(node.inode) };
        let label = self.upper.label(0, &self.path);
        Ok(FileContent::new(place, label, expected, node.inode.len_bytes))
    }

    /// Opens the directories down to the last level, as far as they are not.
    fn open_levels(&mut self) -> Result<(), Error> {
        let opened = self.levels.iter().rposition(|level| level.directory.is_some());
        for index in opened.map_or(0, |opened| opened + 1)..self.levels.len() {
            let (above, rest) = self.levels.split_at_mut(index);
            let Some(level) = rest.first_mut() else { continue };
            let path = self.path.get(..level.path_len).unwrap_or_default();
            let unstable = || Error::Unstable { path: self.upper.label(0, path) };
            let item = self.plan.items().get(level.id).ok_or_else(unstable)?;
            let found = match above.last() {
                None => self.upper.root()?,
                Some(parent) => {
                    let parent = parent.directory.as_ref().ok_or_else(unstable)?;
                    let found = self.upper.lookup(parent, &item.name, 0, path)?.found();
                    found.ok_or_else(unstable)?
                }
            };
            if item.node().is_none_or(|node| node.inode.id != found.inode.id) {
                return Err(unstable());
            }
            level.directory = Some(self.upper.open(&found, path)?);
        }
        Ok(())
    }
}
