//! The descriptor: what a blob is, its digest and its size (image-spec descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json::{Extra, is_default, null_as_default};
use super::{Platform, media_type};
use crate::digest::Digest;
use crate::json;

/// Free-form notes on a document (image-spec annotations.md).
pub type Annotations = BTreeMap<String, String>;

/// Points to a blob and says how to check it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What the blob holds.
    #[serde(rename = "mediaType", default, deserialize_with = "null_as_default")]
    pub media_type: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    #[serde(rename = "size")]
    pub len_bytes: u64,
    /// Where else it may be had: for layers that are not to be redistributed.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub urls: Vec<String>,
    /// Notes; in a layout's index, the image's name.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub annotations: Annotations,
    /// The platform of a manifest in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What the manifest it points to is, if no image.
    #[serde(rename = "artifactType", default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Everything else, `data` among it.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Descriptor {
    /// A descriptor with nothing but the three fields that all have.
    #[must_use]
    pub fn new(media_type: impl Into<String>, digest: Digest, len_bytes: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            len_bytes,
            urls: Vec::new(),
            annotations: Annotations::new(),
            platform: None,
            artifact_type: None,
            extra: Extra::new(),
        }
    }

    /// What the media type promises.
    #[must_use]
    pub fn kind(&self) -> media_type::Kind {
        media_type::kind(&self.media_type)
    }

    /// The content that is embedded in the descriptor, if it is of the length that the
    /// descriptor says; the digest is for the caller to check.
    #[must_use]
    pub fn embedded(&self) -> Option<Vec<u8>> {
        let bytes = json::from_base64(self.extra.get("data")?.as_str()?.as_bytes())?;
        (bytes.len() as u64 == self.len_bytes).then_some(bytes)
    }

    /// The name that a layout's index gives the image.
    #[must_use]
    pub fn ref_name(&self) -> Option<&str> {
        self.annotations.get(super::REF_NAME).map(String::as_str)
    }

    /// Whether this is BuildKit's note about an image (provenance, SBOM) and no image.
    #[must_use]
    pub fn is_attestation(&self) -> bool {
        self.annotations
            .get("vnd.docker.reference.type")
            .is_some_and(|of| of == "attestation-manifest")
            || self.platform.as_ref().is_some_and(|platform| {
                platform.os == "unknown" && platform.architecture == "unknown"
            })
    }
}
