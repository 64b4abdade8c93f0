//! What is remembered of the layer while it is applied: per directory, and which
//! names it has made.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::root::DirId;
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
