//! The entries of an index, and what they stand for brought into the store.

use common::image::{Error, Found};
use common::oci::media_type::Kind;
use common::oci::{Annotations, Descriptor, Document, Platform};
use common::store::Store;

/// The annotation by which an attestation names its image.
const ATTESTED: &str = "vnd.docker.reference.digest";

/// The entries so far, and what was noted in the index that they begin with.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) all: Vec<Descriptor>,
    pub(crate) annotations: Annotations,
}

/// The treatment of an image for a platform that is taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenTaken {
    Replace,
    Refuse,
}

impl Entries {
    /// Begins with what is in the store already: an index, or an image alone.
    pub(crate) fn begin(&mut self, found: &Found) -> Result<(), Error> {
        match parsed(found, &found.descriptor)? {
            Document::Index(index) => {
                self.annotations = index.annotations;
                self.all = index.manifests;
            }
            Document::Manifest(_) => self.all = vec![image_entry(found)?],
        }
        Ok(())
    }

    /// Takes the image for this platform out, with what is attached to it; whether there was
    /// one.
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

    /// Copies what was found into `store`, and takes it in: an image, or all that an index
    /// has. Returns the platform that has an image already and must not get another.
    pub(crate) fn take(
        &mut self,
        found: &Found,
        store: &Store,
        when_taken: WhenTaken,
    ) -> Result<Option<Platform>, Error> {
        let new = match parsed(found, &found.descriptor)? {
            Document::Manifest(_) => vec![image_entry(found)?],
            Document::Index(index) => {
                let there = index.manifests.into_iter().filter(|entry| found.has(entry));
                there.collect()
            }
        };
        for entry in new {
            if let Some(platform) = entry.platform.clone().filter(|_| !entry.is_attestation()) {
                let is_same = self.all.iter().any(|other| other.digest == entry.digest);
                let is_taken = self.all.iter().any(|other| is_for(other, &platform));
                match when_taken {
                    WhenTaken::Refuse if is_taken && !is_same => return Ok(Some(platform)),
                    _ if is_taken => {
                        self.remove(&platform);
                    }
                    _ => {}
                }
            }
            copy(found, &entry, store)?;
            self.all.push(entry);
        }
        Ok(None)
    }
}

/// Whether an entry is the image for exactly this platform.
fn is_for(entry: &Descriptor, platform: &Platform) -> bool {
    let own = entry.platform.as_ref().filter(|_| !entry.is_attestation());
    own.is_some_and(|own| own.clone().normalised().to_string() == platform.to_string())
}

/// The entry for an image, with the platform that its config says.
fn image_entry(found: &Found) -> Result<Descriptor, Error> {
    let image = found.image(None)?;
    let mut entry = image.descriptor.clone();
    entry.annotations.clear();
    entry.platform = Some(image.config.platform());
    Ok(entry)
}

fn parsed(found: &Found, document: &Descriptor) -> Result<Document, Error> {
    let bytes = found.document(document)?;
    Document::parse(&bytes, &document.media_type)
        .map_err(|source| Error::Document { name: document.digest.to_string(), source })
}

/// An index in an index in an index is met; more is somebody playing.
const MAX_DEPTH: usize = 4;

/// Copies a manifest or index with all that it needs: layers of an image are checked as
/// layers.
fn copy(found: &Found, entry: &Descriptor, store: &Store) -> Result<(), Error> {
    copy_at(found, entry, store, 0)
}

fn copy_at(found: &Found, entry: &Descriptor, store: &Store, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(Error::TooDeep(entry.digest.clone()));
    }
    let below = found.below(entry);
    match parsed(found, entry)? {
        Document::Index(index) => {
            for entry in index.manifests.iter().filter(|entry| found.has(entry)) {
                copy_at(found, entry, store, depth + 1)?;
            }
        }
        Document::Manifest(manifest) => match below.image(None) {
            Ok(image) => return image.copy_to(store),
            // An attestation, or something else that is no image.
            Err(Error::NotAnImage { .. } | Error::LayerType { .. } | Error::LayerCount { .. })
                if entry.is_attestation() || manifest.config.kind() != Kind::Config =>
            {
                for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    found.copy(blob, None, store, |_| {})?;
                }
            }
            Err(error) => return Err(error),
        },
    }
    found.copy(entry, None, store, |_| {})
}
