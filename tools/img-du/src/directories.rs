//! Sizes by directory of the final tree.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;

use common::inside::{self, Inside};
use common::tar::Kind;

use crate::cli::Sort;

/// A directory, with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    /// The root's is empty.
    pub(crate) path: Vec<u8>,
    /// Files, those of several names counted once.
    pub(crate) files: u64,
    pub(crate) len_bytes: u64,
}

/// The directories down to `depth`, the root first.
pub(crate) fn of(inside: &Inside, depth: usize, sort: Sort) -> Vec<Directory> {
    let mut sums: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    let mut seen = HashSet::new();
    let walked: Result<(), Infallible> = inside::walk(&inside.tree, |path, node| {
        if node.is_directory() {
            let level = if path.is_empty() { 0 } else { 1 + count_slashes(path) };
            if level <= depth {
                sums.entry(path.to_vec()).or_default();
            }
            return Ok(());
        }
        let Some((id, inode)) = node.inode_id().zip(node.inode()) else { return Ok(()) };
        if inode.kind != Kind::File || inode.names() > 1 && !seen.insert(id) {
            return Ok(());
        }
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in std::iter::once(0).chain(ends).take(depth.saturating_add(1)) {
            let above = path.get(..end).unwrap_or_default();
            if let Some((files, len_bytes)) = sums.get_mut(above) {
                *files += 1;
                *len_bytes = len_bytes.saturating_add(inode.len_bytes);
            }
        }
        Ok(())
    });
    match walked {
        Ok(()) => {}
        Err(never) => match never {},
    }
    let directory = |(path, (files, len_bytes))| Directory { path, files, len_bytes };
    let mut list: Vec<Directory> = sums.into_iter().map(directory).collect();
    // Names are in order already, and the root is always first.
    let key = |it: &Directory| match sort {
        Sort::Size => u64::MAX - it.len_bytes,
        Sort::Files => u64::MAX - it.files,
        Sort::Name => 0,
    };
    list.sort_by_key(|it| (!it.path.is_empty(), key(it)));
    list
}

fn count_slashes(path: &[u8]) -> usize {
    path.iter().filter(|&&byte| byte == b'/').count()
}
