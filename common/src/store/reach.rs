//! What names reach, and what can go.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;

use super::dir::{Dir, Links};
use super::layout::{BLOBS, is_leftover, missing};
use super::write::{Change, is_full};
use super::{Entry, Error, Store};
use crate::digest::{Algorithm, Digest};
use crate::oci::media_type::Kind;
use crate::oci::{Descriptor, Document};

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images that had no name.
    pub images: Vec<Digest>,
    /// Blobs and their lengths in bytes.
    pub blobs: BTreeMap<Digest, u64>,
    /// Leftovers of writers that were killed, on file systems without nameless files.
    pub leftovers: Vec<OsString>,
}

impl Pruned {
    /// How much room that makes.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.blobs.values().sum()
    }
}

/// Whether to remove, or only to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruning {
    /// Remove.
    Remove,
    /// Tell what would be removed.
    Tell,
}

impl Store {
    /// Removes images without a name, and blobs that no image needs. Waits for those
    /// who are adding images, so that nothing of theirs is removed.
    ///
    /// # Errors
    /// A named image whose documents cannot be read: it is not known then what it
    /// needs, and nothing is removed. A store with links for directories.
    pub fn prune(&self, pruning: Pruning) -> Result<Pruned, Error> {
        self.prune_without(&[], pruning)
    }

    /// As [`Store::prune`], as if nothing had these names.
    ///
    /// # Errors
    /// As [`Store::prune`].
    pub fn prune_without(&self, names: &[String], pruning: Pruning) -> Result<Pruned, Error> {
        let names: HashSet<&str> = names.iter().map(String::as_str).collect();
        let stays = |entry: Entry<'_>| entry.name.is_some_and(|name| !names.contains(name));
        self.undisturbed(pruning, || {
            let entries = self.read_entries(Links::Refuse)?;
            let mut reach = Reach { store: self, left: self.blobs()?, read: HashSet::new() };
            let mut pruned = Pruned { leftovers: self.leftovers()?, ..Pruned::default() };
            let mut going = Vec::new();
            for entry in entries.iter() {
                if stays(entry) {
                    // An entry with an unknown digest algorithm has no blob here.
                    if !Digest::is_foreign(entry.digest) {
                        reach.keep(entry.descriptor()?)?;
                    }
                    // Names that are pinned to the index resolve by it.
                    if let Some(Ok(index)) = entry.index.map(str::parse) {
                        reach.left.remove::<Digest>(&index);
                    }
                } else {
                    going.push(entry);
                    if entry.name.is_none() && !Digest::is_foreign(entry.digest) {
                        pruned.images.push(entry.descriptor()?.digest);
                    }
                }
            }
            pruned.blobs.clone_from(&reach.left);
            if pruning == Pruning::Tell {
                return Ok(pruned);
            }
            let forget = || {
                self.update(Change::Remove, |entries| {
                    entries.retain(stays);
                    Ok(())
                })
            };
            // First the index: a crash then leaves blobs too many, never too few.
            match forget() {
                Err(Error::Io { source, .. }) if is_full(&source) => {
                    // No room for a new index: what not even the old one needs goes before it.
                    for image in going.iter().filter_map(|entry| entry.descriptor().ok()) {
                        // Images that cannot be read are about to be forgotten.
                        let _ = reach.keep(image);
                    }
                    self.remove_blobs(reach.left.keys())?;
                    forget()?;
                }
                forgotten => forgotten?,
            }
            self.remove_blobs(pruned.blobs.keys())?;
            for name in &pruned.leftovers {
                self.dir.remove(name).map_err(Error::io(self.path().join(name)))?;
            }
            Ok(pruned)
        })
    }

