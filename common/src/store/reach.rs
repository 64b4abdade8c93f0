//! What names reach, and what can go.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Error, Store};
use crate::digest::Digest;
use crate::oci::media_type::Kind;
use crate::oci::{Descriptor, Document, Index};

/// Documents below one name; more is somebody playing.
const MAX_DOCUMENTS: usize = 100_000;

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images that had no name.
    pub images: Vec<Digest>,
    /// Blobs and their lengths in bytes.
    pub blobs: BTreeMap<Digest, u64>,
    /// Leftovers of writers that were killed, on file systems without nameless files.
    pub leftovers: Vec<PathBuf>,
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
    /// needs, and nothing is removed.
    pub fn prune(&self, pruning: Pruning) -> Result<Pruned, Error> {
        self.prune_without(&[], pruning)
    }

    /// As [`Store::prune`], as if nothing had these names.
    ///
    /// # Errors
    /// As [`Store::prune`].
    pub fn prune_without(&self, names: &[String], pruning: Pruning) -> Result<Pruned, Error> {
        let stays = |image: &Descriptor| {
            image.ref_name().is_some_and(|name| !names.iter().any(|other| other == name))
        };
        self.exclusively(|| {
            let mut pruned = Pruned::default();
            let mut named = self.index()?;
            named.manifests.retain(|image| {
                let keep = stays(image);
                if !keep && image.ref_name().is_none() {
                    pruned.images.push(image.digest.clone());
                }
                keep
            });
            let reached = self.reached(&named)?;
            for (digest, len_bytes) in self.blobs()? {
                if !reached.contains(&digest) {
                    pruned.blobs.insert(digest, len_bytes);
                }
            }
            pruned.leftovers = self.leftovers()?;
            if pruning == Pruning::Remove {
                self.sweep(&pruned, stays)?;
            }
            Ok(pruned)
        })
    }

    fn sweep(&self, pruned: &Pruned, stays: impl Fn(&Descriptor) -> bool) -> Result<(), Error> {
        let forget = || {
            self.update(|index| {
                index.manifests.retain(&stays);
                Ok::<(), Error>(())
            })
        };
        // First the index: a crash then leaves blobs too many, never too few.
        match forget() {
            Err(Error::Io { source, .. }) if is_full(&source) => {
                // No room for a new index: what not even the old one needs goes before it.
                self.remove_blobs(self.strays(pruned)?)?;
                forget()?;
            }
            forgotten => forgotten?,
        }
        self.remove_blobs(pruned.blobs.keys())?;
        pruned.leftovers.iter().try_for_each(|path| remove(path))
    }

    /// Those of the blobs that nothing in the index leads to.
    fn strays<'p>(&self, pruned: &'p Pruned) -> Result<Vec<&'p Digest>, Error> {
        let mut reached = HashSet::new();
        for image in self.index()?.manifests {
            // An image that cannot be read is to be forgotten: a named one would have
            // stopped this earlier.
            reached.extend(self.reached(&Index::new(vec![image])).unwrap_or_default());
        }
        Ok(pruned.blobs.keys().filter(|digest| !reached.contains(digest)).collect())
    }

    fn remove_blobs<'d>(&self, blobs: impl IntoIterator<Item = &'d Digest>) -> Result<(), Error> {
        blobs.into_iter().try_for_each(|digest| remove(&self.blob_path(digest)))
    }

    /// Every blob that the images of `index` need, themselves included.
    fn reached(&self, index: &Index) -> Result<HashSet<Digest>, Error> {
        let mut reached = HashSet::new();
        let mut documents = 0;
        let mut waiting: Vec<Descriptor> = index.manifests.clone();
        while let Some(next) = waiting.pop() {
            if !reached.insert(next.digest.clone()) {
                continue;
            }
            if !matches!(next.kind(), Kind::Index | Kind::Manifest) && !next.media_type.is_empty() {
                continue;
            }
            documents += 1;
            if documents > MAX_DOCUMENTS {
                let source = crate::oci::Error::TooLong { what: "tree of documents" };
                return Err(Error::Document { name: next.digest.to_string(), source });
            }
            waiting.extend(self.below(&next)?);
        }
        Ok(reached)
    }

    /// What a manifest or index points to. An index may name images that were never
    /// fetched.
    pub(super) fn below(&self, image: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        let error = |source| Error::Document { name: image.digest.to_string(), source };
        match Document::parse(&self.document(image)?, &image.media_type).map_err(error)? {
            Document::Manifest(manifest) => {
                let mut below = manifest.layers;
                below.push(manifest.config);
                Ok(below)
            }
            Document::Index(index) => {
                let there = |image: &Descriptor| {
                    fs::symlink_metadata(self.blob_path(&image.digest)).is_ok()
                };
                Ok(index.manifests.into_iter().filter(there).collect())
            }
        }
    }

    /// Every blob that is there, with its length. Files whose names are no digests are
    /// nobody's blobs and are left alone.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn blobs(&self) -> Result<BTreeMap<Digest, u64>, Error> {
        let mut blobs = BTreeMap::new();
        for algorithm in ["sha256", "sha512"] {
            let folder = self.path().join("blobs").join(algorithm);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(Error::io(&folder))?,
            };
            for entry in entries {
                let entry = entry.map_err(Error::io(&folder))?;
                let name = entry.file_name();
                let digest = format!("{algorithm}:{}", name.to_string_lossy()).parse::<Digest>();
                if let (Ok(digest), Ok(metadata)) = (digest, entry.metadata()) {
                    blobs.insert(digest, metadata.len());
                }
            }
        }
        Ok(blobs)
    }

    /// Files that a writer would have renamed had it lived.
    fn leftovers(&self) -> Result<Vec<PathBuf>, Error> {
        let mut leftovers = Vec::new();
        for entry in fs::read_dir(self.path()).map_err(Error::io(self.path()))? {
            let entry = entry.map_err(Error::io(self.path()))?;
            if super::layout::is_leftover(&entry.file_name()) {
                leftovers.push(entry.path());
            }
        }
        leftovers.sort();
        Ok(leftovers)
    }
}

/// Removes a file, which may be gone already.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
