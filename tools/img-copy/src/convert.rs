//! What becomes of a manifest on its way: layers in another format, in OCI's words or
//! in docker's. What need not change keeps its bytes, and so its digest.

use std::collections::HashMap;

use common::compression::Format;
use common::digest::{DiffId, Digest};
use common::oci::media_type::{self, Kind};
use common::oci::{self, Descriptor, Index, Manifest};

use crate::cli;
use crate::tree::{Content, Node};

/// How BuildKit's attestations name the image that they are about.
const ATTESTED: &str = "vnd.docker.reference.digest";

/// What is wanted of the copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    /// Every layer in this format.
    pub(crate) compress: Option<Format>,
    /// Layers that are plain tar in this one, if nothing else is wanted.
    pub(crate) plain: Format,
    pub(crate) kind: Option<cli::Kind>,
}

/// A layer that is to be compressed anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Recode {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Option<DiffId>,
    pub(crate) format: Format,
}

/// Why a manifest cannot be had in the form that was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("layer {digest}: docker's manifests have no type for '{}'", common::name::show(.media_type))]
    NoDockerType { digest: Digest, media_type: String },
    #[error("{0}: docker's manifests have no form for this")]
    NotAnImage(Digest),
    #[error("manifest")]
    Document(#[source] oci::Error),
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
        (now != Some(format)).then_some(Recode { digest, diff_id, format })
    }

    /// The documents of `root` once its layers have become what `recoded` says; the last
    /// one is that of `root`.
    pub(crate) fn convert(&self, root: &Node, recoded: &Recoded) -> Result<Converted, Error> {
        let mut converted = Converted::default();
        self.node(root, recoded, &mut converted)?;
        Ok(converted)
    }

    /// The kind that a document has to be made into, if it is not of it.
    fn document_kind(&self, media_type: &str) -> Option<cli::Kind> {
        let is_docker =
            matches!(media_type, media_type::DOCKER_MANIFEST | media_type::DOCKER_INDEX);
        let now = if is_docker { cli::Kind::Docker } else { cli::Kind::Oci };
        self.kind.filter(|wanted| *wanted != now)
    }

    fn node(
        &self,
        node: &Node,
        recoded: &Recoded,
        out: &mut Converted,
    ) -> Result<Descriptor, Error> {
        let kind = self.document_kind(&node.descriptor.media_type);
        let mut descriptor = node.descriptor.clone();
        let new = match &node.content {
            Content::Manifest { manifest, diff_ids } => {
                self.manifest(node, manifest, diff_ids, kind, recoded, out)?
            }
            Content::Index { index, below } => self.index(index, below, kind, recoded, out)?,
        };
        let bytes = match new {
            Some((media_type, bytes)) => {
                descriptor.media_type = media_type;
                descriptor.digest = Digest::of(&bytes);
                descriptor.len_bytes = bytes.len() as u64;
                bytes
            }
            None => node.bytes.clone(),
        };
        out.documents.push((descriptor.clone(), bytes));
        Ok(descriptor)
    }

    fn manifest(
        &self,
        node: &Node,
        manifest: &Manifest,
        diff_ids: &[DiffId],
        kind: Option<cli::Kind>,
        recoded: &Recoded,
        out: &mut Converted,
    ) -> Result<Option<(String, Vec<u8>)>, Error> {
        let mut new = manifest.clone();
        for (at, layer) in new.layers.iter_mut().enumerate() {
            let made = self
                .recode(layer, diff_ids.get(at))
                .and_then(|recode| Some((recode.format, recoded.get(&recode)?)));
            if let Some((format, made)) = made {
                layer.digest = made.digest.clone();
                layer.len_bytes = made.len_bytes;
                layer.media_type = layer_type(format, is_docker(layer)).into();
                // A table of contents, or the like, of what was there before.
                layer.annotations.clear();
            }
        }
        match kind {
            None => {}
            Some(cli::Kind::Oci) => {
                new.media_type = Some(media_type::MANIFEST.into());
                new.config.media_type = in_oci(&new.config.media_type);
                for layer in &mut new.layers {
                    layer.media_type = in_oci(&layer.media_type);
                }
            }
            Some(cli::Kind::Docker) => to_docker(node, &mut new)?,
        }
        out.manifests.push(new.clone());
        if new == *manifest {
            return Ok(None);
        }
        let media_type = new.media_type.clone().unwrap_or_else(|| media_type::MANIFEST.into());
        Ok(Some((media_type, new.to_bytes().map_err(Error::Document)?)))
    }

    fn index(
        &self,
        index: &Index,
        below: &[Node],
        kind: Option<cli::Kind>,
        recoded: &Recoded,
        out: &mut Converted,
    ) -> Result<Option<(String, Vec<u8>)>, Error> {
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
        match kind {
            None => {}
            Some(cli::Kind::Oci) => new.media_type = Some(media_type::INDEX.into()),
            Some(cli::Kind::Docker) => {
                new.media_type = Some(media_type::DOCKER_INDEX.into());
                new.annotations.clear();
            }
        }
        if new == *index {
            return Ok(None);
        }
        let media_type = new.media_type.clone().unwrap_or_else(|| media_type::INDEX.into());
        Ok(Some((media_type, new.to_bytes().map_err(Error::Document)?)))
    }
}

