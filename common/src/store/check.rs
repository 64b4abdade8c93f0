//! Whether a store is what it says: every blob, every document, every reference.

use std::collections::{BTreeSet, HashSet};
use std::io;

use super::{Error, Store, lock};
use crate::compression::MaxSize;
use crate::digest::{DiffId, Digest};
use crate::layer::verify;
use crate::oci::media_type::Kind;
use crate::oci::{Descriptor, Document, ImageConfig, Manifest};

/// Something that is wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// With an image: its name in the index, or its digest.
    #[error("{}", crate::name::show(image))]
    Image {
        /// Which image.
        image: String,
        /// What is wrong.
        source: Error,
    },
    /// With the index, or with a blob, which other images may need.
    #[error(transparent)]
    Store(Error),
}

/// What is known to be damaged, and what has been looked at.
struct Check<'s, F> {
    store: &'s Store,
    max_size: MaxSize,
    damaged: BTreeSet<Digest>,
    found: F,
}

impl Store {
    /// Checks the bytes of every blob against its name, and all that the index reaches:
    /// that it is there, has the size that was said, is a document of its kind, that
    /// manifest and config fit, and that layers are tar archives that have their DiffIDs.
    /// No layer may grow to more than `max_size`.
    /// Tells `found` of each thing wrong, in no order that means anything.
    ///
    /// Images may be added meanwhile; their removal waits.
    ///
    /// # Errors
    /// A store that cannot be read at all.
    pub fn check(&self, max_size: MaxSize, found: impl FnMut(Finding)) -> Result<(), Error> {
        let _lock = lock::to_read(&self.dir)?;
        let mut check = Check { store: self, max_size, damaged: BTreeSet::new(), found };
        check.blobs()?;
        let entries = match self.entries() {
            Ok(entries) => entries,
            Err(error @ Error::Document { .. }) => {
                (check.found)(Finding::Store(error));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut names = HashSet::new();
        let mut seen = HashSet::new();
        for entry in entries.iter() {
            let label = entry.name.unwrap_or(entry.digest);
            if entry.name.is_some() && !names.insert(entry.name) {
                let source = Error::SameName(label.to_owned());
                (check.found)(Finding::Image { image: label.to_owned(), source });
            }
            if Digest::is_foreign(entry.digest) {
                // Nobody says that it has to be there.
                continue;
            }
            match entry.descriptor() {
                Ok(image) => check.image(label, image, &mut seen),
                Err(source) => (check.found)(Finding::Image { image: label.to_owned(), source }),
            }
        }
        Ok(())
    }
}

impl<F: FnMut(Finding)> Check<'_, F> {
    /// Hashes every blob, and notes those that are not what their name says.
    fn blobs(&mut self) -> Result<(), Error> {
        for (digest, len_bytes) in self.store.blobs()? {
            let descriptor = Descriptor::new("", digest, len_bytes);
            let path = || self.store.blob_path(&descriptor.digest);
            let checked = self.store.blob(&descriptor).and_then(|mut blob| {
                io::copy(&mut blob, &mut io::sink()).map_err(|error| Error::io(path())(error))
            });
            if let Err(error) = checked {
                (self.found)(Finding::Store(error));
                self.damaged.insert(descriptor.digest);
            }
        }
        Ok(())
    }

    /// Checks all that an entry of the index leads to, but for what has been `seen`.
    fn image(&mut self, label: &str, image: Descriptor, seen: &mut HashSet<(Digest, String, u64)>) {
        let mut waiting = Vec::new();
        let mut wait = |blob: Descriptor, waiting: &mut Vec<Descriptor>| {
            let what = (blob.digest.clone(), blob.media_type.clone(), blob.len_bytes);
            if seen.insert(what) {
                waiting.push(blob);
            }
        };
        wait(image, &mut waiting);
        while let Some(blob) = waiting.pop() {
            let result = match blob.kind() {
                _ if self.damaged.contains(&blob.digest) => continue,
                Kind::Index | Kind::Manifest => self.document(&blob),
                kind => match self.store.blob(&blob) {
                    Err(Error::NoBlob(_)) if kind == Kind::ForeignLayer => continue,
                    opened => opened.map(|_| Vec::new()),
                },
            };
            match result {
                Ok(below) => below.into_iter().for_each(|blob| wait(blob, &mut waiting)),
                Err(source) => {
                    (self.found)(Finding::Image { image: label.to_owned(), source });
                }
            }
        }
    }

    /// Checks a manifest or index, and says what it points to.
    fn document(&self, image: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        let document = self.store.parsed(image)?;
        if let Document::Manifest(manifest) = &document {
            self.manifest(image, manifest)?;
        }
        Ok(self.store.below(document))
    }

    /// Checks that config and layers belong together. What is missing or damaged is
    /// told elsewhere.
    fn manifest(&self, image: &Descriptor, manifest: &Manifest) -> Result<(), Error> {
        let is_sound =
            |blob: &Descriptor| self.store.contains(blob) && !self.damaged.contains(&blob.digest);
        if manifest.config.kind() != Kind::Config || !is_sound(&manifest.config) {
            return Ok(());
        }
        let name = manifest.config.digest.to_string();
        let config = ImageConfig::parse(&self.store.document(&manifest.config)?)
            .map_err(|source| Error::Document { name, source })?;
        let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            return Err(Error::LayerCount { digest: image.digest.clone(), layers, diff_ids });
        }
        for (layer, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
            let is_layer = matches!(layer.kind(), Kind::Layer | Kind::ForeignLayer);
            if is_layer && is_sound(layer) {
                self.layer(layer, diff_id)?;
            }
        }
        Ok(())
    }

    /// Checks that a blob is the layer that it should be, whatever is known about it.
    fn layer(&self, layer: &Descriptor, diff_id: &DiffId) -> Result<(), Error> {
        let growth = self.max_size.growth(Some(layer.len_bytes));
        verify::verify(self.store.blob(layer)?, &layer.digest, diff_id, growth)
            .map_err(|source| Error::Layer { blob: layer.digest.clone(), source })?;
        verify::remember(&layer.digest, diff_id);
        Ok(())
    }
}
