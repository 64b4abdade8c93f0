//! Layers unpacked into the cache, once, in overlay form.
//!
//! Derived data: keyed by digest, and deleting it costs time only. Owns the
//! cache's location and its locks; what a layer means is `layer::apply`'s.

use std::io::Read;
use std::path::PathBuf;

use crate::digest::DiffId;

/// The cache of unpacked layers.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
}

/// Why a layer is not in the cache and cannot be put there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No place for the cache is known.
    #[error("no place for the cache of unpacked layers: neither XDG_CACHE_HOME nor HOME is set")]
    NoPlace,
    /// A file of the cache.
    #[error("{}", crate::name::show_path(.path))]
    File {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Cache {
    /// Opens the cache at `$XDG_CACHE_HOME/layerutils`, or `~/.cache/layerutils`;
    /// root's is `/var/cache/layerutils`. Made, for its owner only, where it is missing.
    ///
    /// # Errors
    /// No place for it, or a place that cannot be used.
    pub fn open() -> Result<Self, Error> {
        Err(Error::NoPlace)
    }

    /// The directory where everything derived is kept.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    /// The layers of an image as directories for [`crate::mount::Overlay`], base
    /// first, unpacked where they are not there yet. `open` gives the stream of
    /// the layer with this index in any compression, and is called only if needed.
    ///
    /// # Errors
    /// A layer that cannot be read or unpacked, or has another DiffID; `open`'s own.
    pub fn layers<E: From<Error>>(
        &self,
        diff_ids: &[DiffId],
        open: impl FnMut(usize) -> Result<Box<dyn Read>, E>,
    ) -> Result<Vec<PathBuf>, E> {
        let _ = (diff_ids, open);
        Err(Error::NoPlace.into())
    }
}
