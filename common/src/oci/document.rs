//! Manifest and index, and telling them apart.
//!
//! A document that one reader takes for a manifest and another for an index is
//! refused (CVE-2021-41190): what it holds must agree with the media type it
//! states and with the one it was found under. Go's decoder ignores the case of
//! field names, so a field that differs from a known one in case only is refused too.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use serde_json::{Map, Value};

use super::json::{Extra, is_default, null_as_default};
use super::media_type::{self, Kind};
use super::{Annotations, Descriptor, Error, from_json, to_json};
use crate::digest::Digest;

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
    /// In no order that means anything; without those that have a digest of an algorithm
    /// that we do not know.
    #[serde(default, deserialize_with = "known")]
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

/// Reads descriptors, but for those whose content cannot be checked.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Descriptor>, D::Error> {
    let all: Vec<Members> = null_as_default(deserializer)?;
    let is_known = |Members(descriptor): &Members| {
        let digest = descriptor.get("digest").and_then(Value::as_str);
        !digest.is_some_and(Digest::is_foreign)
    };
    let known = all.into_iter().filter(is_known).map(|Members(one)| Value::Object(one));
    known.map(|one| Descriptor::deserialize(one).map_err(D::Error::custom)).collect()
}

/// An object without duplicate members: of those, different readers could use different ones.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a descriptor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format!("duplicate field `{name}`")));
                    }
                    members.insert(name, value);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
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

    /// Parses the `index.json` of a layout, which some write as docker's list.
    ///
    /// # Errors
    /// As [`Document::parse`]; anything but an index.
    pub fn of_layout(bytes: &[u8]) -> Result<Self, Error> {
        let probe: Probe = from_json(bytes, "index")?;
        probe.layout_kind()?;
        let index: Self = from_json(bytes, "index")?;
        index.manifests.iter().try_for_each(Descriptor::check)?;
        Ok(index)
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

/// The fields that decide what a document is. Their values are not kept, so that a long
/// document costs no more than its bytes.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// Its schema version; 0 if it has none.
    pub(crate) schema_version: u64,
    /// The media type that it states.
    pub(crate) media_type: Option<String>,
    /// Those of the fields in [`KNOWN`] that it has.
    has: [bool; KNOWN.len()],
    /// A field that Go would take for a known one.
    ambiguous: Option<String>,
}

/// Beside ours, that of docker's schema 1.
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

impl Probe {
    /// Notes that the document has a field of this name.
    pub(crate) fn note(&mut self, name: &str) {
        for (known, has) in KNOWN.iter().zip(&mut self.has) {
            if *known == name {
                *has = true;
            } else if self.ambiguous.is_none() && name.eq_ignore_ascii_case(known) {
                self.ambiguous = Some(name.to_owned());
            }
        }
    }

    /// Whether the document has this known field.
    pub(crate) fn has(&self, name: &str) -> bool {
        KNOWN.iter().zip(self.has).any(|(known, has)| *known == name && has)
    }

    /// Checks that the document is the `index.json` of a layout, which some write as docker's
    /// list.
    ///
    /// # Errors
    /// As [`Probe::kind`].
    pub(crate) fn layout_kind(&self) -> Result<Kind, Error> {
        let is_docker = self.media_type.as_deref() == Some(media_type::DOCKER_INDEX);
        // Either media type leaves nothing but an index.
        self.kind(if is_docker { media_type::DOCKER_INDEX } else { media_type::INDEX })
    }

    /// What the document is, a manifest or an index: see [`Document::parse`].
    ///
    /// # Errors
    /// Of another kind than `expected` or than it says itself, or ambiguous.
    pub(crate) fn kind(&self, expected: &str) -> Result<Kind, Error> {
        if let Some(name) = &self.ambiguous {
            let text = format!("field '{name}' differs from a known one in case only");
            return Err(Error::Ambiguous(text));
        }
        if self.schema_version != 2 {
            return Err(Error::SchemaVersion(self.schema_version));
        }
        let stated = self.media_type.as_deref().unwrap_or_default();
        if !stated.is_empty() && !expected.is_empty() && stated != expected {
            return Err(Error::Ambiguous(format!("media type is '{stated}', not '{expected}'")));
        }
        let name = if stated.is_empty() { expected } else { stated };
        let kind = match (media_type::kind(name), name) {
            (Kind::Other, "") if self.has("manifests") => Kind::Index,
            (Kind::Other, "") => Kind::Manifest,
            (kind, _) => kind,
        };
        match kind {
            Kind::Index if self.has("config") || self.has("layers") || self.has("fsLayers") => {
                Err(Error::Ambiguous("an index with the fields of a manifest".into()))
            }
            Kind::Manifest if self.has("manifests") || self.has("fsLayers") => {
                Err(Error::Ambiguous("a manifest with the fields of an index".into()))
            }
            Kind::Index | Kind::Manifest => Ok(kind),
            _ => Err(Error::MediaType(name.into())),
        }
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ProbeVisitor)
    }
}

struct ProbeVisitor;

impl<'de> Visitor<'de> for ProbeVisitor {
    type Value = Probe;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest or index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Probe, A::Error> {
        let mut probe = Probe::default();
        while let Some(name) = fields.next_key::<String>()? {
            probe.note(&name);
            match name.as_str() {
                "schemaVersion" => probe.schema_version = fields.next_value()?,
                "mediaType" => probe.media_type = fields.next_value()?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(probe)
    }
}

impl Document {
    /// Parses what was found under `expected`, the media type of the descriptor
    /// that led here; empty if nothing told.
    ///
    /// # Errors
    /// Not JSON, too long, of another kind than `expected` or than it says itself,
    /// or ambiguous.
    pub fn parse(bytes: &[u8], expected: &str) -> Result<Self, Error> {
        let probe: Probe = from_json(bytes, "manifest or index")?;
        let document = match probe.kind(expected)? {
            Kind::Index => Self::Index(Box::new(from_json(bytes, "index")?)),
            _ => Self::Manifest(Box::new(from_json(bytes, "manifest")?)),
        };
        document.check()?;
        Ok(document)
    }

    /// Refuses what the specification does not allow.
    fn check(&self) -> Result<(), Error> {
        let (artifact_type, subject) = match self {
            Self::Manifest(manifest) => {
                manifest.config.check()?;
                manifest.layers.iter().try_for_each(Descriptor::check)?;
                (&manifest.artifact_type, &manifest.subject)
            }
            Self::Index(index) => {
                index.manifests.iter().try_for_each(Descriptor::check)?;
                (&index.artifact_type, &index.subject)
            }
        };
        match artifact_type {
            Some(text) if !media_type::is_valid(text) => {
                return Err(Error::Invalid(format!("artifact type '{text}'")));
            }
            _ => {}
        }
        subject.iter().try_for_each(Descriptor::check)
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
    fn an_entry_with_two_digests_is_refused() {
        let entry = serde_json::to_string(&config()).unwrap();
        let twice = entry.replacen('{', "{\"digest\":\"sha256:00\",", 1);
        for (entry, is_read) in [(entry, true), (twice, false)] {
            let text = format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#);
            assert_eq!(Document::parse(text.as_bytes(), media_type::INDEX).is_ok(), is_read);
        }
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
