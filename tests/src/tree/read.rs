//! A tree read back from a file system.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, OsString};
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, lgetxattr, llistxattr, major, minor, open};

use super::model::{Attributes, Kind, Node, Tree, join};

/// The attribute in which an ordinary user's `layer-apply` records the owner and the mode
/// of a file whose set-id bits it drops.
const RECORD: &[u8] = b"user.containers.override_stat";

/// Reads the tree below `root`, in the form of [`Tree::normalised`]. A file has the set-id
/// bits that are recorded of it.
///
/// # Errors
/// Whatever cannot be read.
pub fn read(root: &Path) -> io::Result<Tree> {
    let mut reader = Reader { nodes: BTreeMap::new(), links: HashMap::new() };
    reader.node(&root.join("."), Vec::new())?;
    Ok(Tree { nodes: reader.nodes }.normalised())
}

struct Reader {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// First name by device and inode, of what has several.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl Reader {
    /// Reads what is at `place` under the name `path`.
    fn node(&mut self, place: &Path, path: Vec<u8>) -> io::Result<()> {
        let metadata = fs::symlink_metadata(place)?;
        let mut xattrs = xattrs(place)?;
        let recorded = xattrs.remove(RECORD).map_or(0, |value| mode_of_record(&value));
        let attributes = Attributes {
            mode: metadata.mode() & 0o7777 | recorded & 0o6000,
            uid: metadata.uid(),
            gid: metadata.gid(),
            seconds: metadata.mtime(),
            nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or(0),
            xattrs,
        };
        let key = (metadata.dev(), metadata.ino());
        let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
        let kind = match metadata.mode() & 0o170_000 {
            0o040_000 => Kind::Directory,
            _ if self.links.contains_key(&key) => Kind::Link(self.links[&key].clone()),
            0o100_000 => Kind::File(fs::read(place)?),
            0o120_000 => Kind::Symlink(fs::read_link(place)?.as_os_str().as_bytes().to_vec()),
            0o010_000 => Kind::Fifo,
            0o020_000 => Kind::Character(major, minor),
            0o060_000 => Kind::Block(major, minor),
            other => return Err(io::Error::other(format!("file type {other:o}"))),
        };
        // Whatever the count of links says: fuse-overlayfs counts those it has come across.
        if kind != Kind::Directory {
            self.links.entry(key).or_insert_with(|| path.clone());
        }
        let folder = (kind == Kind::Directory).then(|| path.clone());
        self.nodes.insert(path, Node { kind, attributes });
        folder.map_or(Ok(()), |path| self.children(place, &path))
    }

    fn children(&mut self, place: &Path, path: &[u8]) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = open(place, flags, Mode::empty())?;
        let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        for entry in fs::read_dir(&short)? {
            let name = entry?.file_name();
            self.node(&short.join(&name), join(path, name.as_bytes()))?;
        }
        Ok(())
    }
}

/// The mode in `UID:GID:MODE`.
fn mode_of_record(value: &[u8]) -> u32 {
    let mode = std::str::from_utf8(value).ok().and_then(|text| text.split(':').nth(2));
    mode.and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(0)
}

fn xattrs(place: &Path) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut names = vec![0; 65536];
    let len = match llistxattr(place, names.as_mut_slice()) {
        Ok(len) => len,
        // A file system without any.
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let mut xattrs = BTreeMap::new();
    for name in names[..len].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        let mut value = vec![0; 65536];
        let len = match lgetxattr(place, name, value.as_mut_slice()) {
            Ok(len) => len,
            // `trusted.*` is listed for some who may not read it.
            Err(rustix::io::Errno::NODATA) => continue,
            Err(error) => return Err(error.into()),
        };
        value.truncate(len);
        xattrs.insert(OsString::from_vec(name.to_bytes().to_vec()).into_vec(), value);
    }
    Ok(xattrs)
}
