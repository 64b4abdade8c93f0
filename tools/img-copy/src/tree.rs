//! What is copied: one image, or an index with all that is below it.

use common::digest::{DiffId, Digest};
use common::image::{Error, Found, Image, Part};
use common::oci::media_type::{self, Kind};
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
    /// Whether it has less below it than it had where it was found.
    pub(crate) is_partial: bool,
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
            is_partial: false,
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
        Self::some(found, Part::All)
    }

    /// All that is there of what was found: a store has of an index what was pulled.
    ///
    /// # Errors
    /// As [`Node::all`].
    pub(crate) fn there(found: &Found) -> Result<Self, Error> {
        Self::some(found, Part::There)
    }

    /// The images for these platforms, with what is attached to them: for one an image, for
    /// several an index of them.
    ///
    /// # Errors
    /// None for a platform; as [`Node::all`].
    pub(crate) fn for_platforms(found: &Found, platforms: &[Platform]) -> Result<Self, Error> {
        if let [one] = platforms {
            return found.image(Some(one)).map(Self::of);
        }
        let chosen = platforms.iter().map(|platform| Ok(found.choose(Some(platform))?.digest));
        Self::some(found, Part::Images(chosen.collect::<Result<_, Error>>()?))
    }

    fn some(found: &Found, wanted: Part) -> Result<Self, Error> {
        let mut root = found.descriptor.clone();
        // The name is the place's, not the image's.
        root.annotations.clear();
        let mut walk = Walk { found, wanted, count: 0 };
        let mut root = walk.read(root, 0)?;
        // Of an index of which one image is there, that image is left.
        if let (true, Content::Index { below, .. }) = (root.is_partial, &mut root.content) {
            if let ([_], Some(Content::Manifest { .. })) =
                (below.as_slice(), below.first().map(|one| &one.content))
            {
                return below.pop().ok_or(Error::TooDeep(found.descriptor.digest.clone()));
            }
        }
        Ok(root)
    }

    /// Whether it is an image, or the like, and no index of several.
    pub(crate) fn is_manifest(&self) -> bool {
        matches!(self.content, Content::Manifest { .. })
    }

    /// Every image below, depth first.
    pub(crate) fn manifests(&self) -> Vec<&Self> {
        match &self.content {
            Content::Manifest { .. } => vec![self],
            Content::Index { below, .. } => below.iter().flat_map(Self::manifests).collect(),
        }
    }
}

/// A walk through what was found.
struct Walk<'w> {
    found: &'w Found,
    wanted: Part,
    count: usize,
}

impl Walk<'_> {
    fn read(&mut self, mut descriptor: Descriptor, depth: usize) -> Result<Node, Error> {
        self.count += 1;
        if depth > MAX_DEPTH || self.count > MAX_DOCUMENTS {
            return Err(Error::TooDeep(descriptor.digest));
        }
        let mut bytes = self.found.document(&descriptor)?;
        let (mut platform, mut is_partial) = (None, false);
        let content = match parse(&descriptor.digest, &bytes, &descriptor.media_type)? {
            Document::Manifest(manifest) => {
                if descriptor.media_type.is_empty() {
                    descriptor.media_type = stated(&manifest.media_type, media_type::MANIFEST);
                }
                let (diff_ids, of) = diff_ids(self.found, &descriptor.digest, &manifest)?;
                platform = of;
                Content::Manifest { manifest, diff_ids }
            }
            Document::Index(mut index) => {
                if descriptor.media_type.is_empty() {
                    descriptor.media_type = stated(&index.media_type, media_type::INDEX);
                }
                let all = std::mem::take(&mut index.manifests);
                let mut below = Vec::new();
                for (entry, is_kept) in self.wanted.of(&all, self.found) {
                    let node = match is_kept {
                        true => self.read(entry.clone(), depth + 1)?,
                        false => {
                            is_partial = true;
                            continue;
                        }
                    };
                    let is_empty =
                        matches!(&node.content, Content::Index { below, .. } if below.is_empty());
                    if node.is_partial && is_empty {
                        is_partial = true;
                        continue;
                    }
                    is_partial |= node.is_partial;
                    let mut entry = entry.clone();
                    entry.digest = node.descriptor.digest.clone();
                    entry.len_bytes = node.descriptor.len_bytes;
                    index.manifests.push(entry);
                    below.push(node);
                }
                if is_partial {
                    let digest = || descriptor.digest.to_string();
                    let made = index.to_bytes();
                    bytes = made.map_err(|source| Error::Document { name: digest(), source })?;
                    descriptor.digest = Digest::of(&bytes);
                    descriptor.len_bytes = bytes.len() as u64;
                }
                Content::Index { index, below }
            }
        };
        Ok(Node { descriptor, bytes, platform, is_partial, content })
    }
}

fn stated(media_type: &Option<String>, default: &str) -> String {
    media_type.clone().unwrap_or_else(|| default.into())
}

fn parse(digest: &Digest, bytes: &[u8], media_type: &str) -> Result<Document, Error> {
    Document::parse(bytes, media_type)
        .map_err(|source| Error::Document { name: digest.to_string(), source })
}

/// The DiffIDs of an image's layers, and its platform; none for what is no image.
fn diff_ids(
    found: &Found,
    digest: &Digest,
    manifest: &Manifest,
) -> Result<(Vec<DiffId>, Option<Platform>), Error> {
    if manifest.config.kind() != Kind::Config {
        return Ok((Vec::new(), None));
    }
    let bytes = found.document(&manifest.config)?;
    // An attestation has a config of this type too, with whatever in it.
    let config = ImageConfig::parse(&bytes);
    let is_layer = |layer: &Descriptor| matches!(layer.kind(), Kind::Layer | Kind::ForeignLayer);
    let is_image = manifest.layers.iter().all(is_layer);
    let (diff_ids, platform) = match config {
        // A config that says what it runs on is an image's: others leave it out.
        Ok(config) if !is_image && !matches!(config.architecture.as_str(), "" | "unknown") => {
            let other = manifest.layers.iter().find(|layer| !is_layer(layer));
            let media_type = other.map(|layer| layer.media_type.clone()).unwrap_or_default();
            let digest = other.map_or(digest, |layer| &layer.digest).clone();
            return Err(Error::LayerType { digest, media_type });
        }
        Ok(config) => (config.rootfs.diff_ids.clone(), Some(config.platform())),
        Err(source) if is_image && !manifest.layers.is_empty() => {
            let name = manifest.config.digest.to_string();
            return Err(Error::Document { name, source });
        }
        Err(_) => Default::default(),
    };
    let (layers, count) = (manifest.layers.len(), diff_ids.len());
    if is_image && layers != count {
        let digest = digest.clone();
        return Err(Error::LayerCount { digest, layers, diff_ids: count });
    }
    Ok((diff_ids, platform.filter(|_| is_image)))
}
