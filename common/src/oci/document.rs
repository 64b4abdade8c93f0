//! Manifest and index, and telling them apart.
//!
//! A document that one reader takes for a manifest and another for an index is
//! refused (CVE-2021-41190): what it holds must agree with the media type it
//! states and with the one it was found under. Go's decoder ignores the case of
//! field names, so a field that differs from a known one in case only is refused too.

use serde::{Deserialize, Serialize};

use super::json::{Extra, is_default, null_as_default};
use super::media_type::{self, Kind};
use super::{Annotations, Descriptor, Error, from_json, to_json};

/// One image: a config and its layers (image-spec manifest.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always 2.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u64,
    /// What this document is; docker always says so, older OCI writers do not.
    #[serde(rename = "mediaType", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is if no image.
    #[serde(rename = "artifactType", default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image config.
    pub config: Descriptor,
    /// Base first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub annotations: Annotations,
    /// Fields that we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Manifest {
    /// An OCI manifest of `config` and `layers`.
    #[must_use]
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::MANIFEST.into()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: Annotations::new(),
            extra: Extra::new(),
        }
    }

    /// The bytes of this manifest, the same everywhere.
    ///
    /// # Errors
    /// See [`to_json`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        to_json(self, "manifest")
    }
}

/// Several manifests: an image for several platforms, or the images of a layout
/// (image-spec image-index.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// Always 2.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u64,
    /// What this document is; docker always says so, older OCI writers do not.
    #[serde(rename = "mediaType", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is if no image.
    #[serde(rename = "artifactType", default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// In no order that means anything.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this index is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub annotations: Annotations,
    /// Fields that we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Index {
    /// An OCI index of `manifests`.
    #[must_use]
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::INDEX.into()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: Annotations::new(),
            extra: Extra::new(),
        }
    }

    /// The bytes of this index, the same everywhere.
    ///
    /// # Errors
    /// See [`to_json`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        to_json(self, "index")
    }
}

/// What an image's digest points to.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// One image.
    Manifest(Box<Manifest>),
    /// Several.
    Index(Box<Index>),
}

/// The fields that decide what a document is, and those of docker's schema 1.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "schemaVersion", default)]
    schema_version: u64,
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
    #[serde(flatten)]
    fields: Extra,
}

const KNOWN: [&str; 9] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
];

impl Document {
    /// Parses what was found under `expected`, the media type of the descriptor
    /// that led here; empty if nothing told.
    ///
    /// # Errors
    /// Not JSON, too long, of another kind than `expected` or than it says itself,
    /// or ambiguous.
    pub fn parse(bytes: &[u8], expected: &str) -> Result<Self, Error> {
        let probe: Probe = from_json(bytes, "manifest or index")?;
        for name in probe.fields.keys() {
            if KNOWN.iter().any(|known| name != known && name.eq_ignore_ascii_case(known)) {
                return Err(Error::Ambiguous(format!(
                    "field '{name}' differs from a known one in case only"
                )));
            }
        }
        if probe.schema_version != 2 {
            return Err(Error::SchemaVersion(probe.schema_version));
        }
        let has = |name| probe.fields.contains_key(name);
        let stated = probe.media_type.as_deref().unwrap_or_default();
        if !stated.is_empty() && !expected.is_empty() && stated != expected {
            return Err(Error::Ambiguous(format!("media type is '{stated}', not '{expected}'")));
        }
        let name = if stated.is_empty() { expected } else { stated };
        let kind = match (media_type::kind(name), name) {
            (Kind::Other, "") if has("manifests") => Kind::Index,
            (Kind::Other, "") => Kind::Manifest,
            (kind, _) => kind,
        };
        match kind {
            Kind::Index if has("config") || has("layers") || has("fsLayers") => {
                Err(Error::Ambiguous("an index with the fields of a manifest".into()))
            }
            Kind::Index => Ok(Self::Index(Box::new(from_json(bytes, "index")?))),
            Kind::Manifest if has("manifests") || has("fsLayers") => {
                Err(Error::Ambiguous("a manifest with the fields of an index".into()))
            }
            Kind::Manifest => Ok(Self::Manifest(Box::new(from_json(bytes, "manifest")?))),
            _ => Err(Error::MediaType(name.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, Error, Index, Manifest};
    use crate::digest::Digest;
    use crate::oci::{Descriptor, media_type};

    fn config() -> Descriptor {
        Descriptor::new(media_type::CONFIG, Digest::of(b"{}"), 2)
    }

    #[test]
    fn a_manifest_survives_the_round_trip_with_unknown_fields() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{},"layers":null,"annotations":null,"new":{{"a":[1]}}}}"#,
            serde_json::to_string(&config()).unwrap()
        );
        let Document::Manifest(manifest) =
            Document::parse(text.as_bytes(), media_type::MANIFEST).unwrap()
        else {
            panic!("not a manifest");
        };
        assert_eq!(manifest.layers, []);
        let again = String::from_utf8(manifest.to_bytes().unwrap()).unwrap();
        assert!(again.ends_with(r#""layers":[],"new":{"a":[1]}}"#), "{again}");
    }

    #[test]
    fn confusing_documents_are_refused() {
        let manifest =
            String::from_utf8(Manifest::new(config(), vec![]).to_bytes().unwrap()).unwrap();
        let both = manifest.replacen('{', r#"{"manifests":[],"#, 1);
        let case = manifest.replacen('{', r#"{"Layers":[],"#, 1);
        let index = String::from_utf8(Index::new(vec![]).to_bytes().unwrap()).unwrap();
        let with_layers = index.replacen('{', r#"{"layers":[],"#, 1);
        for text in [&both, &case, &with_layers] {
            for expected in [media_type::MANIFEST, media_type::INDEX, ""] {
                let error = Document::parse(text.as_bytes(), expected).unwrap_err();
                assert!(matches!(error, Error::Ambiguous(_)), "{text}: {error}");
            }
        }
        for other in [media_type::INDEX, media_type::DOCKER_MANIFEST, media_type::CONFIG] {
            let error = Document::parse(manifest.as_bytes(), other).unwrap_err();
            assert!(matches!(error, Error::Ambiguous(_)), "{error}");
        }
        assert!(matches!(
            Document::parse(br#"{"schemaVersion":1,"fsLayers":[]}"#, ""),
            Err(Error::SchemaVersion(1))
        ));
        assert!(Document::parse(b"{\"schemaVersion\":2}", "").is_err());
        let deep = format!("{{\"schemaVersion\":2,\"x\":{}", "[".repeat(100_000));
        assert!(Document::parse(deep.as_bytes(), "").is_err());
    }
}
