//! Archives of docker before version 25: `manifest.json` lists configs and layers by
//! file name (moby image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset").
//!
//! Such an archive has no manifest in the sense of a registry, so one is made: its
//! layers' digests are the config's DiffIDs where they are plain tar, and what is read
//! of them is checked against that as everything is.

use std::io;
use std::sync::Arc;

use serde::Deserialize;

use super::{Archive, Place, Section};
use crate::compression::Format;
use crate::digest::{Digest, Hashing};
use crate::image::Error;
use crate::oci::{self, Descriptor, ImageConfig, Manifest, media_type};

/// One image in `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Listed {
    #[serde(rename = "Config", alias = "config")]
    config: String,
    #[serde(rename = "RepoTags", alias = "repoTags", default)]
    repo_tags: Option<Vec<String>>,
    #[serde(rename = "Layers", alias = "layers", default)]
    layers: Option<Vec<String>>,
}

impl Listed {
    pub(super) fn config(&self) -> &str {
        &self.config
    }

    /// The digest that the config's name says it has: `HEX.json` or `blobs/sha256/HEX`.
    pub(super) fn config_digest(&self) -> Option<Digest> {
        let name = self.config.rsplit('/').next()?;
        let hex = name.strip_suffix(".json").unwrap_or(name);
        let algorithm = if self.config.contains("sha512") { "sha512" } else { "sha256" };
        format!("{algorithm}:{hex}").parse().ok()
    }

    pub(super) fn names(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }

    fn layers(&self) -> &[String] {
        self.layers.as_deref().unwrap_or_default()
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Listed>, Error> {
    oci::from_json(bytes, "list of images")
        .map_err(|source| Error::Document { name: "manifest.json".into(), source })
}

impl Archive {
    /// Makes the manifest that `listed` has not; with it docker's image ID.
    pub(super) fn make_manifest(&mut self, listed: &Listed) -> Result<(Descriptor, Digest), Error> {
        let section = self.member(&listed.config)?;
        let bytes = self.member_document(listed.config.as_bytes(), section)?;
        let error = |source| Error::Document { name: listed.config.clone(), source };
        let config = ImageConfig::parse(&bytes).map_err(error)?;
        let id = Digest::of(&bytes);
        self.placed.insert(id.clone(), Place::File(section));
        let (layers, diff_ids) = (listed.layers().len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            return Err(Error::LayerCount { digest: id, layers, diff_ids });
        }
        let mut descriptors = Vec::new();
        for (name, diff_id) in listed.layers().iter().zip(&config.rootfs.diff_ids) {
            descriptors.push(self.layer(name, &diff_id.0)?);
        }
        let config = Descriptor::new(media_type::CONFIG, id.clone(), section.len_bytes);
        let manifest = Manifest::new(config, descriptors).to_bytes();
        let manifest =
            manifest.map_err(|source| Error::Document { name: "manifest".into(), source })?;
        let image =
            Descriptor::new(media_type::MANIFEST, Digest::of(&manifest), manifest.len() as u64);
        self.placed.insert(image.digest.clone(), Place::Memory(Arc::from(manifest)));
        Ok((image, id))
    }

    fn member(&self, name: &str) -> Result<Section, Error> {
        let missing = || Error::NotAnArchive(format!("{name} is listed but missing"));
        self.members.get(name.as_bytes()).ok_or_else(missing)
    }

    /// The descriptor of a layer, whose blob is then found by its digest.
    fn layer(&mut self, name: &str, diff_id: &Digest) -> Result<Descriptor, Error> {
        let section = self.member(name)?;
        let reading = |source| Error::Io { what: name.to_owned(), source };
        let start = self.bytes.start(section).map_err(reading)?;
        let (media_type, digest) = match Format::detect(&start) {
            Format::None => (media_type::LAYER, diff_id.clone()),
            Format::Gzip => (media_type::LAYER_GZIP, self.hash(section).map_err(reading)?),
            Format::Zstd => (media_type::LAYER_ZSTD, self.hash(section).map_err(reading)?),
            other => {
                let text = format!("{name}: no media type for a layer compressed with {other}");
                return Err(Error::NotAnArchive(text));
            }
        };
        self.placed.insert(digest.clone(), Place::File(section));
        Ok(Descriptor::new(media_type, digest, section.len_bytes))
    }

    fn hash(&self, section: Section) -> io::Result<Digest> {
        let file = self.bytes.file()?;
        let mut hashing = Hashing::new(section.reader(&file));
        io::copy(&mut hashing, &mut io::sink())?;
        Ok(hashing.finish().1)
    }
}
