//! Several layers as one (law 3): applied to any tree, it does what they do one
//! after the other.
//!
//! All members are read first, without their content, into the model of the stack
//! ([`crate::layer::tree`]); what is left is then written in layer order, and content and
//! extended attributes of what is left are read where they are. Memory grows with the
//! number of names, never with either.
//!
//! A tree may have symbolic links where layers walk as if they were directories, and
//! then one layer cannot always say what several do: that a name is written through
//! a link which is then replaced, or under a second name of the same directory. The
//! law holds on trees without links in such places; the links of the layers
//! themselves are known, and no matter.
//!
//! Where a directory of a lower layer was deleted and made anew, the merged layer
//! has an opaque whiteout: the directory keeps its name, and nothing below shows.

mod error;
mod source;

use std::collections::HashMap;
use std::io::{Read, Write};

pub use error::Error;
pub use source::Source;

use crate::layer::place;
use crate::layer::tree::{Below, Inode, InodeId, NodeId, Own};
use crate::layer::{tree, whiteout};
use crate::root;
use crate::tar::{Entry, Kind, Writer, Xattrs};

type Tree = tree::Tree<Member>;

/// Where the content of a file is, and the extended attributes of whatever has any:
/// both may be long, and stay where they are.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// Which of the layers, counted from 0.
    layer: u32,
    has_xattrs: bool,
    /// Of the member's headers.
    position: u64,
}

/// What a merged layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// How many members were written.
    pub entries: u64,
}

/// Writes one layer that does what `layers` do, base first, and leaves the archive
/// to be finished by the caller.
///
/// # Errors
/// A layer that cannot be read or is not valid, a hard link that one layer cannot
/// say, a stream that fails.
pub fn merge<W: Write>(layers: &[Source], writer: &mut Writer<W>) -> Result<Summary, Error> {
    write(layers, Below::Unknown, writer)
}

/// As [`merge`], for layers that have nothing below them: what they hide is not there,
/// and so there are no whiteouts.
///
/// # Errors
/// As [`merge`].
pub fn flatten<W: Write>(layers: &[Source], writer: &mut Writer<W>) -> Result<Summary, Error> {
    write(layers, Below::Nothing, writer)
}

fn write<W: Write>(
    layers: &[Source],
    below: Below,
    writer: &mut Writer<W>,
) -> Result<Summary, Error> {
    let mut tree = Tree::new(below);
    for (number, layer) in (0..).zip(layers) {
        let bad = |source| Error::Archive { layer: layer.label().to_owned(), source };
        let refused =
            |path, problem| Error::Member { layer: layer.label().to_owned(), path, problem };
        let mut growth = layer.growth();
        let mut reader = layer.members()?;
        let mut applied = tree.begin();
        while let Some(entry) = reader.next_entry().map_err(bad)? {
            let too_large = |source| Error::TooLarge { layer: layer.label().to_owned(), source };
            growth.add(entry.len_bytes).map_err(too_large)?;
            let has_xattrs = !entry.xattrs.is_empty();
            let member = Member { layer: number, has_xattrs, position: reader.position() };
            applied.apply(&entry, member).map_err(|problem| refused(entry.path, problem))?;
        }
        reader.finish().map_err(bad)?;
        applied.end().map_err(|(path, problem)| refused(path, problem))?;
    }
    let first_names = HashMap::new();
    let summary = Summary::default();
    let mut output = Output { tree: &tree, layers, writer, first_names, path: Vec::new(), summary };
    output.write()?;
    Ok(output.summary)
}

struct Output<'a, W> {
    tree: &'a Tree,
    layers: &'a [Source],
    writer: &'a mut Writer<W>,
    /// The name that an inode of several names was written under.
    first_names: HashMap<InodeId, Vec<u8>>,
    path: Vec<u8>,
    summary: Summary,
}

/// A node to be written.
struct Step<'a> {
    node: NodeId,
    name: &'a [u8],
    parent_len: usize,
    /// Whether nothing of the tree shows where it is.
    hidden: bool,
}

