//! Media types, and what each says (image-spec media-types.md; docker's
//! distribution spec "Image Manifest Version 2, Schema 2").

/// An OCI index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// A layer as plain tar: what we write.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// A layer compressed with gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A layer compressed with zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// The config of what is no image (image-spec 1.1).
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// Docker's index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's layer as plain tar.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker's layer compressed with gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker's layer compressed with zstd, as some builders write it.
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";
/// Docker's layer that may not be redistributed.
pub const DOCKER_FOREIGN_LAYER_GZIP: &str =
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
pub(super) const DOCKER_FOREIGN_LAYER: &str =
    "application/vnd.docker.image.rootfs.foreign.diff.tar";

pub(super) const NONDISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// A layer that may not be redistributed, compressed with gzip.
pub const NONDISTRIBUTABLE_GZIP: &str =
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const NONDISTRIBUTABLE_ZSTD: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";

/// What kind of content a media type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An index of manifests.
    Index,
    /// A manifest.
    Manifest,
    /// An image config.
    Config,
    /// A layer.
    Layer,
    /// A layer that is not to be redistributed: it may be absent, and its `urls`
    /// tell where it is.
    ForeignLayer,
    /// Anything else.
    Other,
}

/// Classifies a media type; parameters (`; charset=...`) are not part of it.
#[must_use]
pub fn kind(media_type: &str) -> Kind {
    match essence(media_type) {
        INDEX | DOCKER_INDEX => Kind::Index,
        MANIFEST | DOCKER_MANIFEST => Kind::Manifest,
        CONFIG | DOCKER_CONFIG => Kind::Config,
        LAYER | LAYER_GZIP | LAYER_ZSTD | DOCKER_LAYER | DOCKER_LAYER_GZIP | DOCKER_LAYER_ZSTD => {
            Kind::Layer
        }
        NONDISTRIBUTABLE
        | NONDISTRIBUTABLE_GZIP
        | NONDISTRIBUTABLE_ZSTD
        | DOCKER_FOREIGN_LAYER
        | DOCKER_FOREIGN_LAYER_GZIP => Kind::ForeignLayer,
        _ => Kind::Other,
    }
}

/// Whether a text is a media type as the specification takes one (RFC 6838, section 4.2),
/// parameters aside.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        (1..=MAX_NAME_LEN).contains(&name.len())
            && name.bytes().all(allowed)
            && name.starts_with(|first: char| first.is_ascii_alphanumeric())
    };
    essence(text).split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

/// The longest name on either side of the slash.
const MAX_NAME_LEN: usize = 127;

/// A media type without its parameters.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim_end()
}
