//! What is copied: one image, or an index with all that is below it.

use common::digest::{DiffId, Digest};
use common::image::{Error, Found, Image};
use common::oci::media_type::Kind;
use common::oci::{Descriptor, Document, ImageConfig, Index, Manifest, Platform};

/// An index of an index is met; more is somebody playing.
const MAX_DEPTH: usize = 4;
/// Manifests and indexes in one tree.
const MAX_DOCUMENTS: usize = 1000;

/// A manifest or index and what is below it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) descriptor: Descriptor,
    pub(crate) bytes: Vec<u8>,
    /// What a single image runs on.
    pub(crate) platform: Option<Platform>,
    pub(crate) content: Content,
}

/// What a document is.
#[derive(Debug)]
pub(crate) enum Content {
    /// An image, or what is attached to one.
    Manifest {
        manifest: Box<Manifest>,
        /// The layers' DiffIDs, if this is an image.
        diff_ids: Vec<DiffId>,
    },
    /// The images of an index, in its order.
    Index { index: Box<Index>, below: Vec<Node> },
}

impl Node {
    /// One image.
    pub(crate) fn of(image: Image) -> Self {
        Self {
            descriptor: image.descriptor,
            bytes: image.manifest_bytes,
            platform: Some(image.config.platform()),
            content: Content::Manifest {
                manifest: Box::new(image.manifest),
                diff_ids: image.config.rootfs.diff_ids,
            },
        }
    }

    /// All that was found: attestations and whatever else an index holds included.
    ///
    /// # Errors
    /// A document that is missing, malformed, or one of too many.
    pub(crate) fn all(found: &Found) -> Result<Self, Error> {
        let mut root = found.descriptor.clone();
        // The name is the place's, not the image's.
        root.annotations.clear();
        read(found, root, 0, &mut 0)
    }

    /// Every image below, depth first.
    pub(crate) fn manifests(&self) -> Vec<&Self> {
        match &self.content {
            Content::Manifest { .. } => vec![self],
            Content::Index { below, .. } => below.iter().flat_map(Self::manifests).collect(),
        }
    }
}

fn read(
    found: &Found,
    mut descriptor: Descriptor,
    depth: usize,
    count: &mut usize,
) -> Result<Node, Error> {
    *count += 1;
    if depth > MAX_DEPTH || *count > MAX_DOCUMENTS {
        return Err(Error::TooDeep(descriptor.digest));
    }
    let bytes = found.document(&descriptor)?;
    let content = match parse(&descriptor.digest, &bytes, &descriptor.media_type)? {
        Document::Manifest(manifest) => {
            if descriptor.media_type.is_empty() {
                descriptor.media_type =
                    stated(&manifest.media_type, common::oci::media_type::MANIFEST);
            }
            let diff_ids = diff_ids(found, &descriptor.digest, &manifest)?;
            Content::Manifest { manifest, diff_ids }
        }
        Document::Index(index) => {
            if descriptor.media_type.is_empty() {
                descriptor.media_type = stated(&index.media_type, common::oci::media_type::INDEX);
            }
            let below = index.manifests.iter().cloned();
            let below: Result<_, _> =
                below.map(|below| read(found, below, depth + 1, count)).collect();
            Content::Index { index, below: below? }
        }
    };
    Ok(Node { descriptor, bytes, platform: None, content })
}

fn stated(media_type: &Option<String>, default: &str) -> String {
    media_type.clone().unwrap_or_else(|| default.into())
}

fn parse(digest: &Digest, bytes: &[u8], media_type: &str) -> Result<Document, Error> {
    Document::parse(bytes, media_type)
        .map_err(|source| Error::Document { name: digest.to_string(), source })
}

/// The DiffIDs of an image's layers; none for what is no image.
fn diff_ids(found: &Found, digest: &Digest, manifest: &Manifest) -> Result<Vec<DiffId>, Error> {
    if manifest.config.kind() != Kind::Config {
        return Ok(Vec::new());
    }
    let bytes = found.document(&manifest.config)?;
    // An attestation has a config of this type too, with whatever in it.
    let config = ImageConfig::parse(&bytes);
    let diff_ids = config.map(|config| config.rootfs.diff_ids).unwrap_or_default();
    let (layers, count) = (manifest.layers.len(), diff_ids.len());
    let is_image = manifest
        .layers
        .iter()
        .all(|layer| matches!(layer.kind(), Kind::Layer | Kind::ForeignLayer));
    if is_image && layers != count {
        let digest = digest.clone();
        return Err(Error::LayerCount { digest, layers, diff_ids: count });
    }
    Ok(diff_ids)
}
