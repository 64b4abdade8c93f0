//! One row for each name of each image, and for each of its platforms.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use common::cli::{Failure, Status};
use common::compression::MaxSize;
use common::digest::{DiffId, Digest};
use common::image::{Error, Image, Sizes};
use common::json;
use common::oci::{self, Descriptor, Manifest};
use common::store::{self, Name, Store};
use common::time::Timestamp;
use serde_json::json;

/// What is listed.
pub(crate) struct Row {
    /// As the index has it.
    pub(crate) name: Option<String>,
    pub(crate) image: Rc<Facts>,
    /// What of its size other images have too.
    pub(crate) shared: u64,
}

/// An image for one platform, whatever its names.
pub(crate) struct Facts {
    pub(crate) digest: Digest,
    pub(crate) config: Digest,
    /// None for what is no image.
    pub(crate) platform: Option<String>,
    pub(crate) created: Option<Timestamp>,
    /// What its files hold, all layers together, in bytes.
    pub(crate) size: u64,
    /// What its blobs take, in bytes.
    pub(crate) stored: u64,
    layers: Vec<(DiffId, u64)>,
}

/// The rows of a store, newest image first; what cannot be read is reported.
pub(crate) fn of(store: &Arc<Store>, max_size: MaxSize) -> Result<(Vec<Row>, Status), Failure> {
    let sizes = Sizes::new(max_size);
    let mut status = Status::DONE;
    let mut rows = Vec::new();
    // An image with many names is read once.
    let mut known: HashMap<(Digest, String, u64), Vec<Rc<Facts>>> = HashMap::new();
    let entries = store.entries()?;
    for entry in entries.known() {
        let label = entry.name.unwrap_or(entry.digest);
        let mut failed = |error: Error| {
            Failure::about(label, error).report();
            status = Status::FAILED;
        };
        let image = match entry.descriptor() {
            Ok(image) => image,
            Err(error) => {
                failed(error.into());
                continue;
            }
        };
        let what = (image.digest.clone(), image.media_type.clone(), image.len_bytes);
        let row = |image: &Rc<Facts>| {
            let name = entry.name.map(str::to_owned);
            Row { name, image: Rc::clone(image), shared: 0 }
        };
        if let Some(images) = known.get(&what) {
            rows.extend(images.iter().map(row));
            continue;
        }
        let images = match common::image::all(store, &image) {
            Ok(images) => images,
            // Charts, signatures and other things.
            Err(Error::NotAnImage { .. }) => {
                match artifact(store, &image) {
                    Ok(artifact) => rows.push(row(&Rc::new(artifact))),
                    Err(error) => failed(error.into()),
                }
                continue;
            }
            Err(error) => {
                failed(error);
                continue;
            }
        };
        let read: Vec<_> = images.iter().map(|image| facts(image, &sizes)).collect();
        let is_whole = read.iter().all(Result::is_ok);
        let read = read.into_iter().filter_map(|read| read.map_err(&mut failed).ok());
        let images: Vec<Rc<Facts>> = read.map(Rc::new).collect();
        rows.extend(images.iter().map(row));
        // What is wrong with an image is told under each of its names.
        if is_whole {
            known.insert(what, images);
        }
    }
    share(&mut rows);
    rows.sort_by_cached_key(|row| {
        (Reverse(row.image.created), row.name.clone(), row.image.platform.clone())
    });
    Ok((rows, status))
}

fn facts(image: &Image, sizes: &Sizes) -> Result<Facts, Error> {
    let mut layers = Vec::new();
    for layer in image.layers() {
        let size = sizes.of(image, &layer)?.unwrap_or(0);
        layers.push((layer.diff_id, size));
    }
    Ok(Facts {
        digest: image.id().clone(),
        config: image.manifest.config.digest.clone(),
        platform: Some(image.config.platform().to_string()),
        created: image.config.created_time(),
        size: layers.iter().map(|(_, size)| size).fold(0, |sum, size| sum.saturating_add(*size)),
        stored: image.blobs().fold(0, |sum, blob| sum.saturating_add(blob.len_bytes)),
        layers,
    })
}

/// Returns the row of an artifact: its size is that of its blobs.
fn artifact(store: &Store, descriptor: &Descriptor) -> Result<Facts, store::Error> {
    let invalid = |source| store::Error::Document { name: descriptor.digest.to_string(), source };
    let manifest: Manifest =
        oci::from_json(&store.document(descriptor)?, "manifest").map_err(invalid)?;
    let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
    let stored = blobs.fold(0_u64, |sum, blob| sum.saturating_add(blob.len_bytes));
    Ok(Facts {
        digest: descriptor.digest.clone(),
        config: manifest.config.digest,
        platform: None,
        created: None,
        size: stored,
        stored,
        layers: Vec::new(),
    })
}

/// Works out what images have in common.
fn share(rows: &mut [Row]) {
    /// Whose a layer is.
    #[derive(PartialEq)]
    enum User {
        One(Digest),
        Several,
    }
    let mut users: HashMap<&DiffId, User> = HashMap::new();
    let facts: Vec<Rc<Facts>> = rows.iter().map(|row| Rc::clone(&row.image)).collect();
    for image in &facts {
        for (layer, _) in &image.layers {
            let user = users.entry(layer).or_insert_with(|| User::One(image.digest.clone()));
            if matches!(user, User::One(other) if *other != image.digest) {
                *user = User::Several;
            }
        }
    }
    for row in rows {
        let shared =
            row.image.layers.iter().filter(|(layer, _)| users.get(layer) == Some(&User::Several));
        row.shared = shared.fold(0, |sum, (_, size)| sum.saturating_add(*size));
    }
}

impl Row {
    /// Repository and tag, as docker splits a name; a name that is none for docker is
    /// all repository.
    pub(crate) fn repository_and_tag(&self) -> (&str, &str) {
        const NONE: &str = "<none>";
        match &self.name {
            None => (NONE, NONE),
            Some(name) => match name.parse::<Name>() {
                Ok(parsed) if parsed.to_string() == *name => {
                    name.rsplit_once(':').unwrap_or((name, NONE))
                }
                _ => (name, NONE),
            },
        }
    }

    /// All there is to know, as one line of JSON.
    ///
    /// # Errors
    /// None that text can have.
    pub(crate) fn json_line(&self) -> serde_json::Result<String> {
        let image = &self.image;
        let object = json!({
            "name": self.name,
            "image": image.digest.to_string(),
            "config": image.config.to_string(),
            "platform": image.platform,
            "created": image.created.map(|time| time.to_string()),
            "size_bytes": image.size,
            "shared_bytes": self.shared,
            "stored_bytes": image.stored,
            "layers": image.layers.iter().map(|(layer, _)| layer.to_string()).collect::<Vec<_>>(),
        });
        Ok(json::line(&object)? + "\n")
    }
}
