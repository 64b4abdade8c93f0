//! Whether a store is what it says: every blob, every document, every reference.

use std::collections::{BTreeSet, HashSet};
use std::io;

use super::{Error, Store};
use crate::digest::Digest;
use crate::oci::media_type::{self, Kind};
use crate::oci::{Descriptor, Document, ImageConfig};

impl Store {
    /// Checks the bytes of every blob against its name, and all that the index reaches:
    /// that it is there, has the size that was said, is a document of its kind, and that
    /// manifest and config fit. Tells `found` of each thing wrong, in no order that
    /// means anything.
    ///
    /// Images may be added meanwhile; their removal waits.
    ///
    /// # Errors
    /// A store that cannot be read at all.
    pub fn check(&self, mut found: impl FnMut(Error)) -> Result<(), Error> {
        self.hold_blobs()?;
        let damaged = self.check_blobs(&mut found)?;
        let mut seen = HashSet::new();
        let mut waiting = self.index()?.manifests;
        while let Some(blob) = waiting.pop() {
            if !seen.insert((blob.digest.clone(), blob.media_type.clone(), blob.len_bytes)) {
                continue;
            }
            if damaged.contains(&blob.digest) {
                continue;
            }
            match self.blob(&blob) {
                Err(Error::NoBlob(_)) if blob.kind() == Kind::ForeignLayer => continue,
                Err(error) => {
                    found(error);
                    continue;
                }
                Ok(_) => {}
            }
            if matches!(blob.kind(), Kind::Index | Kind::Manifest) {
                match self.check_image(&blob, &damaged) {
                    Ok(below) => waiting.extend(below),
                    Err(error) => found(error),
                }
            }
        }
        Ok(())
    }

    /// Hashes every blob; those that are not what their name says.
    fn check_blobs(&self, found: &mut impl FnMut(Error)) -> Result<BTreeSet<Digest>, Error> {
        let mut damaged = BTreeSet::new();
        for (digest, len_bytes) in self.blobs()? {
            let descriptor = Descriptor::new("", digest, len_bytes);
            let checked = self.blob(&descriptor).and_then(|mut blob| {
                let path = || self.blob_path(&descriptor.digest);
                io::copy(&mut blob, &mut io::sink()).map_err(|error| Error::io(path())(error))
            });
            if let Err(error) = checked {
                damaged.insert(descriptor.digest.clone());
                found(error);
            }
        }
        Ok(damaged)
    }

    /// Checks a manifest or index, and says what it points to.
    fn check_image(
        &self,
        image: &Descriptor,
        damaged: &BTreeSet<Digest>,
    ) -> Result<Vec<Descriptor>, Error> {
        let below = self.below(image)?;
        let document = |source| Error::Document { name: image.digest.to_string(), source };
        let Document::Manifest(manifest) =
            Document::parse(&self.document(image)?, &image.media_type).map_err(document)?
        else {
            return Ok(below);
        };
        let is_image = media_type::kind(&manifest.config.media_type) == Kind::Config;
        if is_image && !damaged.contains(&manifest.config.digest) {
            let config = self.document(&manifest.config)?;
            let document =
                |source| Error::Document { name: manifest.config.digest.to_string(), source };
            let config = ImageConfig::parse(&config).map_err(document)?;
            let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
            if layers != diff_ids {
                let text = format!("the manifest has {layers} layers, the config {diff_ids}");
                return Err(Error::Document {
                    name: image.digest.to_string(),
                    source: crate::oci::Error::Ambiguous(text),
                });
            }
        }
        Ok(below)
    }
}
