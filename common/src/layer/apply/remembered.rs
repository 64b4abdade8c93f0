//! The state of a layer while it is applied: its directories, the names that it has
//! made, the hard links that wait, and the place of the link store.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::os::fd::AsFd as _;

use crate::root::{self, DirId, Root};
use crate::time::Timestamp;

/// What is remembered of one directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    /// The layer put something here, or below.
    pub(super) touched: bool,
    /// The layer made it, so that nothing in it is of a lower layer.
    pub(super) fresh: bool,
    /// The layer has an entry for it.
    pub(super) described: bool,
    /// It was looked at before its first change: `mtime` and `births` are known.
    pub(super) seen: bool,
    /// What its time shall be in the end.
    pub(super) mtime: Option<Timestamp>,
    /// Permission bits to be set in the end, where they would keep us out now.
    pub(super) mode: Option<u32>,
    /// What a new file here gets by itself.
    pub(super) births: Births,
    /// Lower content is hidden.
    pub(super) opaque: bool,
    /// In overlay form: it is marked as one that holds whiteouts.
    pub(super) holds_whiteouts: bool,
}

/// What new files in a directory get from the system.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Births {
    /// Owner and group, once a file was seen to be born: set-group-id directories,
    /// mount options and id-mapped mounts all have their say.
    pub(super) owner: Option<(u32, u32)>,
    /// A default ACL is inherited and masks the mode.
    pub(super) acl: bool,
}

/// A set of names in directories, kept as 128-bit keyed hashes: a layer may hold
/// millions of long paths, and only membership is ever asked.
#[derive(Debug, Default)]
pub(super) struct Names {
    keys: HashSet<u128>,
    hashers: (RandomState, RandomState),
}

impl Names {
    fn key(&self, at: DirId, name: &[u8]) -> u128 {
        let high = u128::from(self.hashers.0.hash_one((at, name)));
        let low = u128::from(self.hashers.1.hash_one((at, name)));
        high << 64 | low
    }

    pub(super) fn insert(&mut self, at: DirId, name: &[u8]) {
        self.keys.insert(self.key(at, name));
    }

    pub(super) fn remove(&mut self, at: DirId, name: &[u8]) {
        if !self.keys.is_empty() {
            self.keys.remove(&self.key(at, name));
        }
    }

    pub(super) fn contains(&self, at: DirId, name: &[u8]) -> bool {
        !self.keys.is_empty() && self.keys.contains(&self.key(at, name))
    }
}

/// A name in a directory.
pub(super) type NameIn = (DirId, Vec<u8>);

/// The hard links that wait.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By the name they will have, of which the last entry counts.
    pub(super) waiting: HashMap<NameIn, Waiting>,
    /// The number of links that have had to wait so far.
    pub(super) arrived: usize,
}

/// A link whose target was not there when it came.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Its place among the links that had to wait: the order in which they are tried,
    /// here as in memory, so that the same one of several bad links is reported.
    pub(super) order: usize,
    pub(super) path: Vec<u8>,
    pub(super) target: Vec<u8>,
}

/// The directory that stands for the link store.
#[derive(Debug)]
pub(super) struct LinkStore<'a> {
    pub(super) root: &'a Root,
    pub(super) name: Vec<u8>,
    pub(super) id: DirId,
}

impl Drop for LinkStore<'_> {
    /// A layer that was refused leaves no link store either.
    fn drop(&mut self) {
        let _ = root::remove(self.root.as_fd(), &self.name);
    }
}