    fn remove_blobs<'d>(&self, blobs: impl IntoIterator<Item = &'d Digest>) -> Result<(), Error> {
        for digest in blobs {
            let path = |error| Error::io(self.blob_path(digest))(error);
            let blobs = self.blob_dir(digest.algorithm()).map_err(path)?;
            blobs.remove(digest.hex()).map_err(path)?;
        }
        Ok(())
    }

    /// The blobs that are there of an image: its own, and all that it needs.
    ///
    /// # Errors
    /// Documents that cannot be read; a directory that cannot be.
    pub fn reached(&self, image: &Descriptor) -> Result<BTreeSet<Digest>, Error> {
        let all = self.blobs()?;
        let mut reach = Reach { store: self, left: all.clone(), read: HashSet::new() };
        reach.keep(image.clone())?;
        let mut there: BTreeSet<Digest> = all.into_keys().collect();
        there.retain(|digest| !reach.left.contains_key(digest));
        Ok(there)
    }

    /// Reads a manifest or index.
    pub(super) fn parsed(&self, image: &Descriptor) -> Result<Document, Error> {
        let error = |source| Error::Document { name: image.digest.to_string(), source };
        Document::parse(&self.document(image)?, &image.media_type).map_err(error)
    }

    /// What a manifest or index points to. An index may name images that were never
    /// fetched.
    pub(super) fn below(&self, document: Document) -> Vec<Descriptor> {
        match document {
            Document::Manifest(manifest) => {
                let mut below = manifest.layers;
                below.push(manifest.config);
                below
            }
            Document::Index(index) => {
                let mut below = index.manifests;
                below.retain(|image| self.has(&image.digest));
                below
            }
        }
    }

    fn has(&self, digest: &Digest) -> bool {
        let blobs = self.blob_dir(digest.algorithm());
        blobs.is_ok_and(|blobs| blobs.has(digest.hex()).unwrap_or(false))
    }

    /// Every blob that is there, with its length. Files whose names are no digests are
    /// nobody's blobs and are left alone.
    ///
    /// # Errors
    /// A directory that cannot be read, or that is a link.
    pub fn blobs(&self) -> Result<BTreeMap<Digest, u64>, Error> {
        let mut blobs = BTreeMap::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let list = |dir: &Dir| {
                dir.names(|name| {
                    let digest = format!("{}:{}", algorithm.name(), name.to_string_lossy());
                    let len_bytes = dir.len_of(&name, Links::Follow);
                    if let (Ok(digest), Some(len_bytes)) = (digest.parse(), len_bytes) {
                        blobs.insert(digest, len_bytes);
                    }
                })
            };
            match self.blob_dir(algorithm).and_then(list) {
                Err(error) if missing(&error) => {}
                listed => listed.map_err(Error::io(self.path().join(BLOBS)))?,
            }
        }
        Ok(blobs)
    }

    /// Files that a writer would have renamed had it lived.
    fn leftovers(&self) -> Result<Vec<OsString>, Error> {
        let mut leftovers = Vec::new();
        let listed = self.dir.names(|name| {
            if is_leftover(&name) && self.dir.len_of(&name, Links::Refuse).is_some() {
                leftovers.push(name);
            }
        });
        listed.map_err(Error::io(self.path()))?;
        leftovers.sort();
        Ok(leftovers)
    }
}

/// A walk from images to the blobs that they need.
struct Reach<'s> {
    store: &'s Store,
    /// What was not reached yet.
    left: BTreeMap<Digest, u64>,
    /// The documents that were read, or are about to be, so that none is kept in memory
    /// twice.
    read: HashSet<Digest>,
}

impl Reach<'_> {
    /// Reaches an image, and all that it needs.
    fn keep(&mut self, image: Descriptor) -> Result<(), Error> {
        let mut waiting = Vec::new();
        self.reach(image, &mut waiting);
        while let Some(next) = waiting.pop() {
            for blob in self.store.below(self.store.parsed(&next)?) {
                self.reach(blob, &mut waiting);
            }
        }
        Ok(())
    }

    fn reach(&mut self, blob: Descriptor, waiting: &mut Vec<Descriptor>) {
        self.left.remove(&blob.digest);
        let is_document =
            matches!(blob.kind(), Kind::Index | Kind::Manifest) || blob.media_type.is_empty();
        if is_document && self.read.insert(blob.digest.clone()) {
            waiting.push(blob);
        }
    }
}
