//! One archive for everybody: a layout, and docker's list of it.
//!
//! `docker load` of any version reads `manifest.json`; podman and skopeo read either as
//! `oci-archive:` or `docker-archive:`; umoci takes it once it is unpacked. Small
//! members come first, so that a reader of the stream knows early what is in it. The
//! same image gives the same bytes.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Read, Write};

use serde::Serialize;

use crate::digest::{Algorithm, Digest};
use crate::image::{Error, choose};
use crate::oci::media_type::Kind as Content;
use crate::oci::{Annotations, Descriptor, Index, Manifest, REF_NAME};
use crate::store::{self, BlobReader, Name};
use crate::tar::{self, Entry, Kind, Xattrs};
use crate::time::Timestamp;

/// Docker's list.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// What goes into an archive.
#[derive(Debug, Default)]
pub struct Selection<'a> {
    /// The images, by name.
    pub images: Vec<Selected<'a>>,
    /// Every manifest and index with its bytes, those that have names among them.
    pub documents: Vec<(&'a Descriptor, &'a [u8])>,
    /// Every other blob.
    pub blobs: Vec<&'a Descriptor>,
}

/// An image that goes into an archive.
#[derive(Debug)]
pub struct Selected<'a> {
    /// The manifest or index that the names stand for.
    pub root: Descriptor,
    /// Its names, if it has any.
    pub names: Vec<Name>,
    /// The image for docker's list, which knows no platforms.
    pub listed: Option<&'a Manifest>,
}

/// Writes `selection` as an archive, with the blobs that `open` opens.
///
/// # Errors
/// A blob that is missing or damaged; an output that fails.
pub fn write(
    selection: &Selection<'_>,
    open: impl Fn(&Descriptor) -> Result<BlobReader, Error>,
    out: impl Write,
) -> Result<(), Error> {
    let mut archive = Archive { writer: tar::Writer::new(out), written: HashSet::new() };
    let images = selection.images.iter();
    let index = Index::new(images.clone().flat_map(entries).collect()).to_bytes();
    let index = index.map_err(|source| Error::Document { name: "index.json".into(), source })?;
    archive.document("oci-layout", crate::oci::LAYOUT)?;
    archive.document("index.json", &index)?;
    let listed: Vec<Listed> = images.filter_map(listed).collect();
    if !listed.is_empty() {
        let list = crate::oci::to_json(&listed, "list of images");
        let list =
            list.map_err(|source| Error::Document { name: "manifest.json".into(), source })?;
        archive.document("manifest.json", &list)?;
    }
    archive.folder("blobs")?;
    let documents = selection.documents.iter().map(|(document, _)| &document.digest);
    let blobs = documents.chain(selection.blobs.iter().map(|blob| &blob.digest));
    let algorithms: BTreeSet<Algorithm> = blobs.map(Digest::algorithm).collect();
    for algorithm in algorithms {
        archive.folder(&format!("blobs/{}", algorithm.name()))?;
    }
    for (descriptor, bytes) in &selection.documents {
        archive.blob(descriptor, || Ok(*bytes))?;
    }
    for blob in &selection.blobs {
        match archive.blob(blob, || open(blob)) {
            Err(Error::Store(store::Error::NoBlob(_))) if blob.kind() == Content::ForeignLayer => {}
            written => written?,
        }
    }
    archive.writer.finish().map_err(Error::Tar)?;
    Ok(())
}

/// The entries of an image in the layout: one a name, or one without.
fn entries(image: &Selected<'_>) -> Vec<Descriptor> {
    let mut nameless = image.root.clone();
    nameless.annotations = Annotations::new();
    let named = |name: &Name| {
        let mut descriptor = nameless.clone();
        descriptor.annotations.insert(choose::CONTAINERD_NAME.into(), name.canonical());
        descriptor.annotations.insert(REF_NAME.into(), name.to_string());
        descriptor
    };
    let entries: Vec<Descriptor> = image.names.iter().map(named).collect();
    if entries.is_empty() { vec![nameless] } else { entries }
}

/// The image as docker lists it.
fn listed(image: &Selected<'_>) -> Option<Listed> {
    let manifest = image.listed?;
    Some(Listed {
        config: path(&manifest.config.digest),
        repo_tags: image.names.iter().map(Name::to_string).collect(),
        layers: manifest.layers.iter().map(|layer| path(&layer.digest)).collect(),
    })
}

fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

struct Archive<W> {
    writer: tar::Writer<W>,
    /// One layer may be there twice in an image, and is written once.
    written: HashSet<Digest>,
}

impl<W: Write> Archive<W> {
    fn folder(&mut self, name: &str) -> Result<(), Error> {
        let entry = entry(name, Kind::Directory, 0o755, 0);
        self.writer.append(&entry, io::empty()).map_err(Error::Tar)
    }

    fn document(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let entry = entry(name, Kind::File, 0o644, bytes.len() as u64);
        self.writer.append(&entry, bytes).map_err(Error::Tar)
    }

    fn blob<R: Read>(
        &mut self,
        blob: &Descriptor,
        open: impl FnOnce() -> Result<R, Error>,
    ) -> Result<(), Error> {
        if self.written.contains(&blob.digest) {
            return Ok(());
        }
        let entry = entry(&path(&blob.digest), Kind::File, 0o644, blob.len_bytes);
        self.writer.append(&entry, open()?).map_err(Error::Tar)?;
        self.written.insert(blob.digest.clone());
        Ok(())
    }
}

fn entry(name: &str, kind: Kind, mode: u32, len_bytes: u64) -> Entry {
    Entry {
        path: name.into(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes,
        xattrs: Xattrs::new(),
    }
}
