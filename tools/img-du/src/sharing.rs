//! Layers that several images share.

use std::collections::{HashMap, HashSet};

use common::digest::Digest;

use crate::report::Report;

/// The layers that an image shares with the others, in bytes as they are stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// Its config, manifest and layers.
    pub(crate) stored_bytes: u64,
    /// The bytes that other images have, too.
    pub(crate) shared_bytes: u64,
    /// The bytes that no image before it has.
    pub(crate) added_bytes: u64,
}

impl Sharing {
    /// Returns the bytes that no other image has.
    pub(crate) fn own_bytes(&self) -> u64 {
        self.stored_bytes.saturating_sub(self.shared_bytes)
    }
}

/// The sharing of each image; the same image twice is one.
pub(crate) fn of(reports: &[Report]) -> Vec<Sharing> {
    let mut users: HashMap<&Digest, HashSet<&Digest>> = HashMap::new();
    for report in reports {
        for (digest, _) in blobs(report) {
            users.entry(digest).or_default().insert(report.image.id());
        }
    }
    let mut before: HashSet<&Digest> = HashSet::new();
    let sharing = |report| {
        let mut sharing = Sharing::default();
        for (digest, len_bytes) in blobs(report) {
            sharing.stored_bytes = sharing.stored_bytes.saturating_add(len_bytes);
            if users.get(digest).is_some_and(|users| users.len() > 1) {
                sharing.shared_bytes = sharing.shared_bytes.saturating_add(len_bytes);
            }
            if before.insert(digest) {
                sharing.added_bytes = sharing.added_bytes.saturating_add(len_bytes);
            }
        }
        sharing
    };
    reports.iter().map(sharing).collect()
}

/// The blobs of an image, each once, with their lengths.
fn blobs(report: &Report) -> impl Iterator<Item = (&Digest, u64)> {
    let image = &report.image;
    let manifest = (&image.descriptor.digest, image.descriptor.len_bytes);
    let others = image.blobs().map(|blob| (&blob.digest, blob.len_bytes));
    let mut seen = HashSet::new();
    std::iter::once(manifest).chain(others).filter(move |(digest, _)| seen.insert(*digest))
}