/// Docker's words for an image. What they have no word for is left out (annotations) or
/// refused (artifacts, zstd).
fn to_docker(node: &Node, manifest: &mut Manifest) -> Result<(), Error> {
    let is_image = manifest.config.kind() == Kind::Config
        && manifest.artifact_type.is_none()
        && !node.descriptor.is_attestation();
    if !is_image {
        return Err(Error::NotAnImage(node.descriptor.digest.clone()));
    }
    manifest.media_type = Some(media_type::DOCKER_MANIFEST.into());
    manifest.config.media_type = media_type::DOCKER_CONFIG.into();
    manifest.annotations.clear();
    manifest.subject = None;
    for layer in &mut manifest.layers {
        layer.annotations.clear();
        layer.media_type = match in_docker(&layer.media_type) {
            Some(media_type) => media_type.into(),
            None => {
                let (digest, media_type) = (layer.digest.clone(), layer.media_type.clone());
                return Err(Error::NoDockerType { digest, media_type });
            }
        };
    }
    Ok(())
}

fn layer_format(media_type: &str) -> Option<Format> {
    Some(match media_type {
        media_type::LAYER | media_type::DOCKER_LAYER => Format::None,
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => Format::Gzip,
        media_type::LAYER_ZSTD | media_type::DOCKER_LAYER_ZSTD => Format::Zstd,
        _ => return None,
    })
}

fn layer_type(format: Format, docker: bool) -> &'static str {
    match (format, docker) {
        (Format::Gzip, false) => media_type::LAYER_GZIP,
        (Format::Gzip, true) => media_type::DOCKER_LAYER_GZIP,
        (Format::Zstd, false) => media_type::LAYER_ZSTD,
        (Format::Zstd, true) => media_type::DOCKER_LAYER_ZSTD,
        (_, false) => media_type::LAYER,
        (_, true) => media_type::DOCKER_LAYER,
    }
}

fn is_docker(layer: &Descriptor) -> bool {
    layer.media_type.starts_with("application/vnd.docker.")
}

/// OCI's word for docker's.
fn in_oci(media_type: &str) -> String {
    let docker = [
        (media_type::DOCKER_CONFIG, media_type::CONFIG),
        (media_type::DOCKER_LAYER, media_type::LAYER),
        (media_type::DOCKER_LAYER_GZIP, media_type::LAYER_GZIP),
        (media_type::DOCKER_LAYER_ZSTD, media_type::LAYER_ZSTD),
        (media_type::DOCKER_FOREIGN_LAYER_GZIP, media_type::NONDISTRIBUTABLE_GZIP),
    ];
    let word = docker.iter().find(|(docker, _)| *docker == media_type);
    word.map_or(media_type, |(_, oci)| oci).to_owned()
}

/// Docker's word for OCI's, if there is one that every reader knows.
fn in_docker(media_type: &str) -> Option<&str> {
    match media_type {
        media_type::LAYER => Some(media_type::DOCKER_LAYER),
        media_type::LAYER_GZIP => Some(media_type::DOCKER_LAYER_GZIP),
        media_type::NONDISTRIBUTABLE_GZIP => Some(media_type::DOCKER_FOREIGN_LAYER_GZIP),
        media_type::DOCKER_LAYER
        | media_type::DOCKER_LAYER_GZIP
        | media_type::DOCKER_FOREIGN_LAYER_GZIP => Some(media_type),
        _ => None,
    }
}
