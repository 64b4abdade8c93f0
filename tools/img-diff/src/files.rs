//! The names that differ, summed by directory.

use std::collections::BTreeMap;

use common::inside::compare::{Change, File};

/// The changes in a directory.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sum {
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) removed: u64,
    /// The growth of its files, in bytes.
    pub(crate) growth: i128,
}

/// The directories down to `depth` in which something happened, the root first; only what
/// is no directory counts.
pub(crate) fn directories(files: &[File], depth: usize) -> BTreeMap<Vec<u8>, Sum> {
    let mut sums: BTreeMap<Vec<u8>, Sum> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_directory()) {
        let slashes = file.path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = std::iter::once(0).chain(slashes.map(|(at, _)| at));
        for end in ends.take(depth.saturating_add(1)) {
            let sum = sums.entry(file.path.get(..end).unwrap_or_default().to_vec()).or_default();
            match file.change {
                Change::Added => sum.added += 1,
                Change::Changed => sum.changed += 1,
                Change::Removed => sum.removed += 1,
            }
            sum.growth += file.growth();
        }
    }
    sums
}
