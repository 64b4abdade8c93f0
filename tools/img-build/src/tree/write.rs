//! The changes to a tree as a changeset: in layer order, parents first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use common::digest::Digest;
use common::layer::whiteout::PREFIX;
use common::root::split;
use common::tar::{self, Entry};
use common::time::Timestamp;

use common::layer::tree::InodeId;

use super::{Attributes, File, Names, Node, Tree, file_of, join};
use crate::error::Error;

/// One entry of the layer to be.
#[derive(Debug)]
pub(crate) struct Planned<'t> {
    pub(crate) entry: Entry,
    pub(crate) content: Option<&'t File>,
    /// It changed, and is not there as a parent only.
    pub(crate) is_change: bool,
}

/// The entries for the changed names: each with its parents, as `layer-diff`
/// orders them. Names of one file are hard links to the first. Times later than
/// `latest` are brought down to it.
///
/// # Errors
/// A name that stands for something else in a layer.
pub(crate) fn planned<'t>(
    tree: &'t Tree,
    changed: &BTreeSet<Names>,
    latest: Option<Timestamp>,
) -> Result<Vec<Planned<'t>>, Error> {
    let mut all: BTreeMap<Names, bool> = BTreeMap::new();
    for names in changed {
        // Where one parent is there already, so are those above it.
        for len in (1..names.len()).rev() {
            let parent = names.get(..len).unwrap_or_default();
            if all.contains_key(parent) {
                break;
            }
            all.insert(parent.to_vec(), false);
        }
        if !names.is_empty() {
            all.insert(names.clone(), true);
        }
    }
    let mut first_names: BTreeMap<InodeId, Vec<u8>> = BTreeMap::new();
    let mut planned = Vec::new();
    for (names, is_change) in all {
        let Some(node) = tree.get(&names) else { continue };
        let path = join(&names);
        split(&path).map_err(|source| Error::InvalidPath { path: path.clone(), source })?;
        if names.last().is_some_and(|name| name.starts_with(PREFIX)) {
            return Err(Error::ReservedName(path));
        }
        let (kind, content) = kind(node, &path, &mut first_names);
        let Attributes { mode, uid, gid, mtime, xattrs } = Attributes::of(node);
        let mtime = latest.map_or(mtime, |latest| mtime.min(latest));
        let len_bytes = content.map_or(0, |file| file.len_bytes);
        let entry = Entry { path, kind, mode, uid, gid, mtime, len_bytes, xattrs };
        planned.push(Planned { entry, content, is_change });
    }
    Ok(planned)
}

fn kind<'t>(
    node: Node<'t>,
    path: &[u8],
    first_names: &mut BTreeMap<InodeId, Vec<u8>>,
) -> (tar::Kind, Option<&'t File>) {
    let shared = node.inode().filter(|inode| inode.names() > 1).and(node.inode_id());
    if let Some(inode) = shared {
        if let Some(target) = first_names.get(&inode) {
            return (tar::Kind::HardLink { target: target.clone() }, None);
        }
        first_names.insert(inode, path.to_vec());
    }
    (node.kind().clone(), file_of(node))
}

/// Writes the entries as a layer.
pub(crate) fn write_layer(planned: &[Planned<'_>], out: impl Write) -> Result<(), Error> {
    let mut writer = tar::Writer::new(out);
    for Planned { entry, content, .. } in planned {
        match content {
            None => writer.append(entry, io::empty())?,
            Some(file) => {
                let failed = |source| Error::Read { path: entry.path.clone(), source };
                writer.append(entry, file.read().map_err(failed)?)?;
            }
        }
    }
    writer.finish()?;
    Ok(())
}

impl Planned<'_> {
    /// Everything about the entry that makes the layer another one. The time of what
    /// was copied is left out: a checkout or a `touch` is no change.
    ///
    /// # Errors
    /// A content that cannot be read.
    fn fingerprint(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        let entry = &self.entry;
        let digest = match self.content {
            Some(file) => {
                let failed = |source| Error::Read { path: entry.path.clone(), source };
                Some(file.digest().map_err(failed)?)
            }
            None => None,
        };
        let mode = format!("{:o} {}:{}", entry.mode, entry.uid, entry.gid);
        let time = (!self.is_change).then(|| entry.mtime.to_string());
        let xattrs: Vec<_> =
            entry.xattrs.iter().map(|(name, value)| (text(name), Digest::of(value))).collect();
        let facts = (text(&entry.path), kind_text(&entry.kind), mode, digest, time, xattrs);
        serde_json::to_writer(out, &facts).map_err(|error| Error::Other(error.to_string()))
    }
}

/// The fingerprints of entries as JSON, with commas between them.
///
/// # Errors
/// A content that cannot be read.
pub(crate) fn fingerprints(planned: &[Planned<'_>]) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    for entry in planned {
        if !all.is_empty() {
            all.push(b',');
        }
        entry.fingerprint(&mut all)?;
    }
    Ok(all)
}

/// Bytes as JSON can hold them, different ones differently.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\\') => text.into(),
        _ => bytes.escape_ascii().to_string().into(),
    }
}

fn kind_text(kind: &tar::Kind) -> Cow<'static, str> {
    match kind {
        tar::Kind::File => "file".into(),
        tar::Kind::Directory => "directory".into(),
        tar::Kind::Symlink { target } => format!("symlink {}", text(target)).into(),
        tar::Kind::HardLink { target } => format!("link {}", text(target)).into(),
        tar::Kind::CharDevice { major, minor } => format!("char {major}:{minor}").into(),
        tar::Kind::BlockDevice { major, minor } => format!("block {major}:{minor}").into(),
        tar::Kind::Fifo => "fifo".into(),
    }
}
