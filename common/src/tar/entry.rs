//! One archive member, freed from the dialect it was written in.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// Extended attributes: names and values, in the order of their names.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file; its content follows.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// As stored: bytes that are not resolved here.
        target: Vec<u8>,
    },
    /// Another name of an earlier or later member, or of a file below.
    HardLink {
        /// The other name, as stored.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// A member: everything a layer records of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As stored, not normalised and not yet trusted.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, set-id and sticky included: `07777` at most.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Timestamp,
    /// Length of the content in bytes, holes included; 0 but for files (and for
    /// hard links that carry data, which POSIX allows).
    pub len_bytes: u64,
    /// Extended attributes, by their Linux names (`security.capability`).
    pub xattrs: Xattrs,
}
