//! The entries of an index, and copies of their images in the store.

use std::collections::HashSet;

use common::digest::Digest;
use common::image::{Error, Found, Image, Part};
use common::oci::media_type::Kind;
use common::oci::{ATTESTED, Annotations, Descriptor, Document, Platform};
use common::store::Store;

/// The entries so far, and the annotations of the index that they begin with.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) all: Vec<Descriptor>,
    pub(crate) annotations: Annotations,
}

/// The treatment of a second image for a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenTaken {
    Replace,
    Refuse,
}

impl Entries {
    /// Begins with what is in the store already: an index, or an image alone.
    pub(crate) fn begin(&mut self, found: &Found) -> Result<(), Error> {
        match found.parsed()? {
            (Document::Index(index), _) => {
                self.annotations = index.annotations;
                self.all = index.manifests;
            }
            (Document::Manifest(manifest), bytes) => {
                self.all = vec![image_entry(&found.image_of(*manifest, bytes)?)];
            }
        }
        Ok(())
    }

    /// Removes the image for this platform, with what is attached to it. Returns true if there
    /// was one.
    pub(crate) fn remove(&mut self, platform: &Platform) -> bool {
        let of = |entry: &Descriptor| is_for(entry, platform);
        let gone: Vec<String> = self
            .all
            .iter()
            .filter(|entry| of(entry))
            .map(|entry| entry.digest.to_string())
            .collect();
        let is_attached = |entry: &Descriptor| {
            entry.annotations.get(ATTESTED).is_some_and(|image| gone.contains(image))
        };
        self.all.retain(|entry| !of(entry) && !is_attached(entry));
        !gone.is_empty()
    }

    /// Adds the entries `new`. Returns the platform that has an image already and must not get
    /// another.
    pub(crate) fn take(&mut self, new: &[Descriptor], when_taken: WhenTaken) -> Option<Platform> {
        for entry in new {
            if let Some(platform) = entry.platform.clone().filter(|_| !entry.is_attestation()) {
                let is_same = self.all.iter().any(|other| other.digest == entry.digest);
                let is_taken = self.all.iter().any(|other| is_for(other, &platform));
                match when_taken {
                    WhenTaken::Refuse if is_taken && !is_same => return Some(platform),
                    _ if is_taken => {
                        self.remove(&platform);
                    }
                    _ => {}
                }
            }
            self.all.push(entry.clone());
        }
        None
    }
}

/// Returns the entries that an operand brings: one for an image, or those of its index.
pub(crate) fn of(found: &Found) -> Result<Vec<Descriptor>, Error> {
    Ok(match found.parsed()? {
        (Document::Manifest(manifest), bytes) => {
            vec![image_entry(&found.image_of(*manifest, bytes)?)]
        }
        (Document::Index(index), _) => {
            let entries = Part::There.of(&index.manifests, found).into_iter();
            entries.filter(|(_, is_taken)| *is_taken).map(|(entry, _)| entry.clone()).collect()
        }
    })
}

/// Returns true if an entry is the image for exactly this platform.
fn is_for(entry: &Descriptor, platform: &Platform) -> bool {
    let own = entry.platform.as_ref().filter(|_| !entry.is_attestation());
    own.is_some_and(|own| {
        let (own, wanted) = (own.clone().normalised(), platform.clone().normalised());
        // Windows runs only images of its own version.
        let is_version = wanted.os_version.is_none() || own.os_version == wanted.os_version;
        own.to_string() == wanted.to_string() && is_version
    })
}

/// The entry for an image, with the platform that its config says.
fn image_entry(image: &Image) -> Descriptor {
    let mut entry = image.descriptor.clone();
    entry.annotations.clear();
    entry.platform = Some(image.config.platform());
    entry
}

/// Indexes are nested in practice, but not more deeply than this.
const MAX_DEPTH: usize = 4;

/// The most manifests and indexes that one operand brings.
const MAX_DOCUMENTS: usize = 1000;

/// Copies `entries`, which `found` brought, into `store` with all that they need. The layers
/// of images are checked.
pub(crate) fn copy<'e>(
    found: &Found,
    mut entries: impl Iterator<Item = &'e Descriptor>,
    store: &Store,
) -> Result<(), Error> {
    let mut seen = HashSet::new();
    entries.try_for_each(|entry| copy_at(found, entry, store, &mut seen, 0))
}

fn copy_at(
    found: &Found,
    entry: &Descriptor,
    store: &Store,
    seen: &mut HashSet<Digest>,
    depth: usize,
) -> Result<(), Error> {
    if !seen.insert(entry.digest.clone()) {
        return Ok(());
    }
    if depth > MAX_DEPTH || seen.len() > MAX_DOCUMENTS {
        return Err(Error::TooDeep(entry.digest.clone()));
    }
    let below = found.below(entry);
    match below.parsed()? {
        (Document::Index(index), _) => {
            for entry in index.manifests.iter().filter(|entry| found.has(entry)) {
                copy_at(found, entry, store, seen, depth + 1)?;
            }
        }
        // An attestation, or something else that is no image.
        (Document::Manifest(manifest), _)
            if entry.is_attestation() || manifest.config.kind() != Kind::Config =>
        {
            for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                found.copy(blob, None, store, |_| {})?;
            }
        }
        (Document::Manifest(manifest), bytes) => {
            return below.image_of(*manifest, bytes)?.copy_to(store);
        }
    }
    found.copy(entry, None, store, |_| {})
}
