//! Where an image's blobs come from.

use std::sync::Arc;

use super::Error;
use super::archive::Archive;
use crate::digest::Digest;
use crate::oci::Descriptor;
use crate::store::{BlobReader, Store, read_checked};

/// A layout on disk, or an archive.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Store(Arc<Store>),
    Archive(Arc<Archive>),
    /// A store with what is new, and where the rest is.
    Above(Arc<Store>, Box<Source>),
}

impl Source {
    pub(super) fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        match self {
            Self::Store(store) => Ok(store.blob(blob)?),
            Self::Archive(archive) => archive.blob(blob),
            Self::Above(store, _) if store.contains(blob) => Ok(store.blob(blob)?),
            Self::Above(_, below) => below.blob(blob),
        }
    }

    /// A document, checked, bounded in length.
    pub(super) fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        Ok(read_checked(self.blob(blob)?, blob)?)
    }

    /// The blob of this digest, whatever it holds.
    pub(super) fn find(&self, digest: &Digest) -> Option<Descriptor> {
        let in_store = |store: &Store| Some(std::fs::metadata(store.blob_path(digest)).ok()?.len());
        let len_bytes = match self {
            Self::Store(store) => in_store(store)?,
            Self::Archive(archive) => archive.len_of(digest)?,
            Self::Above(store, below) => match in_store(store) {
                Some(len_bytes) => len_bytes,
                None => return below.find(digest),
            },
        };
        Some(Descriptor::new("", digest.clone(), len_bytes))
    }
}
