//! How much a layer holds, as docker shows it: the sum of the sizes that stat(2) tells
//! of what it unpacks to, directories aside (moby pkg/directory). A symbolic link is
//! as long as its target, and a hard link is counted once.
//!
//! It takes a reading of the whole layer to know, so it is remembered by DiffID in the
//! cache folder; deleting that costs time only, and without one nothing is remembered.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Image, Layer};
use crate::cache;
use crate::compression::{Decoder, Format, MaxSize};
use crate::digest::{DiffId, Hashing};
use crate::document;
use crate::layer::verify;
use crate::oci::media_type;
use crate::store;
use crate::tar::{self, Entry, Kind};

/// More than the digits of any size.
const MAX_LEN_BYTES: u64 = 32;

/// The sizes that are remembered.
#[derive(Debug)]
pub struct Sizes {
    folder: Option<PathBuf>,
    max_size: MaxSize,
    /// Those that were asked for: one layer may be in many images, and many times in one.
    known: Mutex<HashMap<DiffId, u64>>,
}

impl Default for Sizes {
    fn default() -> Self {
        Self::new(MaxSize::default())
    }
}

impl Sizes {
    /// The sizes in the cache; a layer that is measured may grow to `max_size`.
    #[must_use]
    pub fn new(max_size: MaxSize) -> Self {
        let folder = cache::dir().map(|cache| cache.join("sizes"));
        Self { folder, max_size, known: Mutex::default() }
    }

    /// The size of a layer's content in bytes, measured if it is not known yet; `None`
    /// for a foreign layer that is not there. Of a layer that is in a registry, it is the
    /// size of the blob.
    ///
    /// # Errors
    /// A layer that is missing, damaged, or no tar archive.
    pub fn of(&self, image: &Image, layer: &Layer) -> Result<Option<u64>, Error> {
        if let Some(known) = self.get(&layer.diff_id) {
            return Ok(Some(known));
        }
        if image.is_remote() {
            // It is not fetched to be measured.
            return Ok(Some(layer.descriptor.len_bytes));
        }
        let blob = match image.layer(layer) {
            Err(Error::Store(store::Error::NoBlob(_)))
                if layer.descriptor.kind() == media_type::Kind::ForeignLayer =>
            {
                return Ok(None);
            }
            opened => opened?,
        };
        let size = measure(blob, layer, self.max_size)?;
        verify::remember(&layer.descriptor.digest, &layer.diff_id);
        self.put(&layer.diff_id, size);
        Ok(Some(size))
    }

    fn get(&self, layer: &DiffId) -> Option<u64> {
        if let Some(size) = self.known().get(layer) {
            return Some(*size);
        }
        let bytes = document::found(&self.path(layer)?, MAX_LEN_BYTES).ok()?;
        let size = std::str::from_utf8(&bytes).ok()?.strip_suffix('\n')?.parse().ok()?;
        self.known().insert(layer.clone(), size);
        Some(size)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<DiffId, u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a size that was come by. A cache that cannot be written is none.
    pub fn put(&self, layer: &DiffId, size: u64) {
        self.known().insert(layer.clone(), size);
        if let Some(path) = self.path(layer) {
            let _ = cache::write(&path, &[format!("{size}\n").as_bytes()]);
        }
    }

    fn path(&self, layer: &DiffId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!(
            "{}-{}",
            layer.0.algorithm().name(),
            layer.0.hex()
        )))
    }
}

/// What a member adds to the size of its layer, in bytes.
#[must_use]
pub fn size_of(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File => entry.len_bytes,
        Kind::Symlink { target } => target.len() as u64,
        _ => 0,
    }
}

/// Reads a layer to its end, checks its DiffID, and adds up what its files hold.
fn measure(blob: impl Read, layer: &Layer, max_size: MaxSize) -> Result<u64, Error> {
    let what = || format!("layer {}", layer.descriptor.digest);
    let growth = max_size.growth(Some(layer.descriptor.len_bytes));
    let decoder = Decoder::new(blob, growth);
    let decoder = decoder.map_err(|source| Error::Io { what: what(), source })?;
    let malformed = |source| Error::Layer { digest: layer.descriptor.digest.clone(), source };
    // The blob's own digest is checked by its reader.
    if decoder.format() == Format::None && layer.descriptor.digest == layer.diff_id.0 {
        return content_size(decoder).map(|(size, _)| size).map_err(malformed);
    }
    let hashing = Hashing::with_algorithm(decoder, layer.diff_id.0.algorithm());
    let (size, hashing) = content_size(hashing).map_err(malformed)?;
    let (_, actual, _) = hashing.finish();
    if actual != layer.diff_id.0 {
        return Err(Error::DiffId { expected: layer.diff_id.clone(), actual });
    }
    Ok(size)
}

/// The sum of the sizes of an archive's files, read to the end of the stream, and the
/// stream, whose digest the caller checks.
fn content_size<R: Read>(stream: R) -> Result<(u64, R), tar::Error> {
    let mut reader = tar::Reader::new(stream, tar::Limits::default(), tar::Whole::ByDigest);
    let mut size: u64 = 0;
    while let Some(entry) = reader.next_entry()? {
        size = size.saturating_add(size_of(&entry));
    }
    Ok((size, reader.finish()?.into_inner()))
}
