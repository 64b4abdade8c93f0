//! Where an image's blobs come from.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::File;
use std::sync::Arc;

use super::archive::Archive;
use super::{Error, Found};
use crate::compression::MaxSize;
use crate::digest::{DiffId, Digest};
use crate::layer::verify;
use crate::oci::Descriptor;
use crate::store::{self, BlobReader, Store, read_checked};

/// Where blobs come from that lie neither in a layout nor in an archive: a registry,
/// or another image that is changed on its way.
pub trait Origin: Debug + Send + Sync {
    /// Opens the blob of this descriptor, a manifest or index as any other.
    ///
    /// # Errors
    /// A blob that is not there.
    fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error>;
}

/// Access to registries, for an [`super::Opener`] that needs it.
pub trait Registries: Debug {
    /// Finds the image that `text`, which begins with `docker://`, names.
    ///
    /// # Errors
    /// A malformed name; a registry that does not have it, or does not answer.
    fn find(&self, text: &OsStr) -> Result<Found, Error>;
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
        let embedded = || Some(BlobReader::in_memory(Arc::from(blob.embedded()?), blob));
        match self {
            Self::Store(store) => Ok(store.blob(blob)?),
            Self::Archive(archive) => match archive.blob(blob) {
                Err(error @ Error::Store(store::Error::NoBlob(_))) => embedded().ok_or(error),
                opened => opened,
            },
            // Spares a request.
            Self::Origin(origin) => embedded().map_or_else(|| origin.blob(blob), Ok),
        }
    }

    /// The file that holds this blob and nothing else, where there is one.
    pub(super) fn file(&self, blob: &Descriptor) -> Option<Arc<File>> {
        match self {
            Self::Store(store) => store.blob_file(blob).ok().map(Arc::new),
            Self::Archive(_) | Self::Origin(_) => None,
        }
    }

    /// Puts a blob into `store`, unless it is there, telling `seen` of each part. With a
    /// DiffID it is a layer, and checked as one that grows no further, unless it is known.
    pub(super) fn copy(
        &self,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        max_size: MaxSize,
        store: &Store,
        mut seen: impl FnMut(u64),
    ) -> Result<(), Error> {
        if store.contains(blob) {
            seen(blob.len_bytes);
            return match diff_id {
                Some(diff_id) if !verify::is_known(&blob.digest, diff_id) => {
                    Ok(store.blob(blob)?.growing_to(max_size).check_as(Some(diff_id))?)
                }
                _ => Ok(()),
            };
        }
        if let Some(file) = self.file(blob) {
            if store.adopt(&file, blob, diff_id, max_size)? {
                seen(blob.len_bytes);
                return Ok(());
            }
        }
        let reader = self.blob(blob)?.growing_to(max_size);
        let reader = match diff_id {
            Some(diff_id) => reader.verified(diff_id),
            None => reader,
        };
        Ok(store.receive(reader, seen)?)
    }

    /// A document, checked, bounded in length.
    pub(super) fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        Ok(read_checked(self.blob(blob)?, blob)?)
    }

    /// Whether a manifest or index that another one points to is there; what is not on this
    /// machine is taken to be.
    pub(super) fn has(&self, image: &Descriptor) -> bool {
        match self {
            Self::Store(_) | Self::Archive(_) => {
                self.find(&image.digest).is_some() || image.embedded().is_some()
            }
            Self::Origin(_) => true,
        }
    }

    /// The blob of this digest, whatever it holds.
    pub(super) fn find(&self, digest: &Digest) -> Option<Descriptor> {
        let len_bytes = match self {
            Self::Store(store) => store.len_of(digest)?,
            Self::Archive(archive) => archive.len_of(digest)?,
            Self::Origin(_) => return None,
        };
        Some(Descriptor::new("", digest.clone(), len_bytes))
    }
}