impl<W: Write> Output<'_, W> {
    /// Writes all nodes: the directory, its whiteouts, then what it holds.
    fn write(&mut self) -> Result<(), Error> {
        let tree = self.tree;
        // Of a whole image the root hides nothing: there is nothing below it.
        let hidden = tree.below() == Below::Nothing;
        let mut steps = vec![Step { node: NodeId::ROOT, name: b"", parent_len: 0, hidden }];
        while let Some(step) = steps.pop() {
            let node = tree.node(step.node);
            self.path.truncate(step.parent_len);
            root::push(&mut self.path, step.name);
            self.write_own(node.own)?;
            let path_len = self.path.len();
            if node.hides && !step.hidden && node.own.is_directory() {
                self.whiteout(path_len, whiteout::OPAQUE)?;
            }
            let hidden = step.hidden || node.hides;
            for (name, &child) in &node.children {
                if matches!(tree.node(child).own, Own::Deleted) && !hidden {
                    self.whiteout(path_len, &[whiteout::PREFIX, name].concat())?;
                }
            }
            steps.extend(node.children.iter().rev().map(|(name, &child)| Step {
                node: child,
                name,
                parent_len: path_len,
                hidden,
            }));
        }
        Ok(())
    }

    fn write_own(&mut self, own: Own) -> Result<(), Error> {
        match own {
            // None is left waiting at the end of a layer.
            Own::Unknown | Own::Deleted | Own::Waiting => Ok(()),
            Own::Made => self.append(place::undescribed(), std::io::empty()),
            Own::Directory(id) => self.append_described(self.tree.inode(id)),
            Own::Lower(id) => {
                let inode = self.tree.inode(id);
                if let Kind::HardLink { target } = &inode.kind {
                    if !self.tree.leaves_alone(target) {
                        let target = target.clone();
                        return Err(Error::LostLink { path: self.path.clone(), target });
                    }
                }
                self.append(entry(inode, inode.kind.clone()), std::io::empty())
            }
            Own::Inode(id) => self.write_inode(id),
        }
    }

    fn write_inode(&mut self, id: InodeId) -> Result<(), Error> {
        let inode = self.tree.inode(id);
        if inode.names() > 1 {
            if let Some(first) = self.first_names.get(&id) {
                let kind = Kind::HardLink { target: first.clone() };
                return self.append(entry(inode, kind), std::io::empty());
            }
            self.first_names.insert(id, self.path.clone());
        }
        self.append_described(inode)
    }

    /// Writes a member as it was, but for its name: what was not kept is read again.
    fn append_described(&mut self, inode: &Inode<Member>) -> Result<(), Error> {
        let Member { layer, has_xattrs, position } = inode.content;
        let entry = Entry { len_bytes: inode.len_bytes, ..entry(inode, inode.kind.clone()) };
        if entry.len_bytes == 0 && !has_xattrs {
            return self.append(entry, std::io::empty());
        }
        let index = usize::try_from(layer).unwrap_or(usize::MAX);
        let Some(layer) = self.layers.get(index) else { return Ok(()) };
        let (mut reader, read) = layer.member(position, entry.len_bytes)?;
        let xattrs = read.map(|entry| entry.xattrs).unwrap_or_default();
        self.append(Entry { xattrs, ..entry }, reader.content())
    }

    fn append(&mut self, entry: Entry, content: impl Read) -> Result<(), Error> {
        let path = match self.path.as_slice() {
            b"" => b"./".to_vec(),
            path => path.to_vec(),
        };
        self.summary.entries += 1;
        self.writer.append(&Entry { path, ..entry }, content).map_err(Error::Write)
    }

    /// Writes a whiteout with the same fixed header as `layer-diff`.
    fn whiteout(&mut self, parent_len: usize, name: &[u8]) -> Result<(), Error> {
        self.path.truncate(parent_len);
        root::push(&mut self.path, name);
        let entry = Entry { kind: Kind::File, mode: 0, ..place::undescribed() };
        let written = self.append(entry, std::io::empty());
        self.path.truncate(parent_len);
        written
    }
}

/// The member of this kind for an inode, without path, content and extended attributes.
fn entry(inode: &Inode<Member>, kind: Kind) -> Entry {
    let Inode { mode, uid, gid, mtime, .. } = *inode;
    Entry { path: Vec::new(), kind, mode, uid, gid, mtime, len_bytes: 0, xattrs: Xattrs::new() }
}
