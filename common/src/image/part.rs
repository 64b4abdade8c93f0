//! The entries of an index that are taken when the index is copied or joined with others.

use std::collections::HashSet;

use super::Found;
use crate::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::{ATTESTED, Descriptor};

/// The part of an index that is taken.
#[derive(Debug)]
pub enum Part {
    /// Every entry.
    All,
    /// The entries that the source has: a store may have pulled only some.
    There,
    /// Those of these images that the source has. Nested indexes are taken, and their images
    /// are chosen in them.
    Images(HashSet<Digest>),
}

impl Part {
    /// Returns the entries `all` of an index from the source of `found`, each with true if it
    /// is taken. An attestation is taken with its image.
    #[must_use]
    pub fn of<'i>(&self, all: &'i [Descriptor], found: &Found) -> Vec<(&'i Descriptor, bool)> {
        let is_anywhere = all.iter().any(|entry| found.has(entry));
        // If the source has none, all are taken, and the copy reports the missing blobs.
        let is_there = |entry: &Descriptor| !is_anywhere || found.has(entry);
        let is_image = |entry: &Descriptor| match self {
            Self::All => true,
            Self::There => is_there(entry),
            Self::Images(wanted) => {
                is_there(entry) && (wanted.contains(&entry.digest) || entry.kind() == Kind::Index)
            }
        };
        let listed: HashSet<String> = all.iter().map(|entry| entry.digest.to_string()).collect();
        let images = all.iter().filter(|entry| is_image(entry));
        let images: HashSet<String> = images.map(|entry| entry.digest.to_string()).collect();
        let is_taken = |entry: &Descriptor| match (entry.annotations.get(ATTESTED), self) {
            (None, _) | (_, Self::All) => is_image(entry),
            (Some(of), Self::There) => {
                // An attestation of an image that is not in the index is kept.
                is_there(entry) && (images.contains(of) || !listed.contains(of))
            }
            (Some(of), Self::Images(_)) => is_there(entry) && images.contains(of),
        };
        all.iter().map(|entry| (entry, is_taken(entry))).collect()
    }
}
