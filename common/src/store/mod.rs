//! The store: a plain OCI image layout that skopeo, umoci and podman open in place.
//!
//! Owns image-spec image-layout.md: `oci-layout`, `index.json` and `blobs/`. Any number
//! of processes may use one store at once, and a crash at any instant leaves a valid
//! layout:
//!
//! - A blob is written to a file without a name, synced, and linked to the name that its
//!   digest gives it: no other process ever sees half of it (`blob`).
//! - The index changes under an exclusive lock and by rename, after the blobs' folder is
//!   synced (`write`); a reserve of room lets names go from a full disk.
//! - Who adds images holds a second lock, shared, from its first blob until it is done;
//!   who removes blobs takes it exclusively. So what is not named yet is not swept away.
//!
//! Files are reached by name from an open directory, never through a link to a directory
//! (`dir`); the index is edited as text, so that it may be long (`index`).
//!
//! What the blobs mean is for [`crate::oci`]; finding an image by what a user typed, in
//! the store or elsewhere, for [`crate::image`].

mod adopt;
mod blob;
mod check;
mod dir;
mod index;
mod layout;
mod location;
mod lock;
mod name;
mod names;
mod reach;
mod removal;
mod snapshot;
#[cfg(test)]
mod tests;
mod unmake;
mod walk;
mod write;

use std::io;
use std::path::{Path, PathBuf};

pub use blob::{BlobReader, BlobWriter};
pub use check::Finding;
pub(crate) use index::{CHOSEN_FROM, CONTAINERD_NAME};
pub use index::{Entries, Entry, MAX_INDEX_LEN_BYTES};
pub use layout::Store;
pub(crate) use layout::read_checked;
pub use location::Location;
pub(crate) use name::whole_name;
pub use name::{InvalidName, Name};
pub use reach::{Pruned, Pruning};
pub use removal::Removed;

use crate::digest::Digest;
use crate::human::count;
use crate::layer::verify;
use crate::oci;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the store is.
    #[error(
        "no place for the store: --store, LAYERUTILS_STORE, XDG_DATA_HOME and HOME are all unset"
    )]
    NoLocation,
    /// There is no store yet.
    #[error("{}: no such store", crate::name::show_path(.0))]
    Missing(PathBuf),
    /// A folder that is something else.
    #[error("{}: not an OCI image layout", crate::name::show_path(.0))]
    NotALayout(PathBuf),
    /// A file or folder of the store that cannot be used.
    #[error("{}", crate::name::show_path(.path))]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A document that cannot be read or written.
    #[error("{name}")]
    Document {
        /// A digest, or the path of the index.
        name: String,
        /// What is wrong with it.
        source: oci::Error,
    },
    /// Somebody has been adding images for longer than it is waited for.
    #[error("{}: busy: images are being added to it", crate::name::show_path(.0))]
    Busy(PathBuf),
    /// A blob that is not there.
    #[error("blob {0} is missing")]
    NoBlob(Digest),
    /// A blob whose length is not what its descriptor says.
    #[error("blob {digest}: size mismatch: expected {}, got {actual}", crate::human::count(*.expected, "byte", "bytes"))]
    Size {
        /// Which blob.
        digest: Digest,
        /// What the descriptor says.
        expected: u64,
        /// What is there; at least so many, where reading stopped.
        actual: u64,
    },
    /// A blob that cannot be read where it comes from.
    #[error("blob {digest}")]
    Source {
        /// Which.
        digest: Digest,
        /// Why.
        source: io::Error,
    },
    /// Bytes that do not hash to what their descriptor says.
    #[error("digest mismatch: expected {expected}, got {actual}")]
    Digest {
        /// What the descriptor says.
        expected: Digest,
        /// What is there.
        actual: Digest,
    },
    /// A blob that is not the layer that its image says.
    #[error("layer {blob}")]
    Layer {
        /// The layer's blob.
        blob: Digest,
        /// What is wrong with it.
        source: verify::Error,
    },
    /// A manifest and a config that do not belong together.
    #[error("{digest}: the manifest has {}, the config {}", count(*.layers as u64, "layer", "layers"), count(*.diff_ids as u64, "DiffID", "DiffIDs"))]
    LayerCount {
        /// The manifest.
        digest: Digest,
        /// Its layers.
        layers: usize,
        /// The config's DiffIDs.
        diff_ids: usize,
    },
    /// A name that several entries of the index have.
    #[error("several images in the index have this name: {}", crate::name::show(.0))]
    SameName(String),
    /// No image has this name or digest.
    #[error("{}: no such image in {}", crate::name::show(.name), crate::name::show_path(.store))]
    NoImage {
        /// As the user typed it.
        name: String,
        /// Where it was looked for.
        store: PathBuf,
    },
    /// Several images have digests that begin so.
    #[error("{}: ambiguous: {count} images have digests that begin so", crate::name::show(.prefix))]
    AmbiguousDigest {
        /// As the user typed it.
        prefix: String,
        /// How many.
        count: usize,
    },
    /// A digest that would take several names away.
    #[error("{digest} has several names: {}", crate::name::show(.names))]
    SeveralNames {
        /// Which image.
        digest: Digest,
        /// Its names.
        names: String,
    },
    /// A text that is not a name.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

impl Error {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    fn document(path: &Path) -> impl FnOnce(oci::Error) -> Self {
        let name = crate::name::show_path(path).to_string();
        move |source| Self::Document { name, source }
    }
}
