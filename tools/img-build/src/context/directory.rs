//! A directory of the host as a tree, what is ignored left out.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;

use common::layer::tree::{InodeId, NodeId};
use common::root::Root;
use common::tar::{Kind, Xattrs};
use common::time::Timestamp;

use nix::unistd::{getegid, geteuid};

use super::stamp::Stamp;
use super::{Hashed, Matched, Patterns};
use crate::error::Error;
use crate::tree::{Attributes, Content, File, HostRoot, Item, Tree};

struct Reader<'a> {
    root: Arc<HostRoot>,
    patterns: &'a Patterns,
    hashed: &'a mut Hashed,
    tree: Tree,
    /// Files of several names, by device and inode.
    inodes: HashMap<(u64, u64), InodeId>,
    stamp: Stamp,
    /// The directory itself shows what the tree does.
    is_exact: bool,
}

/// A directory that was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) tree: Tree,
    /// The directory itself, if mounting it would show the tree as it is: nothing is
    /// ignored, all files are ours, which makes them root's inside, and there is nothing
    /// but files, directories and links.
    pub(super) exact: Option<(Arc<HostRoot>, Stamp)>,
}

/// Reads names and attributes, no contents. Owners are root's: who checked the
/// context out is no part of the image. Extended attributes are left behind too,
/// as they are by every builder that sends its context elsewhere.
pub(super) fn read(dir: &Path, patterns: &Patterns, hashed: &mut Hashed) -> Result<Read, Error> {
    let root = Root::open(dir).map_err(Error::file(dir))?;
    let mut reader = Reader {
        root: Arc::new(HostRoot(root)),
        patterns,
        hashed,
        tree: Tree::new(),
        inodes: HashMap::new(),
        stamp: Stamp::default(),
        is_exact: true,
    };
    let metadata = fs::metadata(dir).map_err(Error::file(dir))?;
    reader.tree.describe(&[], attributes(&metadata));
    reader.see(b"", &metadata);
    reader.fill(NodeId::ROOT, dir, b"", &Matched::default())?;
    let Reader { root, tree, stamp, is_exact, .. } = reader;
    Ok(Read { tree, exact: is_exact.then_some((root, stamp)) })
}

impl Reader<'_> {
    fn fill(&mut self, at: NodeId, dir: &Path, path: &[u8], parent: &Matched) -> Result<(), Error> {
        for entry in fs::read_dir(dir).map_err(Error::file(dir))? {
            let entry = entry.map_err(Error::file(dir))?;
            let name = entry.file_name().into_vec();
            let path = match path {
                b"" => name.clone(),
                _ => [path, &name].join(&b'/'),
            };
            let (excluded, matched) = self.patterns.excludes(&path, parent);
            self.is_exact &= !excluded;
            if excluded && !self.patterns.may_include_again() {
                continue;
            }
            let host = entry.path();
            let metadata = fs::symlink_metadata(&host).map_err(Error::file(&host))?;
            self.see(&path, &metadata);
            if excluded && !metadata.is_dir() {
                continue;
            }
            if metadata.is_dir() {
                let child = self.tree.put_in(at, &name, Item::directory(attributes(&metadata)));
                self.fill(child, &host, &path, &matched)?;
                // It was walked for what may be wanted in it, and nothing was.
                if excluded && self.tree.at(child).children().next().is_none() {
                    self.tree.remove_from(at, &name);
                }
                continue;
            }
            self.put(at, &name, &metadata, &host, &path)?;
        }
        Ok(())
    }

    /// Notes whether the directory can still stand for the tree.
    fn see(&mut self, path: &[u8], metadata: &fs::Metadata) {
        self.stamp.add(path, metadata);
        let kind = metadata.file_type();
        let is_plain = kind.is_file() || kind.is_dir() || kind.is_symlink();
        let is_ours = metadata.uid() == geteuid().as_raw() && metadata.gid() == getegid().as_raw();
        self.is_exact &= is_plain && is_ours;
    }

    /// Puts what is no directory into the tree.
    fn put(
        &mut self,
        at: NodeId,
        name: &[u8],
        metadata: &fs::Metadata,
        host: &Path,
        path: &[u8],
    ) -> Result<(), Error> {
        let kind = metadata.file_type();
        let device = metadata.rdev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let identity =
            (kind.is_file() && metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino()));
        if let Some(inode) = identity.and_then(|identity| self.inodes.get(&identity)) {
            self.tree.put_name_in(at, name, *inode);
            return Ok(());
        }
        let mut file = None;
        let kind = if kind.is_file() {
            let content = Content::Host { root: Arc::clone(&self.root), path: path.to_vec() };
            let digest = self.hashed.digest(path, metadata);
            file = Some(File { len_bytes: metadata.len(), content, digest });
            Kind::File
        } else if kind.is_symlink() {
            let target = fs::read_link(host).map_err(Error::file(host))?;
            Kind::Symlink { target: target.as_os_str().as_bytes().to_vec() }
        } else if kind.is_fifo() {
            Kind::Fifo
        } else if kind.is_char_device() {
            Kind::CharDevice { major, minor }
        } else if kind.is_block_device() {
            Kind::BlockDevice { major, minor }
        } else {
            // A socket means nothing without the process behind it.
            return Ok(());
        };
        let item = Item { kind, attributes: attributes(metadata), file };
        let id = self.tree.put_in(at, name, item);
        self.inodes.extend(identity.zip(self.tree.at(id).inode_id()));
        Ok(())
    }
}

fn attributes(metadata: &fs::Metadata) -> Attributes {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
    Attributes {
        mode: metadata.mode() & 0o7777,
        uid: 0,
        gid: 0,
        mtime: Timestamp { seconds: metadata.mtime(), nanoseconds },
        xattrs: Xattrs::new(),
    }
}
