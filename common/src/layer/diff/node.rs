//! One name of a tree as a layer would record it: the inode's metadata with the
//! caller's options carried out. Two nodes are compared here; content is not.

use rustix::fs::FileType;

use super::links::Source;
use super::options::Precision;
use super::owner::Owner;
use super::stack::{Form, Found, Stack};
use super::{Differences, Error, Options, rootless};
use crate::layer::inode::{self, Inode};
use crate::layer::tree::{self, NodeRef};
use crate::layer::{apply, overlay, place};
use crate::tar::{Entry, Kind, Xattrs};
use crate::time::Timestamp;

/// A name as a layer would record it.
#[derive(Debug)]
pub(super) struct Node {
    /// As the file system has it, to tell later whether it is still the same.
    pub(super) inode: Inode,
    kind: NodeKind,
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: Timestamp,
    xattrs: Xattrs,
    /// Whether overlay noted that it comes from a lower directory.
    pub(super) copied_up: bool,
    /// How many names overlay says it has, those in lower directories included.
    pub(super) merged_links: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NodeKind {
    File,
    Directory,
    Symlink(Vec<u8>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

impl Node {
    /// Reads what was found at `path`; the same name's inode in the lower tree has
    /// `lower_links` names. A socket has no node.
    pub(super) fn read(
        stack: &Stack,
        found: &Found,
        path: &[u8],
        options: &Options,
        lower_links: Option<u32>,
    ) -> Result<Self, Error> {
        let label = || stack.label(found.layer, path);
        let (at, name) = (found.place.directory(), found.place.name());
        let mut xattrs = match &found.xattrs {
            Some(xattrs) => xattrs.clone(),
            None => inode::xattrs(at, name).map_err(|errno| Error::read(label(), errno))?,
        };
        let (copied_up, merged_links) = match stack.form() {
            Form::Plain => {
                if let Some(name) = telling(&xattrs, options) {
                    return Err(Error::OverlayXattr { path: label(), name });
                }
                (false, None)
            }
            Form::Overlay(prefixes) => {
                let copied_up = overlay::was_copied_up(&xattrs, prefixes);
                let links = found.inode.links;
                let merged = overlay::merged_links(&xattrs, prefixes, links, lower_links);
                prefixes.strip(&mut xattrs);
                (copied_up, merged)
            }
        };
        let inode = found.inode;
        let mut own = rootless::Attributes {
            uid: inode.uid,
            gid: inode.gid,
            mode: inode.mode,
            device: None,
            is_inside: false,
        };
        own.fold(&mut xattrs);
        inode.recorded.into_iter().for_each(|record| own.obey(record));
        let (major, minor) = inode.device;
        let kind = match (inode.kind, own.device) {
            (FileType::RegularFile, Some(rootless::Device::Char(major, minor))) => {
                NodeKind::CharDevice(major, minor)
            }
            (FileType::RegularFile, Some(rootless::Device::Block(major, minor))) => {
                NodeKind::BlockDevice(major, minor)
            }
            (FileType::RegularFile, Some(rootless::Device::Fifo)) => NodeKind::Fifo,
            (FileType::RegularFile, None) => NodeKind::File,
            (FileType::Directory, _) => NodeKind::Directory,
            (FileType::Symlink, _) => {
                let target = match &found.target {
                    Some(target) => Ok(target.clone()),
                    None => inode::link_target(at, name),
                };
                NodeKind::Symlink(target.map_err(|errno| Error::read(label(), errno))?)
            }
            (FileType::CharacterDevice, _) => NodeKind::CharDevice(major, minor),
            (FileType::BlockDevice, _) => NodeKind::BlockDevice(major, minor),
            (FileType::Fifo, _) => NodeKind::Fifo,
            (FileType::Socket | FileType::Unknown, _) => {
                return Err(Error::Socket { path: label() });
            }
        };
        let rootless::Attributes { uid, gid, mode, .. } = own;
        let mtime = inode.mtime;
        Self { inode, kind, mode, uid, gid, mtime, xattrs, copied_up, merged_links }.obeying(
            options,
            own.is_inside,
            label,
        )
    }

    /// A name of a tree in memory, as it would be read of the tree unpacked by root.
    pub(super) fn of_model<C>(
        node: NodeRef<'_, C>,
        mut xattrs: Xattrs,
        source: Source,
        path: &[u8],
        options: &Options,
    ) -> Result<Self, Error> {
        let entry = match node.inode() {
            Some(inode) => {
                let tree::Inode { mode, uid, gid, mtime, len_bytes, .. } = *inode;
                let kind = inode.kind.clone();
                Entry { kind, mode, uid, gid, mtime, len_bytes, ..place::undescribed() }
            }
            None => place::undescribed(),
        };
        let (kind, file_type, device) = match entry.kind {
            // No other name of a file shares what is known of this one.
            Kind::File | Kind::HardLink { .. } => (NodeKind::File, FileType::RegularFile, (0, 0)),
            Kind::Directory => (NodeKind::Directory, FileType::Directory, (0, 0)),
            Kind::Symlink { target } => (NodeKind::Symlink(target), FileType::Symlink, (0, 0)),
            Kind::CharDevice { major, minor } => {
                (NodeKind::CharDevice(major, minor), FileType::CharacterDevice, (major, minor))
            }
            Kind::BlockDevice { major, minor } => {
                (NodeKind::BlockDevice(major, minor), FileType::BlockDevice, (major, minor))
            }
            Kind::Fifo => (NodeKind::Fifo, FileType::Fifo, (0, 0)),
        };
        apply::keep_what_is_set(&mut xattrs);
        let inode = Inode {
            kind: file_type,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            device,
            len_bytes: entry.len_bytes,
            mtime: entry.mtime,
            // It would be unpacked now, and later than all that it holds.
            ctime: Timestamp { seconds: i64::MAX, nanoseconds: 0 },
            id: source.id,
            links: source.links,
            is_mount_point: false,
            recorded: None,
        };
        let Entry { mode, uid, gid, mtime, .. } = entry;
        let (copied_up, merged_links) = (false, None);
        Self { inode, kind, mode, uid, gid, mtime, xattrs, copied_up, merged_links }.obeying(
            options,
            false,
            || path.to_vec(),
        )
    }

    /// Carries out the options. `is_inside`: owner and group are already those inside a
    /// user namespace.
    fn obeying(
        mut self,
        options: &Options,
        is_inside: bool,
        path: impl FnOnce() -> Vec<u8>,
    ) -> Result<Self, Error> {
        if self.kind == NodeKind::CharDevice(0, 0) {
            return Err(Error::WhiteoutDevice { path: path() });
        }
        options.xattrs.apply(&mut self.xattrs);
        match &options.owner {
            Owner::Mapped { .. } if is_inside => {}
            owner => (self.uid, self.gid) = owner.of(self.uid, self.gid),
        }
        if let Owner::Mapped { uids, gids } = &options.owner {
            rootless::map_identifiers(&mut self.xattrs, uids, gids);
        }
        // A link's own permission bits mean nothing and cannot be set.
        if matches!(self.kind, NodeKind::Symlink(_)) {
            self.mode = 0o777;
        }
        if options.precision == Precision::Seconds {
            self.mtime = Timestamp::from_seconds(self.mtime.seconds);
        }
        Ok(self)
    }

    /// Whether it is a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.kind == NodeKind::Directory
    }

    /// Whether it has content.
    pub(super) fn is_file(&self) -> bool {
        self.kind == NodeKind::File
    }

    /// What of the metadata is not as in `lower`.
    pub(super) fn differences(&self, lower: &Self) -> Differences {
        use NodeKind::{BlockDevice, CharDevice, Symlink};
        let mut all = Differences::NONE;
        let (same_type, own) = match (&self.kind, &lower.kind) {
            (Symlink(one), Symlink(other)) => (true, (Differences::TARGET, one != other)),
            (CharDevice(..), CharDevice(..)) | (BlockDevice(..), BlockDevice(..)) => {
                (true, (Differences::DEVICE, self.kind != lower.kind))
            }
            (one, other) if one == other => {
                let len_differs = self.is_file() && self.inode.len_bytes != lower.inode.len_bytes;
                (true, (Differences::SIZE, len_differs))
            }
            _ => (false, (Differences::TYPE, true)),
        };
        all.add(own.0, own.1);
        if same_type {
            all.add(Differences::MODE, self.mode != lower.mode);
            all.add(Differences::OWNER, (self.uid, self.gid) != (lower.uid, lower.gid));
            all.add(Differences::MTIME, self.mtime != lower.mtime);
            all.add(Differences::XATTRS, self.xattrs != lower.xattrs);
        }
        all
    }

    /// The entry for it under `path`, no later than `clamp`; `link` makes it another
    /// name of that one.
    pub(super) fn entry(
        &self,
        path: Vec<u8>,
        clamp: Option<Timestamp>,
        link: Option<&[u8]>,
    ) -> Entry {
        let kind = match (link, &self.kind) {
            (Some(target), _) => Kind::HardLink { target: target.to_vec() },
            (None, NodeKind::File) => Kind::File,
            (None, NodeKind::Directory) => Kind::Directory,
            (None, NodeKind::Symlink(target)) => Kind::Symlink { target: target.clone() },
            (None, &NodeKind::CharDevice(major, minor)) => Kind::CharDevice { major, minor },
            (None, &NodeKind::BlockDevice(major, minor)) => Kind::BlockDevice { major, minor },
            (None, NodeKind::Fifo) => Kind::Fifo,
        };
        let len_bytes = if kind == Kind::File { self.inode.len_bytes } else { 0 };
        // What a link shares with its target is recorded there.
        let xattrs = if link.is_some() { Xattrs::new() } else { self.xattrs.clone() };
        let mtime = clamp.map_or(self.mtime, |clamp| self.mtime.min(clamp));
        Entry {
            path,
            kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime,
            len_bytes,
            xattrs,
        }
    }
}

/// The attribute that gives an overlay directory away, unless a rule says what to
/// do with it.
fn telling(xattrs: &Xattrs, options: &Options) -> Option<Vec<u8>> {
    let name = overlay::telling_xattr(xattrs)?;
    if options.xattrs.decided(name).is_some() { None } else { Some(name.to_vec()) }
}

/// The whiteout for `path`, or for all below it.
pub(super) fn whiteout_entry(path: Vec<u8>) -> Entry {
    // Nothing in it depends on who deletes, where or when.
    Entry {
        path,
        kind: Kind::File,
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: 0,
        xattrs: Xattrs::new(),
    }
}
