//! Images wherever they are: named, opened, their layers read, written elsewhere.
//!
//! Owns references (containers-transports(5)), the choice of a platform, the reading of
//! layouts and archives as images, and archives as a destination. Every blob is checked
//! against its digest as it is read. The layout on disk is [`crate::store`]'s, the
//! documents are [`crate::oci`]'s, and what a layer does to a tree is [`crate::layer`]'s.

pub mod archive;
mod choose;
mod destination;
mod open;
mod part;
mod product;
mod reference;
mod size;
mod source;
#[cfg(test)]
mod tests;

use std::io;

pub use destination::{Destination, InvalidDestination, write_archive};
pub use open::{Found, Opener, all, open};
pub use part::Part;
pub use product::Product;
pub use reference::{DOCKER, InvalidReference, Reference};
pub use size::{Sizes, size_of};
use source::Source;
pub use source::{Origin, Registries};

use crate::compression::MaxSize;
use crate::digest::{DiffId, Digest};
use crate::human::count;
use crate::oci::{self, Descriptor, ImageConfig, Manifest};
use crate::parallel;
use crate::store::{self, BlobReader, Store};

/// The annotation that tells which image a manifest was made from (image-spec annotations.md).
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// Layers that are copied at once.
const PARALLEL: usize = 6;

/// Why an image cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A store or layout that does not have it.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A document that is none.
    #[error("{name}")]
    Document {
        /// A digest, or a member's name.
        name: String,
        /// What is wrong with it.
        source: oci::Error,
    },
    /// An error about an image that the user asked for.
    #[error("{reference}")]
    About {
        /// In the user's words.
        reference: String,
        /// The problem.
        source: Box<Error>,
    },
    /// An index that has no image for the platform.
    #[error("no image for platform {wanted}: there is {offered}")]
    Platform {
        /// What was asked for, or this machine's.
        wanted: String,
        /// What there is, joined by commas.
        offered: String,
    },
    /// Indexes in indexes in indexes.
    #[error("{0}: indexes are nested too deeply")]
    TooDeep(Digest),
    /// A manifest of something else: a chart, a signature.
    #[error("{digest}: an artifact, not an image: its config is '{}'", crate::name::show(.media_type))]
    NotAnImage {
        /// The manifest.
        digest: Digest,
        /// What it has for a config.
        media_type: String,
    },
    /// A manifest and a config that do not belong together.
    #[error("{digest}: the manifest has {}, the config {}", count(*.layers as u64, "layer", "layers"), count(*.diff_ids as u64, "DiffID", "DiffIDs"))]
    LayerCount {
        /// The manifest.
        digest: Digest,
        /// Its layers.
        layers: usize,
        /// The config's DiffIDs.
        diff_ids: usize,
    },
    /// A layer of a type that is no layer.
    #[error("layer {digest}: '{}' is not a layer's media type", crate::name::show(.media_type))]
    LayerType {
        /// The layer.
        digest: Digest,
        /// What it says it is.
        media_type: String,
    },
    /// Nothing, or too much, to choose from.
    #[error("{0}")]
    Choice(String),
    /// A file that is no image archive.
    #[error("not an image archive: {0}")]
    NotAnArchive(String),
    /// A malformed archive.
    #[error("not a valid archive")]
    Tar(#[source] crate::tar::Error),
    /// A layer that is no tar archive.
    #[error("layer {digest}")]
    Layer {
        /// The layer's blob.
        digest: Digest,
        /// What is wrong with it.
        source: crate::tar::Error,
    },
    /// A layer that inflates to something else than the config says.
    #[error("DiffID mismatch: expected {expected}, got {actual}")]
    DiffId {
        /// The DiffID in the config.
        expected: DiffId,
        /// What is there.
        actual: Digest,
    },
    /// An archive that ends early.
    #[error("{}: truncated archive", crate::name::show(.member))]
    Truncated {
        /// The member that is cut off.
        member: Vec<u8>,
    },
    /// An input or output that failed.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// An image in a registry, for a tool that reaches none.
    #[error("{0}")]
    Reference(#[from] InvalidReference),
    /// What an [`Origin`] says.
    #[error(transparent)]
    Origin(Box<dyn std::error::Error + Send + Sync>),
    /// An input that cannot be opened, or an output that cannot be written.
    #[error(transparent)]
    Stream(#[from] crate::stream::Error),
}

/// One layer of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its blob, as stored.
    pub descriptor: Descriptor,
    /// The digest of what the blob inflates to.
    pub diff_id: DiffId,
}

/// An image for one platform, open where it is.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its manifest. An archive that docker wrote before it knew manifests gets one made here.
    pub descriptor: Descriptor,
    /// What the descriptor points to.
    pub manifest: Manifest,
    /// The manifest's bytes, of that digest.
    pub manifest_bytes: Vec<u8>,
    /// The config.
    pub config: ImageConfig,
    /// The config's bytes, of the digest that the manifest says.
    pub config_bytes: Vec<u8>,
    /// The names it has where it was found.
    pub names: Vec<String>,
    id: Digest,
    source: Source,
}

