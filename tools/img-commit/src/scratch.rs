//! A store that lasts as long as the commit: what is new is kept in it until it is
//! written out with the rest, or merged.

use std::collections::HashMap;
use std::sync::Arc;

use common::cleanup::{self, Guard};
use common::cli::Failure;
use common::digest::Digest;
use common::image::{Error, Image, Origin};
use common::oci::Descriptor;
use common::store::{BlobReader, Store};

/// A temporary store, removed on every way out.
pub(crate) struct Scratch {
    pub(crate) store: Arc<Store>,
    _guard: Guard,
    _folder: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("layerutils-").tempdir();
        let folder = folder.map_err(|error| Failure::about("temporary folder", error))?;
        let leftover = folder.path().to_path_buf();
        let guard = cleanup::register(move || {
            let _ = std::fs::remove_dir_all(leftover);
        });
        let store = Arc::new(Store::create(folder.path())?);
        Ok(Self { store, _guard: guard, _folder: folder })
    }
}

/// A new image that lies in a scratch store but for what it has from others.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) new: Arc<Store>,
    /// The layers that it has from other images.
    pub(crate) others: HashMap<Digest, Arc<Image>>,
}

impl Origin for Assembled {
    fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        if self.new.contains(blob) {
            return Ok(self.new.blob(blob)?);
        }
        match self.others.get(&blob.digest) {
            Some(image) => image.blob(blob),
            None => Ok(self.new.blob(blob)?),
        }
    }
}
