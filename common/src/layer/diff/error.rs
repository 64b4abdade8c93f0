//! Why there is no layer.

use std::error::Error as StdError;
use std::io;

use crate::name::show;
use crate::tar;

/// What a sink fails with.
pub type SinkError = Box<dyn StdError + Send + Sync>;

/// Why a comparison ends early. Paths begin with the tree they are in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something in a tree cannot be read.
    #[error("{}", show(.path))]
    Read {
        /// What was read.
        path: Vec<u8>,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it was when it was first looked at.
    #[error("{}: changed while it was being read", show(.path))]
    Unstable {
        /// The file.
        path: Vec<u8>,
    },
    /// A name that stands for something else in a layer.
    #[error("{}: a layer cannot hold a name that begins with '.wh.'", show(.path))]
    ReservedName {
        /// The name.
        path: Vec<u8>,
    },
    /// A device that stands for a deletion in overlay's directories.
    #[error(
        "{}: character device 0:0 is an overlay whiteout, which a layer cannot hold \
         (is this an upper directory?)",
        show(.path)
    )]
    WhiteoutDevice {
        /// The device.
        path: Vec<u8>,
    },
    /// An attribute that makes the visible tree differ from the stored one.
    #[error(
        "{}: has the attribute {} of an overlay upper directory, which a tree cannot have",
        show(.path), show(.name)
    )]
    OverlayXattr {
        /// The file or directory.
        path: Vec<u8>,
        /// The attribute.
        name: Vec<u8>,
    },
    /// A socket, where they are refused.
    #[error("{}: a layer cannot hold a socket", show(.path))]
    Socket {
        /// The socket.
        path: Vec<u8>,
    },
    /// An upper directory that refers to lower ones.
    #[error("{}: {what} in the lower directories, which were not given", show(.path))]
    LowerNeeded {
        /// The file or directory.
        path: Vec<u8>,
        /// What it does there.
        what: &'static str,
    },
    /// A metadata-only copy without its data, or another broken reference.
    #[error("{}: {what}", show(.path))]
    BrokenOverlay {
        /// The file or directory.
        path: Vec<u8>,
        /// What is wrong.
        what: &'static str,
    },
    /// A file that the mount shows under more names than the upper directory has, or an
    /// upper directory where that cannot be told.
    #[error(
        "{}: its mount keeps hard links (index=on), and may show files under names that \
         the upper directory has not",
        show(.path)
    )]
    HiddenNames {
        /// The file.
        path: Vec<u8>,
    },
    /// The content of a layer.
    #[error(transparent)]
    Content(io::Error),
    /// Where the changes went to.
    #[error(transparent)]
    Sink(SinkError),
}

impl From<io::Error> for Error {
    /// An error that says of itself what it is about.
    fn from(error: io::Error) -> Self {
        Self::Content(error)
    }
}

impl From<tar::Error> for Error {
    fn from(error: tar::Error) -> Self {
        Self::Sink(Box::new(error))
    }
}

impl Error {
    /// What a sink says: what went wrong with a tree, or with where the changes went to.
    pub(super) fn of_sink(error: SinkError) -> Self {
        error.downcast().map_or_else(Self::Sink, |error| *error)
    }

    pub(in crate::layer) fn read(path: Vec<u8>, source: impl Into<io::Error>) -> Self {
        Self::Read { path, source: source.into() }
    }
}
