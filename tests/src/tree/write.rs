//! A tree put on a file system.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmod,
    chownat, linkat, lsetxattr, makedev, mknodat, open, utimensat,
};

use super::model::{self, Kind, Node, Tree};

/// Puts `tree` in the directory `root`, which is made if it is not there.
///
/// # Panics
/// If the file system does not take it.
pub fn write(tree: &Tree, root: &Path) {
    let _ = fs::create_dir(root);
    let mut writer = Writer { root, open: Vec::new() };
    for (path, node) in &tree.nodes {
        if !path.is_empty() && !matches!(node.kind, Kind::Link(_)) {
            writer.create(path, node);
        }
    }
    for (path, node) in &tree.nodes {
        if let Kind::Link(first) = &node.kind {
            let (from, to) = (writer.place(first), writer.place(path));
            ok(path, linkat(CWD, &from.path, CWD, &to.path, AtFlags::empty()));
        }
    }
    // Backwards: what a directory holds comes before its own time and mode.
    for (path, node) in tree.nodes.iter().rev() {
        if !matches!(node.kind, Kind::Link(_)) {
            writer.finish(path, node);
        }
    }
}

struct Writer<'a> {
    root: &'a Path,
    /// The directories that lead to the last place.
    open: Vec<(Vec<u8>, File)>,
}

/// A name that stays short however deep it is.
struct Place {
    path: PathBuf,
    _parent: File,
}

fn ok<T, E: std::fmt::Display>(path: &[u8], result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{}: {error}", path.escape_ascii()))
}

impl Writer<'_> {
    /// The place of `path`, whose parent is there.
    fn place(&mut self, path: &[u8]) -> Place {
        let folder = self.folder(model::parent(path));
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let mut place = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
        place.extend(name);
        Place { path: PathBuf::from(std::ffi::OsString::from_vec(place)), _parent: folder }
    }

    fn folder(&mut self, path: &[u8]) -> File {
        while self.open.last().is_some_and(|(open, _)| open != path && !model::is_below(path, open))
        {
            self.open.pop();
        }
        if self.open.last().is_none_or(|(open, _)| open != path) {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = if path.is_empty() {
                ok(path, open(self.root, flags, Mode::empty()))
            } else {
                let place = self.place(path);
                ok(path, open(&place.path, flags, Mode::empty()))
            };
            self.open.push((path.to_vec(), file.into()));
        }
        let (_, file) = self.open.last().expect("just pushed");
        ok(path, file.try_clone())
    }

    fn create(&mut self, path: &[u8], node: &Node) {
        let place = self.place(path);
        let name = place.path.as_path();
        let node_of = |kind, device| mknodat(CWD, name, kind, Mode::from_raw_mode(0o600), device);
        match &node.kind {
            Kind::File(content) => ok(path, write_file(name, content)),
            Kind::Directory => ok(path, fs::create_dir(name)),
            Kind::Symlink(target) => {
                ok(path, std::os::unix::fs::symlink(OsStr::from_bytes(target), name));
            }
            Kind::Fifo => ok(path, node_of(FileType::Fifo, 0)),
            Kind::Character(major, minor) => {
                ok(path, node_of(FileType::CharacterDevice, makedev(*major, *minor)));
            }
            Kind::Block(major, minor) => {
                ok(path, node_of(FileType::BlockDevice, makedev(*major, *minor)));
            }
            Kind::Link(_) => unreachable!("links come later"),
        }
    }

    /// Owner, xattrs, mode and time, in the order in which none undoes another:
    /// chown clears set-id bits and capabilities, a set xattr moves no time.
    fn finish(&mut self, path: &[u8], node: &Node) {
        let place = if path.is_empty() {
            Place { path: self.root.join("."), _parent: self.folder(path) }
        } else {
            self.place(path)
        };
        let (name, attributes) = (place.path.as_path(), &node.attributes);
        let owner = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        ok(path, chownat(CWD, name, Some(owner.0), Some(owner.1), nofollow));
        // The ACL last: it changes the mode, and with it who may set the others.
        for (key, value) in attributes.xattrs.iter().rev() {
            ok(path, lsetxattr(name, OsStr::from_bytes(key), value, XattrFlags::empty()));
        }
        if !matches!(node.kind, Kind::Symlink(_)) {
            ok(path, chmod(name, Mode::from_raw_mode(attributes.mode)));
        }
        let time = Timespec { tv_sec: attributes.seconds, tv_nsec: attributes.nanoseconds.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        ok(path, utimensat(CWD, name, &times, nofollow));
    }
}

/// Whole blocks of zeros become holes, so that sparse files are met too.
fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let file = File::create_new(path)?;
    file.set_len(content.len() as u64)?;
    for (index, block) in content.chunks(4096).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, index as u64 * 4096)?;
        }
    }
    Ok(())
}
