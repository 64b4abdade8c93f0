//! Image archives: a layout in a tar stream, or what `docker save` writes.
//!
//! An archive is read in place where it is a plain tar file. One that comes through a
//! pipe is copied as it is into a file without a name in `TMPDIR`: its manifest may be its
//! last member. A compressed one is inflated to such a file only if layers of it are read
//! (`bytes`). Members are found by their headers and read where they lie, and never by
//! way of the file system, so their names need no trust.

mod bytes;
mod docker;
mod members;
mod write;

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

pub use write::{Selection, write};

use self::bytes::Bytes;
use self::docker::Listed;
use self::members::{Members, Section};
use super::{Error, choose};
use crate::digest::Digest;
use crate::oci::{Descriptor, Document, Index, MAX_DOCUMENT_LEN_BYTES, media_type};
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
    contents: Contents,
    /// Blobs that are not under the name that a layout gives them.
    placed: HashMap<Digest, Place>,
}

#[derive(Debug)]
enum Contents {
    Layout(Box<Index>),
    Docker(Vec<Listed>),
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
        let mut archive =
            Self { bytes, members, contents: Contents::Docker(Vec::new()), placed: HashMap::new() };
        archive.contents = archive.find_contents(kind)?;
        Ok(archive)
    }

    fn find_contents(&self, kind: Kind) -> Result<Contents, Error> {
        let layout = self.members.get(b"oci-layout");
        if let (Some(index), true) =
            (self.members.get(b"index.json"), layout.is_some() || kind == Kind::Oci)
        {
            if let Some(layout) = layout {
                let text = self.member_document(b"oci-layout", layout)?;
                crate::oci::check_layout(&text)
                    .map_err(|source| Error::Document { name: "oci-layout".into(), source })?;
            }
            let bytes = self.member_document(b"index.json", index)?;
            let error = |source| Error::Document { name: "index.json".into(), source };
            return match Document::parse(&bytes, media_type::INDEX).map_err(error)? {
                Document::Index(index) => Ok(Contents::Layout(index)),
                Document::Manifest(_) => Err(Error::NotAnArchive("index.json is no index".into())),
            };
        }
        if let (Some(list), true) = (self.members.get(b"manifest.json"), kind != Kind::Oci) {
            let bytes = self.member_document(b"manifest.json", list)?;
            return Ok(Contents::Docker(docker::parse(&bytes)?));
        }
        Err(Error::NotAnArchive(match kind {
            _ if self.members.get(b"repositories").is_some() => {
                "saved by docker older than 1.10".into()
            }
            Kind::Oci => "no index.json in it".into(),
            Kind::Docker => "no manifest.json in it".into(),
            Kind::Either => "neither index.json nor manifest.json in it".into(),
        }))
    }

    /// The image called `name`, or the only one.
    pub(super) fn choose(&mut self, name: Option<&str>) -> Result<Chosen, Error> {
        match &self.contents {
            Contents::Layout(index) => {
                let candidates: Vec<_> = index.manifests.iter().map(Into::into).collect();
                let at = choose::by_name(&candidates, name)?;
                let Some(image) = index.manifests.get(at).cloned() else {
                    return Err(Error::Choice("holds no image".into()));
                };
                let called = image
                    .annotations
                    .get(choose::CONTAINERD_NAME)
                    .or(image.annotations.get(crate::oci::REF_NAME));
                let names = called.cloned().into_iter().collect();
                Ok(Chosen { image, id: None, names })
            }
            Contents::Docker(listed) => {
                let listed = docker::choose(listed, name)?.clone();
                self.make_manifest(&listed)
            }
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
