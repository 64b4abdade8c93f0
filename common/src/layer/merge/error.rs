//! Why there is no merged layer.

use std::io;

use crate::compression::TooLarge;
use crate::layer::apply::Problem;
use crate::name::show;
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
    /// A layer that grows too large, holes included.
    #[error("{layer}")]
    TooLarge {
        /// The layer.
        layer: String,
        /// The limit.
        source: TooLarge,
    },
    /// A member that `layer-apply` would refuse, too, whatever the tree.
    #[error("{layer}: {}", show(.path))]
    Member {
        /// The layer.
        layer: String,
        /// The member's path, as stored.
        path: Vec<u8>,
        /// What is wrong with it.
        #[source]
        problem: Problem,
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
