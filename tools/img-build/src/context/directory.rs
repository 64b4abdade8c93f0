//! A directory of the host as a tree, what is ignored left out.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;

use common::root::Root;
use common::tar::Xattrs;
use common::time::Timestamp;

use super::{Hashed, Matched, Patterns};
use crate::error::Error;
use crate::tree::{Attributes, Content, File, HostRoot, Kind, Node, Tree};

struct Reader<'a> {
    root: Arc<HostRoot>,
    patterns: &'a Patterns,
    hashed: &'a mut Hashed,
    tree: Tree,
    /// Files of several names, by device and inode.
    groups: HashMap<(u64, u64), u64>,
}

/// Reads names and attributes, no contents. Owners are root's: who checked the
/// context out is no part of the image. Extended attributes are left behind too,
/// as they are by every builder that sends its context elsewhere.
pub(super) fn read(dir: &Path, patterns: &Patterns, hashed: &mut Hashed) -> Result<Tree, Error> {
    let root = Root::open(dir).map_err(Error::file(dir))?;
    let mut reader = Reader {
        root: Arc::new(HostRoot(root)),
        patterns,
        hashed,
        tree: Tree::new(),
        groups: HashMap::new(),
    };
    let metadata = fs::metadata(dir).map_err(Error::file(dir))?;
    let mut top = Node::directory(attributes(&metadata));
    reader.fill(&mut top, dir, b"", &Matched::default())?;
    reader.tree.root = top;
    Ok(reader.tree)
}

impl Reader<'_> {
    fn fill(
        &mut self,
        node: &mut Node,
        dir: &Path,
        path: &[u8],
        parent: &Matched,
    ) -> Result<(), Error> {
        let Kind::Directory(children) = &mut node.kind else { return Ok(()) };
        for entry in fs::read_dir(dir).map_err(Error::file(dir))? {
            let entry = entry.map_err(Error::file(dir))?;
            let name = entry.file_name().into_vec();
            let path = match path {
                b"" => name.clone(),
                _ => [path, &name].join(&b'/'),
            };
            let (excluded, matched) = self.patterns.excludes(&path, parent);
            if excluded && !self.patterns.may_include_again() {
                continue;
            }
            let host = entry.path();
            let metadata = fs::symlink_metadata(&host).map_err(Error::file(&host))?;
            if excluded && !metadata.is_dir() {
                continue;
            }
            let Some(mut child) = self.node(&metadata, &host, &path)? else { continue };
            if metadata.is_dir() {
                self.fill(&mut child, &host, &path, &matched)?;
                // It was walked for what may be wanted in it, and nothing was.
                if excluded && child.children().is_some_and(std::collections::BTreeMap::is_empty) {
                    continue;
                }
            }
            children.insert(name, child);
        }
        Ok(())
    }

    fn node(
        &mut self,
        metadata: &fs::Metadata,
        host: &Path,
        path: &[u8],
    ) -> Result<Option<Node>, Error> {
        let kind = metadata.file_type();
        let device = metadata.rdev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let kind = if kind.is_dir() {
            return Ok(Some(Node::directory(attributes(metadata))));
        } else if kind.is_file() {
            let group = (metadata.nlink() > 1).then(|| {
                let key = (metadata.dev(), metadata.ino());
                if let Some(group) = self.groups.get(&key) {
                    return *group;
                }
                let group = self.tree.new_group();
                self.groups.insert(key, group);
                group
            });
            let content = Content::Host { root: Arc::clone(&self.root), path: path.to_vec() };
            let digest = self.hashed.digest(path, metadata);
            Kind::File(File { len_bytes: metadata.len(), content, group, digest })
        } else if kind.is_symlink() {
            let target = fs::read_link(host).map_err(Error::file(host))?;
            Kind::Symlink(target.as_os_str().as_bytes().to_vec())
        } else if kind.is_fifo() {
            Kind::Fifo
        } else if kind.is_char_device() {
            Kind::CharDevice { major, minor }
        } else if kind.is_block_device() {
            Kind::BlockDevice { major, minor }
        } else {
            // A socket means nothing without the process behind it.
            return Ok(None);
        };
        Ok(Some(Node { attributes: attributes(metadata), kind }))
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
