//! Where layers are put while a build goes on: the store, or a directory of its own if the
//! store cannot be written and nothing has to stay in it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::compression::MaxSize;
use common::store::{self, Store};
use registry::ReachOptions;
use rustix::fs::Access;

use crate::cli::Cli;
use crate::error::Error;
use crate::scratch::Scratch;
use crate::tree::Reading;

/// Where layers are, and where derived data may be kept.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) store: Arc<Store>,
    /// Removes the store when dropped, if the store is there for this build alone.
    own: Option<Scratch>,
    /// The folder of derived data.
    pub(crate) cache: Option<PathBuf>,
    /// The size that a layer may grow to.
    pub(crate) max_size: MaxSize,
    /// The way to the registries that the image is pushed to.
    pub(crate) registries: ReachOptions,
}

impl Place {
    /// The store of the arguments, or one for this build alone: see [`open`].
    ///
    /// # Errors
    /// A store that cannot be written, if the image is to stay in it.
    pub(crate) fn open(cli: &Cli, cache: Option<PathBuf>) -> Result<Self, Error> {
        let (store, own) = open(cli, cache.as_deref())?;
        let registries = cli.registries.clone();
        let max_size = cli.limit.max_size();
        Ok(Self { store: Arc::new(store), own, cache, max_size, registries })
    }

    /// Whether the store stays when the build is over.
    pub(crate) fn is_lasting(&self) -> bool {
        self.own.is_none()
    }

    /// Returns the way to read layers.
    pub(crate) fn reading(&self) -> Reading<'_> {
        let cache = self.cache.as_deref();
        Reading { store: &self.store, cache, max_size: self.max_size }
    }
}

/// A store to write to, and the directory that it vanishes with if it is not the user's.
///
/// # Errors
/// A store that cannot be written, if the image is to stay in it.
fn open(cli: &Cli, cache: Option<&Path>) -> Result<(Store, Option<Scratch>), Error> {
    let stays = cli.destinations.is_empty() || !cli.names.is_empty();
    let is_read_only = |source: &std::io::Error| {
        matches!(source.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
    };
    match cli.store.create() {
        Ok(store) if stays || is_writable(store.path()) => Ok((store, None)),
        Err(store::Error::Io { source, .. }) if !stays && is_read_only(&source) => own(cache),
        Ok(_) => own(cache),
        Err(error) => Err(error.into()),
    }
}

fn is_writable(store: &Path) -> bool {
    let blobs = store.join("blobs/sha256");
    [store, &blobs].iter().all(|dir| rustix::fs::access(*dir, Access::WRITE_OK).is_ok())
}

fn own(cache: Option<&Path>) -> Result<(Store, Option<Scratch>), Error> {
    // The cache may be as read-only as the store.
    let scratch = Scratch::new(cache).or_else(|_| Scratch::new(None))?;
    let store = Store::create(&scratch.dir("store")?)?;
    Ok((store, Some(scratch)))
}
