//! One archive for everybody: a layout, and docker's list of it.
//!
//! `docker load` of any version reads `manifest.json`; podman and skopeo read either as
//! `oci-archive:` or `docker-archive:`; umoci takes it once it is unpacked. Small
//! members come first, so that a reader of the stream knows early what is in it. The
//! same image gives the same bytes.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use serde::Serialize;

use crate::digest::Digest;
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
#[derive(Debug)]
pub struct Selection<'a> {
    /// What the names stand for: a manifest or an index.
    pub root: Descriptor,
    /// Every manifest and index with its bytes, that of `root` among them.
    pub documents: Vec<(&'a Descriptor, &'a [u8])>,
    /// Every other blob.
    pub blobs: Vec<&'a Descriptor>,
    /// The image for docker's list, which knows no platforms.
    pub listed: Option<&'a Manifest>,
}

/// Writes `selection` under `names` as an archive, with the blobs that `open` opens.
///
/// # Errors
/// A blob that is missing or damaged; an output that fails.
pub fn write(
    selection: &Selection<'_>,
    names: &[Name],
    open: impl Fn(&Descriptor) -> Result<BlobReader, Error>,
    out: impl Write,
) -> Result<(), Error> {
    let mut archive = Archive { writer: tar::Writer::new(out), written: HashSet::new() };
    let index = index(&selection.root, names).to_bytes();
    let index = index.map_err(|source| Error::Document { name: "index.json".into(), source })?;
    archive.document("oci-layout", crate::oci::LAYOUT)?;
    archive.document("index.json", &index)?;
    if let Some(image) = selection.listed {
        archive.document("manifest.json", &list(image, names)?)?;
    }
    archive.folder("blobs")?;
    archive.folder("blobs/sha256")?;
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

/// The images of the layout: one entry a name, or one without.
fn index(root: &Descriptor, names: &[Name]) -> Index {
    let mut nameless = root.clone();
    nameless.annotations = Annotations::new();
    let named = |name: &Name| {
        let mut descriptor = nameless.clone();
        descriptor.annotations.insert(choose::CONTAINERD_NAME.into(), name.canonical());
        descriptor.annotations.insert(REF_NAME.into(), name.to_string());
        descriptor
    };
    let mut images: Vec<Descriptor> = names.iter().map(named).collect();
    if images.is_empty() {
        images.push(nameless);
    }
    Index::new(images)
}

fn list(image: &Manifest, names: &[Name]) -> Result<Vec<u8>, Error> {
    let listed = Listed {
        config: path(&image.config.digest),
        repo_tags: names.iter().map(Name::to_string).collect(),
        layers: image.layers.iter().map(|layer| path(&layer.digest)).collect(),
    };
    crate::oci::to_json(&[listed], "list of images")
        .map_err(|source| Error::Document { name: "manifest.json".into(), source })
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
