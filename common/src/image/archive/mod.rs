//! Image archives: a layout in a tar stream, or what `docker save` writes.
//!
//! An archive is read in place where it is a plain tar file. One that comes through a
//! pipe is copied as it is into a file without a name in `TMPDIR`: its manifest may be its
//! last member. A compressed one is inflated to such a file only if layers of it are read
//! (`bytes`). Members are found by their headers and read where they lie, and never by
//! way of the file system, so their names need no trust.

mod bytes;
mod docker;
mod items;
mod members;
mod write;

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

pub use write::{Selected, Selection, write};

use self::bytes::Bytes;
use self::docker::Listed;
use self::members::{Members, Section};
use super::Error;
use crate::digest::Digest;
use crate::oci::{Descriptor, MAX_DOCUMENT_LEN_BYTES};
use crate::store::{self, BlobReader};
use crate::stream::{Input, Payload};

/// What an archive is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A layout: `oci-layout`, `index.json`, `blobs/`.
    Oci,
    /// Docker's: `manifest.json`, and since version 25 a layout too.
    Docker,
    /// Whichever it is.
    Either,
}

/// An open archive.
#[derive(Debug)]
pub(super) struct Archive {
    bytes: Bytes,
    members: Members,
    items: Vec<Item>,
    /// Blobs that are not under the name that a layout gives them.
    placed: HashMap<Digest, Place>,
}

/// An image of the archive, as the one list or the other has it, or both.
#[derive(Debug, Clone)]
struct Item {
    /// Its manifest or index, in the layout.
    image: Option<Descriptor>,
    /// Its entry in docker's list.
    listed: Option<Listed>,
    /// The specification's names of it.
    ref_names: Vec<String>,
    names: Vec<String>,
}

#[derive(Debug, Clone)]
enum Place {
    File(Section),
    Memory(Arc<[u8]>),
}

/// The image that was asked for.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Its manifest or index.
    pub(super) image: Descriptor,
    /// What identifies it, if not the manifest.
    pub(super) id: Option<Digest>,
    /// Its names in the archive.
    pub(super) names: Vec<String>,
}

impl Archive {
    /// Opens the archive at `path`, `-` being standard input.
    pub(super) fn open(path: &Path, kind: Kind) -> Result<Self, Error> {
        let input = Input::open(path.as_os_str(), Payload::Binary)?;
        let (bytes, members) = Bytes::of(input)?;
        let mut archive = Self { bytes, members, items: Vec::new(), placed: HashMap::new() };
        archive.items = archive.find_items(kind)?;
        Ok(archive)
    }

    /// The image called `name`, or the only one.
    pub(super) fn choose(&mut self, name: Option<&str>) -> Result<Chosen, Error> {
        let at = items::choose(&self.items, name)?;
        self.chosen(at)
    }

    /// All images.
    pub(super) fn choose_all(&mut self) -> Result<Vec<Chosen>, Error> {
        if self.items.is_empty() {
            return Err(Error::Choice("holds no image".into()));
        }
        (0..self.items.len()).map(|at| self.chosen(at)).collect()
    }

    fn chosen(&mut self, at: usize) -> Result<Chosen, Error> {
        let item = self.items.get(at).cloned();
        match item {
            Some(Item { image: Some(image), names, .. }) => Ok(Chosen { image, id: None, names }),
            Some(Item { listed: Some(listed), names, .. }) => {
                let (image, id) = self.make_manifest(&listed)?;
                Ok(Chosen { image, id: Some(id), names })
            }
            _ => Err(Error::Choice("holds no image".into())),
        }
    }

    pub(super) fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        let section = match self.placed.get(&blob.digest) {
            Some(Place::Memory(bytes)) => {
                return Ok(BlobReader::in_memory(Arc::clone(bytes), blob));
            }
            Some(Place::File(section)) => Some(*section),
            None => self.members.get(&blob_name(&blob.digest)),
        };
        let Some(section) = section else {
            return Err(store::Error::NoBlob(blob.digest.clone()).into());
        };
        if section.len_bytes != blob.len_bytes {
            let (digest, expected, actual) =
                (blob.digest.clone(), blob.len_bytes, section.len_bytes);
            return Err(store::Error::Size { digest, expected, actual }.into());
        }
        if let Some(bytes) = self.bytes.kept(section) {
            return Ok(BlobReader::in_memory(Arc::from(bytes), blob));
        }
        let reading = |source| Error::Io { what: "archive".into(), source };
        Ok(BlobReader::new(self.bytes.file().map_err(reading)?, section.start, blob))
    }

    pub(super) fn len_of(&self, digest: &Digest) -> Option<u64> {
        match self.placed.get(digest) {
            Some(Place::Memory(bytes)) => Some(bytes.len() as u64),
            Some(Place::File(section)) => Some(section.len_bytes),
            None => self.members.get(&blob_name(digest)).map(|section| section.len_bytes),
        }
    }

    /// Reads a whole small member.
    fn member_document(&self, name: &[u8], section: Section) -> Result<Vec<u8>, Error> {
        let name = || crate::name::show(name).to_string();
        if section.len_bytes > MAX_DOCUMENT_LEN_BYTES {
            let source = crate::oci::Error::TooLong { what: "document" };
            return Err(Error::Document { name: name(), source });
        }
        if let Some(bytes) = self.bytes.kept(section) {
            return Ok(bytes.to_vec());
        }
        let read = || {
            let mut bytes = Vec::new();
            section.reader(&*self.bytes.file()?).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|source| Error::Io { what: name(), source })
    }
}

fn blob_name(digest: &Digest) -> Vec<u8> {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex()).into_bytes()
}
