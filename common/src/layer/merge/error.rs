//! Why there is no merged layer.

use std::io;

use crate::name::show;
use crate::root::InvalidPath;
use crate::tar;

/// Why layers cannot be merged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer is no good archive.
    #[error("{layer}")]
    Archive {
        /// The layer.
        layer: String,
        /// What is wrong.
        source: tar::Error,
    },
    /// A layer cannot be read, or kept while it is needed.
    #[error("{layer}")]
    Read {
        /// The layer.
        layer: String,
        /// What the system says.
        source: io::Error,
    },
    /// A member with a name that no layer can hold.
    #[error("{layer}: {}", show(.path))]
    Path {
        /// The layer.
        layer: String,
        /// The name.
        path: Vec<u8>,
        /// Why not.
        source: InvalidPath,
    },
    /// A whiteout of nothing, or one that is used as a directory.
    #[error("{layer}: {}: not a valid whiteout", show(.path))]
    Whiteout {
        /// The layer.
        layer: String,
        /// The name.
        path: Vec<u8>,
    },
    /// The root as something else than a directory.
    #[error("{layer}: {}: the root is a directory and nothing else", show(.path))]
    Root {
        /// The layer.
        layer: String,
        /// The name.
        path: Vec<u8>,
    },
    /// A chain of links without an end.
    #[error("{layer}: {}: too many symbolic links", show(.path))]
    TooManyLinks {
        /// The layer.
        layer: String,
        /// The name.
        path: Vec<u8>,
    },
    /// A hard link to a directory, which there is none of.
    #[error("{layer}: {}: hard link to a directory", show(.path))]
    LinkToDirectory {
        /// The layer.
        layer: String,
        /// The name.
        path: Vec<u8>,
    },
    /// A link to a file that no layer holds, and that one of them changes.
    #[error(
        "{}: hard link to {}, which none of the layers holds and one of them changes: \
         one layer cannot say this",
        show(.path), show(.target)
    )]
    LostLink {
        /// The link.
        path: Vec<u8>,
        /// What it is a link to.
        target: Vec<u8>,
    },
    /// The merged layer cannot be written.
    #[error(transparent)]
    Write(tar::Error),
}
