//! The descriptor: what a blob is, its digest and its size (image-spec descriptor.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::json::{Extra, is_default, null_as_default};
use super::{Error, Platform, media_type};
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

    /// Refuses what the specification does not allow in a descriptor. A media type may be
    /// missing, as old writers leave it out.
    ///
    /// # Errors
    /// A malformed media type, artifact type, URL or content.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let invalid = |what: &str, text: &str| Err(Error::Invalid(format!("{what} '{text}'")));
        if !self.media_type.is_empty() && !media_type::is_valid(&self.media_type) {
            return invalid("media type", &self.media_type);
        }
        if let Some(artifact_type) = &self.artifact_type {
            if !media_type::is_valid(artifact_type) {
                return invalid("artifact type", artifact_type);
            }
        }
        if let Some(url) = self.urls.iter().find(|url| !is_url(url)) {
            return invalid("URL", url);
        }
        match self.extra.get("data") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(data))
                if data.len() % 4 == 0 && json::from_base64(data.as_bytes()).is_some() =>
            {
                Ok(())
            }
            Some(_) => Err(Error::Invalid("embedded content: not base64".into())),
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

/// Whether a text is a URI with a scheme (RFC 3986, section 3).
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme)
        && !rest.is_empty()
        && !text.contains(|character: char| character.is_whitespace() || character.is_control())
}

#[cfg(test)]
mod tests {
    use super::Descriptor;
    use crate::digest::Digest;
    use serde_json::{Value, json};

    /// A descriptor with one field changed, checked.
    fn check(field: &str, value: Value) -> bool {
        let mut descriptor = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest::of(b"").to_string(),
            "size": 34,
        });
        descriptor[field] = value;
        let parsed: Result<Descriptor, _> = serde_json::from_value(descriptor);
        parsed.is_ok_and(|descriptor| descriptor.check().is_ok())
    }

    #[test]
    fn what_the_specification_allows_is_taken_and_nothing_else() {
        let longest = "1".repeat(127);
        for good in [
            "a/b",
            "text/plain; charset=utf-8",
            "x/vnd.a-b_c.v1+json",
            &format!("{longest}/{longest}"),
        ] {
            assert!(check("mediaType", json!(good)), "{good}");
            assert!(check("artifactType", json!(good)), "{good}");
        }
        let long = format!("a/1{longest}");
        for bad in ["application", ".a/b", "a/.b", "a/", "/b", "a/b/c", "a/b c", &long, "a/é"] {
            assert!(!check("mediaType", json!(bad)), "{bad}");
            assert!(!check("artifactType", json!(bad)), "{bad}");
        }
        for good in ["https://example.com/a", "file:///a", "urn:x"] {
            assert!(check("urls", json!([good])), "{good}");
        }
        for bad in ["value", "", "://x", "1a:b", "https://a b", "a:"] {
            assert!(!check("urls", json!(["https://good", bad])), "{bad}");
        }
        assert!(check("data", json!("aHR0cHM6Ly9leGFtcGxlLmNvbQo=")));
        assert!(check("data", json!(null)));
        for bad in [json!("aHR0cHM6Ly9leGFtcGxlLmNvbQo"), json!("a b="), json!(1)] {
            assert!(!check("data", bad.clone()), "{bad}");
        }
        for bad in [json!("34"), json!(-34), json!(null)] {
            assert!(!check("size", bad.clone()), "{bad}");
        }
        let upper = Digest::of(b"").to_string().to_uppercase();
        for bad in [json!(upper), json!("sha256"), json!(":a"), json!("sha256:a")] {
            assert!(!check("digest", bad.clone()), "{bad}");
        }
    }
}
