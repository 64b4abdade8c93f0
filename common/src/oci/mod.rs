//! The documents of the OCI image format, as structs: descriptor, manifest, index, config.
//!
//! Owns what image-spec's descriptor.md, manifest.md, image-index.md, config.md and
//! media-types.md define, in their OCI and docker schema 2 dress, and the rules for
//! taking them from a stranger (size limit, media type against content). Unknown
//! fields, docker's own among them, survive reading and writing. Where the
//! documents lie, and whether their bytes match their digest, is for [`crate::store`]
//! and [`crate::image`].

mod config;
mod descriptor;
mod document;
mod format;
mod json;
mod layout;
pub mod media_type;
mod platform;

pub use config::{ContainerConfig, Empty, Healthcheck, History, ImageConfig, RootFs};
pub use descriptor::{Annotations, Descriptor};
pub(crate) use document::Probe;
pub use document::{Document, Index, Manifest};
pub use format::ManifestFormat;
pub use json::{Extra, MAX_DOCUMENT_LEN_BYTES, from_json, to_json};
pub use layout::{LAYOUT, check_layout};
pub use platform::{InvalidPlatform, Platform};

/// The annotation with which BuildKit's attestations name their image.
pub const ATTESTED: &str = "vnd.docker.reference.digest";

/// The annotation that names an image in a layout's index.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Why bytes are not the document they are said to be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Longer than any registry takes.
    #[error("{what}: longer than {MAX_DOCUMENT_LEN_BYTES} bytes")]
    TooLong {
        /// The kind of document.
        what: &'static str,
    },
    /// Not JSON, or not of this shape.
    #[error("not a valid {what}")]
    Json {
        /// The kind of document.
        what: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A document that two readers could take for two things (CVE-2021-41190).
    #[error("ambiguous document: {0}")]
    Ambiguous(String),
    /// A media type that is neither a manifest's nor an index's.
    #[error("not an image: media type '{}'", crate::name::show(.0))]
    MediaType(String),
    /// A media type that has no counterpart in docker's format.
    #[error("'{}' has no counterpart in docker's format", crate::name::show(.0))]
    NotDockers(String),
    /// A layer that docker's format has no type for, whatever some write.
    #[error("docker's format has no layers compressed with zstd")]
    DockersZstd,
    /// Something that the specification does not allow.
    #[error("invalid {}", crate::name::show(.0))]
    Invalid(String),
    /// A layout of a later specification.
    #[error("image layout version '{}' is not supported", crate::name::show(.0))]
    LayoutVersion(String),
    /// A schema version other than 2.
    #[error("schema version {0} is not supported, only 2")]
    SchemaVersion(u64),
}
