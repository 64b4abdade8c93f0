//! A change, and who is told of it.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};

use super::SinkError;
use super::content::FileContent;
use crate::tar::{Entry, Reader};

/// What happened to a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is not what it was; or it is the parent of a change, or another name of
    /// a changed file, and recorded for that (see [`Change::differences`]).
    Changed,
    /// It is gone, with all below it. The entry is the whiteout.
    Deleted,
    /// All that the lower directories have below it is gone. The entry is the
    /// opaque whiteout. Only for an upper directory without its lower ones:
    /// otherwise each deletion is told.
    Opaque,
}

/// One change, in layer order: a directory before what it holds, whiteouts
/// before their siblings, siblings by the bytes of their names.
#[derive(Debug)]
pub struct Change<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// What it happened to, relative to the root; empty for the root itself.
    pub path: &'a [u8],
    /// What a layer records of it. Its path is `./` for the root and names the
    /// whiteout where something was deleted.
    pub entry: &'a Entry,
    /// What of a changed name is not as it was.
    pub differences: Differences,
    /// Its content: `entry.len_bytes` bytes, opened when first read.
    pub content: Content<'a>,
}

/// The content of a changed file; empty for anything else.
pub struct Content<'a>(pub(super) Bytes<'a>);

/// Where content comes from.
pub(super) enum Bytes<'a> {
    Nowhere,
    /// A file of a tree.
    File(&'a mut FileContent),
    /// The last member that was read of a layer.
    Member(&'a mut Reader<BufReader<File>>),
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

impl<'a> Content<'a> {
    pub(super) fn of(file: Option<&'a mut FileContent>) -> Self {
        Self(file.map_or(Bytes::Nowhere, Bytes::File))
    }

    pub(super) fn member(layer: Option<&'a mut Reader<BufReader<File>>>) -> Self {
        Self(layer.map_or(Bytes::Nowhere, Bytes::Member))
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Bytes::File(content) => content.read(buffer),
            Bytes::Member(layer) => layer.content().read(buffer),
            Bytes::Nowhere => Ok(0),
        }
    }
}

/// Is told of each change.
pub trait Sink {
    /// Whether it will read the content of every file, so that this may be read before
    /// the sink is told of the file.
    fn reads_content(&self) -> bool {
        false
    }

    /// Takes the next change.
    ///
    /// # Errors
    /// Whatever keeps the sink from taking it; the comparison ends there.
    fn change(&mut self, change: Change<'_>) -> Result<(), SinkError>;
}

/// A set of differences between two entries of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Differences(u16);

impl Differences {
    /// None.
    pub const NONE: Self = Self(0);
    /// One is a directory, the other a file, and so on.
    pub const TYPE: Self = Self(1);
    /// Permission bits.
    pub const MODE: Self = Self(1 << 1);
    /// User or group.
    pub const OWNER: Self = Self(1 << 2);
    /// Time of last modification.
    pub const MTIME: Self = Self(1 << 3);
    /// Extended attributes.
    pub const XATTRS: Self = Self(1 << 4);
    /// Length, and so content.
    pub const SIZE: Self = Self(1 << 5);
    /// Content of the same length. Looked at only where nothing else differs.
    pub const CONTENT: Self = Self(1 << 6);
    /// Target of a symbolic link.
    pub const TARGET: Self = Self(1 << 7);
    /// Device numbers.
    pub const DEVICE: Self = Self(1 << 8);
    /// Which other names it shares its inode with.
    pub const LINKS: Self = Self(1 << 9);

    const NAMES: [(Self, &'static str); 10] = [
        (Self::TYPE, "type"),
        (Self::MODE, "mode"),
        (Self::OWNER, "owner"),
        (Self::MTIME, "mtime"),
        (Self::XATTRS, "xattrs"),
        (Self::SIZE, "size"),
        (Self::CONTENT, "content"),
        (Self::TARGET, "target"),
        (Self::DEVICE, "device"),
        (Self::LINKS, "links"),
    ];

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among them.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds `other` if `differs`.
    pub(super) fn add(&mut self, other: Self, differs: bool) {
        if differs {
            self.0 |= other.0;
        }
    }

    /// Their names, as listings show them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(one, _)| self.contains(*one)).map(|(_, name)| name)
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many names are new.
    pub added: u64,
    /// How many names are recorded anew.
    pub changed: u64,
    /// How many names are gone, opaque directories included.
    pub deleted: u64,
    /// What was left out, in the order it was met.
    pub passed_over: Vec<PassedOver>,
}

impl Summary {
    /// Whether there is no change at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.changed == 0 && self.deleted == 0
    }

    /// Counts a name.
    pub(super) fn count(&mut self, kind: ChangeKind) {
        match kind {
            ChangeKind::Added => self.added += 1,
            ChangeKind::Changed => self.changed += 1,
            ChangeKind::Deleted | ChangeKind::Opaque => self.deleted += 1,
        }
    }
}

/// A name that is left out of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The name, beginning with the tree it is in.
    pub path: Vec<u8>,
    /// Why.
    pub reason: Reason,
}

/// Why a name is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No layer can hold a socket.
    Socket,
    /// What is mounted there is not the tree's own.
    MountPoint,
    /// An upper directory's own mode, owner and attributes may be nobody's intention.
    OverlayRoot,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Socket => "socket left out",
            Self::MountPoint => "mount point left out",
            Self::OverlayRoot => "the root's own mode, owner or attributes left out",
        })
    }
}
