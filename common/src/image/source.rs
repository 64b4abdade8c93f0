//! Where an image's blobs come from.

use std::fmt::Debug;
use std::fs::File;
use std::sync::Arc;

use super::Error;
use super::archive::Archive;
use crate::digest::Digest;
use crate::oci::Descriptor;
use crate::store::{BlobReader, Store, read_checked};

/// Where blobs come from that lie neither in a layout nor in an archive: a registry,
/// or another image that is changed on its way.
pub trait Origin: Debug + Send + Sync {
    /// Opens the blob of this descriptor, a manifest or index as any other.
    ///
    /// # Errors
    /// A blob that is not there.
    fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error>;
}

/// A layout on disk, an archive, or elsewhere.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Store(Arc<Store>),
    Archive(Arc<Archive>),
    Origin(Arc<dyn Origin>),
}

impl Source {
    pub(super) fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        match self {
            Self::Store(store) => Ok(store.blob(blob)?),
            Self::Archive(archive) => archive.blob(blob),
            Self::Origin(origin) => origin.blob(blob),
        }
    }

    /// The file that holds this blob and nothing else, where there is one.
    pub(super) fn file(&self, blob: &Descriptor) -> Option<Arc<File>> {
        match self {
            Self::Store(store) => store.blob_file(blob).ok().map(Arc::new),
            Self::Archive(_) | Self::Origin(_) => None,
        }
    }

    /// Puts a blob into `store` without copying it; false where that cannot be.
    pub(super) fn share(&self, blob: &Descriptor, store: &Store) -> Result<bool, Error> {
        match self.file(blob) {
            Some(file) => Ok(store.adopt(&file, blob)?),
            None => Ok(false),
        }
    }

    /// Puts a blob into `store`, unless it is there.
    pub(super) fn copy(&self, blob: &Descriptor, store: &Store) -> Result<(), Error> {
        if store.contains(blob) {
            return Ok(());
        }
        if self.share(blob, store)? {
            return Ok(());
        }
        Ok(store.receive(self.blob(blob)?, |_| {})?)
    }

    /// A document, checked, bounded in length.
    pub(super) fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        Ok(read_checked(self.blob(blob)?, blob)?)
    }

    /// The blob of this digest, whatever it holds.
    pub(super) fn find(&self, digest: &Digest) -> Option<Descriptor> {
        let len_bytes = match self {
            Self::Store(store) => std::fs::metadata(store.blob_path(digest)).ok()?.len(),
            Self::Archive(archive) => archive.len_of(digest)?,
            Self::Origin(_) => return None,
        };
        Some(Descriptor::new("", digest.clone(), len_bytes))
    }
}
