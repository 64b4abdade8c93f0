//! What becomes of a manifest on its way: layers in another format, in OCI's words or
//! in docker's. What need not change keeps its bytes, and so its digest.

use std::collections::HashMap;

use common::compression::{Format, MaxSize};
use common::digest::{DiffId, Digest};
use common::oci::media_type::{self, Kind};
use common::oci::{self, ATTESTED, Descriptor, Index, Manifest, ManifestFormat};

use crate::tree::{Content, Node};

/// What is wanted of the copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    /// Every layer in this format.
    pub(crate) compress: Option<Format>,
    /// Layers that are plain tar in this one, if nothing else is wanted.
    pub(crate) plain: Format,
    /// Every manifest in this form.
    pub(crate) format: Option<ManifestFormat>,
    /// No layer that grows to more.
    pub(crate) max_size: MaxSize,
}

/// A layer that is to be compressed anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Recode {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Option<DiffId>,
    pub(crate) format: Format,
    /// What it may grow to.
    pub(crate) max_size: MaxSize,
}

/// Why a manifest cannot be had in the form that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{digest}")]
pub(crate) struct Error {
    digest: Digest,
    source: oci::Error,
}

/// Documents as they will be, those below another one before it, with the media types
/// and digests that they will have.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    pub(crate) documents: Vec<(Descriptor, Vec<u8>)>,
    /// The manifests among them, in the order of [`Node::manifests`].
    pub(crate) manifests: Vec<Manifest>,
}

/// What blobs have become, by what they were.
pub(crate) type Recoded = HashMap<Recode, Descriptor>;

impl Wishes {
    /// What is to be done with a layer, if anything.
    pub(crate) fn recode(&self, layer: &Descriptor, diff_id: Option<&DiffId>) -> Option<Recode> {
        if layer.kind() != Kind::Layer {
            return None;
        }
        let now = layer_format(&layer.media_type);
        let format = match self.compress {
            Some(format) => format,
            None if now == Some(Format::None) => self.plain,
            None => return None,
        };
        let (digest, diff_id) = (layer.digest.clone(), diff_id.cloned());
        let max_size = self.max_size;
        (now != Some(format)).then_some(Recode { digest, diff_id, format, max_size })
    }

    /// The documents of `root` once its layers have become what `recoded` says; the last
    /// one is that of `root`.
    pub(crate) fn convert(&self, root: &Node, recoded: &Recoded) -> Result<Converted, Error> {
        let mut converted = Converted::default();
        self.node(root, recoded, &mut converted)?;
        Ok(converted)
    }

    fn node(
        &self,
        node: &Node,
        recoded: &Recoded,
        out: &mut Converted,
    ) -> Result<Descriptor, Error> {
        let mut descriptor = node.descriptor.clone();
        let failed = |source| Error { digest: node.descriptor.digest.clone(), source };
        // A document that is of the form already keeps its bytes.
        let other = |format: &ManifestFormat| {
            format.media_type(&descriptor.media_type) != Some(descriptor.media_type.as_str())
        };
        let format = self.format.filter(other);
        let new = match &node.content {
            Content::Manifest { manifest, diff_ids } => {
                let mut new = self.recoded(manifest, diff_ids, recoded);
                if let Some(format) = format {
                    new = format.manifest(&new).map_err(failed)?;
                }
                out.manifests.push(new.clone());
                let media_type = new.media_type.clone();
                (new != **manifest).then(|| Ok((media_type, new.to_bytes()?)))
            }
            Content::Index { index, below } => {
                let mut new = self.renamed(index, below, recoded, out)?;
                if let Some(format) = format {
                    new.media_type = format.media_type(media_type::INDEX).map(Into::into);
                    if format == ManifestFormat::Docker {
                        new.annotations.clear();
                    }
                }
                let media_type = new.media_type.clone();
                (new != **index).then(|| Ok((media_type, new.to_bytes()?)))
            }
        };
        let bytes = match new.transpose().map_err(failed)? {
            Some((media_type, bytes)) => {
                descriptor.media_type = media_type.unwrap_or(descriptor.media_type);
                descriptor.digest = Digest::of(&bytes);
                descriptor.len_bytes = bytes.len() as u64;
                bytes
            }
            None => node.bytes.clone(),
        };
        out.documents.push((descriptor.clone(), bytes));
        Ok(descriptor)
    }

    /// A manifest with its layers as they have become.
    fn recoded(&self, manifest: &Manifest, diff_ids: &[DiffId], recoded: &Recoded) -> Manifest {
        let mut new = manifest.clone();
        for (at, layer) in new.layers.iter_mut().enumerate() {
            let Some(recode) = self.recode(layer, diff_ids.get(at)) else { continue };
            let Some(made) = recoded.get(&recode) else { continue };
            layer.digest = made.digest.clone();
            layer.len_bytes = made.len_bytes;
            layer.media_type = layer_type(recode.format, layer).into();
            // A table of contents, or the like, of what was there before.
            layer.annotations.clear();
        }
        new
    }

    /// An index with what is below it as it has become.
    fn renamed(
        &self,
        index: &Index,
        below: &[Node],
        recoded: &Recoded,
        out: &mut Converted,
    ) -> Result<Index, Error> {
        let mut new = index.clone();
        let mut renamed = HashMap::new();
        for (entry, node) in new.manifests.iter_mut().zip(below) {
            let made = self.node(node, recoded, out)?;
            renamed.insert(entry.digest.to_string(), made.digest.to_string());
            entry.digest = made.digest;
            entry.len_bytes = made.len_bytes;
            if !entry.media_type.is_empty() {
                entry.media_type = made.media_type;
            }
        }
        // An attestation stays with its image.
        for entry in &mut new.manifests {
            if let Some(of) = entry.annotations.get_mut(ATTESTED) {
                if let Some(made) = renamed.get(of) {
                    of.clone_from(made);
                }
            }
        }
        Ok(new)
    }
}

fn layer_format(media_type: &str) -> Option<Format> {
    Some(match media_type {
        media_type::LAYER | media_type::DOCKER_LAYER => Format::None,
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => Format::Gzip,
        media_type::LAYER_ZSTD | media_type::DOCKER_LAYER_ZSTD => Format::Zstd,
        _ => return None,
    })
}

/// The media type of `layer` in another format, in the words it comes in.
fn layer_type(format: Format, layer: &Descriptor) -> &'static str {
    let is_docker = layer.media_type.starts_with("application/vnd.docker.");
    match (format, is_docker) {
        (Format::Gzip, false) => media_type::LAYER_GZIP,
        (Format::Gzip, true) => media_type::DOCKER_LAYER_GZIP,
        (Format::Zstd, false) => media_type::LAYER_ZSTD,
        (Format::Zstd, true) => media_type::DOCKER_LAYER_ZSTD,
        (_, false) => media_type::LAYER,
        (_, true) => media_type::DOCKER_LAYER,
    }
}