impl Image {
    /// What identifies the image to a user: the manifest's digest, or docker's image
    /// ID where the archive has no manifest.
    #[must_use]
    pub fn id(&self) -> &Digest {
        &self.id
    }

    /// The layers, base first.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = Layer> + '_ {
        let both = self.manifest.layers.iter().zip(&self.config.rootfs.diff_ids);
        both.map(|(descriptor, diff_id)| Layer {
            descriptor: descriptor.clone(),
            diff_id: diff_id.clone(),
        })
    }

    /// The layer at this place, counted from the base.
    fn layer_at(&self, at: usize) -> Option<Layer> {
        let descriptor = self.manifest.layers.get(at)?.clone();
        Some(Layer { descriptor, diff_id: self.config.rootfs.diff_ids.get(at)?.clone() })
    }

    /// Opens a layer as it is stored, compressed or not; what is read is checked
    /// against the blob's digest, and the DiffID is for the caller to check.
    ///
    /// # Errors
    /// A blob that is missing or has another size.
    pub fn layer(&self, layer: &Layer) -> Result<BlobReader, Error> {
        self.blob(&layer.descriptor)
    }

    /// As [`Image::layer`], but the DiffID is checked too, unless it is known: see
    /// [`crate::layer::verify`].
    ///
    /// # Errors
    /// As [`Image::layer`].
    pub fn verified_layer(&self, layer: &Layer) -> Result<BlobReader, Error> {
        Ok(self.layer(layer)?.verified(&layer.diff_id))
    }

    /// Opens any blob of the image.
    ///
    /// # Errors
    /// A blob that is missing or has another size.
    pub fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        self.source.blob(blob)
    }

    /// The config and the layers: every blob that the manifest needs.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.manifest.config).chain(&self.manifest.layers)
    }

    /// Whether it is read from elsewhere, so that its layers are not at hand.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        matches!(self.source, Source::Origin(_))
    }

    /// The store it lies in, if it lies in one.
    #[must_use]
    pub fn store(&self) -> Option<&Store> {
        match &self.source {
            Source::Store(store) => Some(store),
            Source::Archive(_) | Source::Origin(_) => None,
        }
    }

    /// The image that this one was made from, if its manifest names it and it lies in
    /// the same place.
    #[must_use]
    pub fn base(&self) -> Option<Self> {
        let digest: Digest = self.manifest.annotations.get(BASE_DIGEST)?.parse().ok()?;
        let descriptor = self.source.find(&digest)?;
        open::manifest(self.source.clone(), &descriptor, Vec::new()).ok()
    }

    /// Copies what `store` does not have of the image into it. The image still has to be
    /// named there, or added to the index.
    ///
    /// # Errors
    /// A blob that is missing or damaged, a layer that is not what the config says, a store
    /// that cannot be written.
    pub fn copy_to(&self, store: &Store) -> Result<(), Error> {
        self.source.copy(&self.manifest.config, None, MaxSize::default(), store, |_| {})?;
        let layers: Vec<Layer> = self.layers().collect();
        parallel::each(&layers, PARALLEL, |layer| self.copy_layer_to(layer, store))?;
        store.put_by(self.descriptor.digest.algorithm(), &self.manifest_bytes)?;
        Ok(())
    }

    /// Copies a layer of the image into `store`, if it is not there, and checks it as a
    /// layer, if that has not been done. A foreign layer may be nowhere.
    ///
    /// # Errors
    /// As [`Image::copy_to`].
    pub fn copy_layer_to(&self, layer: &Layer, store: &Store) -> Result<(), Error> {
        let (diff_id, max_size) = (Some(&layer.diff_id), MaxSize::default());
        match self.source.copy(&layer.descriptor, diff_id, max_size, store, |_| {}) {
            Err(Error::Store(store::Error::NoBlob(_)))
                if layer.descriptor.kind() == oci::media_type::Kind::ForeignLayer =>
            {
                Ok(())
            }
            copied => copied,
        }
    }
}

impl Error {
    /// The error as a user of `reference` should see it: beginning with what was
    /// asked for, unless it does already.
    #[must_use]
    pub fn about(self, reference: &Reference) -> Self {
        match self {
            Self::Store(
                store::Error::NoImage { .. }
                | store::Error::AmbiguousDigest { .. }
                | store::Error::Name(_)
                | store::Error::NoLocation,
            )
            | Self::Stream(_)
            | Self::Reference(_) => self,
            other => Self::About { reference: reference.to_string(), source: Box::new(other) },
        }
    }
}
