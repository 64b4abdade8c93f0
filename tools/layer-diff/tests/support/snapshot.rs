//! A tree read with the standard library: what two trees must agree in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Everything but inode numbers and the times that nothing can set.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    kind: char,
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    device: u64,
    content: Vec<u8>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first of its names in the tree.
    first_name: PathBuf,
}

impl Seen {
    /// Makes a symbolic link of a file with such a beginning.
    pub(crate) fn become_link(&mut self, beginning: &[u8]) {
        if let Some(target) = self.content.strip_prefix(beginning) {
            (self.kind, self.content) = ('l', target.to_vec());
        }
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{:04o} {:?} {:?} {:x} {:?} {:?} ={:?}",
            self.kind,
            self.mode,
            self.owner,
            self.mtime,
            self.device,
            String::from_utf8_lossy(&self.content[..self.content.len().min(20)]),
            self.xattrs,
            self.first_name
        )
    }
}

/// What differs between two trees, a line for each name.
pub(crate) fn compare(
    one: &BTreeMap<PathBuf, Seen>,
    other: &BTreeMap<PathBuf, Seen>,
) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
    names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| format!("{name:?}: {:?}, not {:?}", one.get(name), other.get(name)))
        .collect()
}

/// Reads a tree.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    visit(root, Path::new(""), &mut all, &mut first_names);
    all
}

fn visit(
    root: &Path,
    path: &Path,
    all: &mut BTreeMap<PathBuf, Seen>,
    first_names: &mut BTreeMap<(u64, u64), PathBuf>,
) {
    let full = root.join(path);
    let metadata = fs::symlink_metadata(&full).unwrap();
    let file_type = metadata.file_type();
    let (kind, content) = if file_type.is_dir() {
        ('d', Vec::new())
    } else if file_type.is_file() {
        ('f', fs::read(&full).unwrap())
    } else if file_type.is_symlink() {
        ('l', fs::read_link(&full).unwrap().into_os_string().into_vec())
    } else if file_type.is_fifo() {
        ('p', Vec::new())
    } else if file_type.is_char_device() {
        ('c', Vec::new())
    } else if file_type.is_block_device() {
        ('b', Vec::new())
    } else {
        ('s', Vec::new())
    };
    let id = (metadata.dev(), metadata.ino());
    let first_name = if kind == 'd' {
        path.into()
    } else {
        first_names.entry(id).or_insert_with(|| path.into()).clone()
    };
    let seen = Seen {
        kind,
        mode: metadata.mode() & 0o7777,
        owner: (metadata.uid(), metadata.gid()),
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
        device: if matches!(kind, 'c' | 'b') { metadata.rdev() } else { 0 },
        content,
        xattrs: xattrs(&full),
        first_name,
    };
    all.insert(path.into(), seen);
    if kind == 'd' {
        let mut names: Vec<_> =
            fs::read_dir(&full).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
        for name in names {
            visit(root, &path.join(name), all, first_names);
        }
    }
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut buffer = vec![0; 65_536];
    let len = rustix::fs::llistxattr(path, &mut buffer[..]).unwrap();
    buffer[..len]
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty() && !name.starts_with(b"security.selinux"))
        .map(|name| {
            let mut value = vec![0; 65_536];
            let len = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(len);
            (name.to_vec(), value)
        })
        .collect()
}
