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
use crate::image::{Error, Image, choose};
use crate::oci::{Annotations, Descriptor, Index, REF_NAME};
use crate::store::Name;
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

/// Writes `image` under `names` as an archive.
///
/// # Errors
/// A blob that is missing or damaged; an output that fails.
pub fn write(image: &Image, names: &[Name], out: impl Write) -> Result<(), Error> {
    let mut archive = Archive { writer: tar::Writer::new(out), written: HashSet::new() };
    let index = index(image, names).to_bytes();
    let index = index.map_err(|source| Error::Document { name: "index.json".into(), source })?;
    archive.document("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    archive.document("index.json", &index)?;
    archive.document("manifest.json", &list(image, names)?)?;
    archive.folder("blobs")?;
    archive.folder("blobs/sha256")?;
    archive.bytes(&image.descriptor, &image.manifest_bytes)?;
    archive.bytes(&image.manifest.config, &image.config_bytes)?;
    for layer in &image.manifest.layers {
        archive.blob(layer, || image.blob(layer))?;
    }
    archive.writer.finish().map_err(Error::Tar)?;
    Ok(())
}

/// The images of the layout: one entry a name, or one without.
fn index(image: &Image, names: &[Name]) -> Index {
    let mut nameless = image.descriptor.clone();
    nameless.annotations = Annotations::new();
    nameless.platform = Some(image.config.platform());
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

fn list(image: &Image, names: &[Name]) -> Result<Vec<u8>, Error> {
    let listed = Listed {
        config: path(&image.manifest.config.digest),
        repo_tags: names.iter().map(Name::to_string).collect(),
        layers: image.manifest.layers.iter().map(|layer| path(&layer.digest)).collect(),
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

    fn bytes(&mut self, blob: &Descriptor, bytes: &[u8]) -> Result<(), Error> {
        self.blob(blob, || Ok(bytes))
    }

    fn blob<R: Read>(
        &mut self,
        blob: &Descriptor,
        open: impl FnOnce() -> Result<R, Error>,
    ) -> Result<(), Error> {
        if !self.written.insert(blob.digest.clone()) {
            return Ok(());
        }
        let entry = entry(&path(&blob.digest), Kind::File, 0o644, blob.len_bytes);
        self.writer.append(&entry, open()?).map_err(Error::Tar)
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
