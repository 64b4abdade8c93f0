//! One row for each name of each image, and for each of its platforms.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use common::cli::{Failure, Status, message};
use common::compression::MaxSize;
use common::digest::{DiffId, Digest};
use common::image::{Error, Image, Sizes};
use common::store::{Name, Store};
use common::time::Timestamp;
use serde_json::json;

/// What is listed.
pub(crate) struct Row {
    /// As the index has it.
    pub(crate) name: Option<String>,
    pub(crate) image: Digest,
    pub(crate) config: Digest,
    pub(crate) platform: String,
    pub(crate) created: Option<Timestamp>,
    /// What its files hold, all layers together, in bytes.
    pub(crate) size: u64,
    /// What of that other images have too.
    pub(crate) shared: u64,
    /// What its blobs take, in bytes.
    pub(crate) stored: u64,
    layers: Vec<(DiffId, u64)>,
}

/// The rows of a store, newest image first; what cannot be read is reported.
pub(crate) fn of(store: &Arc<Store>, max_size: MaxSize) -> Result<(Vec<Row>, Status), Failure> {
    let sizes = Sizes::new(max_size);
    let mut status = Status::DONE;
    let mut rows = Vec::new();
    for entry in &store.index()?.manifests {
        let name = entry.ref_name().map(str::to_owned);
        let label = name.clone().unwrap_or_else(|| entry.digest.to_string());
        let images = match common::image::all(store, entry) {
            Ok(images) => images,
            // Other tools keep other things in a layout.
            Err(Error::NotAnImage { .. }) => continue,
            Err(error) => {
                message::failure(&Failure::about(label, error));
                status = Status::FAILED;
                continue;
            }
        };
        for image in images {
            match row(name.clone(), &image, &sizes) {
                Ok(row) => rows.push(row),
                Err(error) => {
                    message::failure(&Failure::about(&label, error));
                    status = Status::FAILED;
                }
            }
        }
    }
    share(&mut rows);
    rows.sort_by_cached_key(|row| (Reverse(row.created), row.name.clone(), row.platform.clone()));
    Ok((rows, status))
}

fn row(name: Option<String>, image: &Image, sizes: &Sizes) -> Result<Row, Error> {
    let mut layers = Vec::new();
    for layer in image.layers() {
        let size = sizes.of(image, &layer)?.unwrap_or(0);
        layers.push((layer.diff_id, size));
    }
    Ok(Row {
        name,
        image: image.id().clone(),
        config: image.manifest.config.digest.clone(),
        platform: image.config.platform().to_string(),
        created: image.config.created_time(),
        size: layers.iter().map(|(_, size)| size).sum(),
        shared: 0,
        stored: image.blobs().map(|blob| blob.len_bytes).sum(),
        layers,
    })
}

/// Works out what images have in common.
fn share(rows: &mut [Row]) {
    let mut users: HashMap<DiffId, HashSet<Digest>> = HashMap::new();
    for row in rows.iter() {
        for (layer, _) in &row.layers {
            users.entry(layer.clone()).or_default().insert(row.image.clone());
        }
    }
    for row in rows {
        let is_shared = |layer: &DiffId| users.get(layer).is_some_and(|images| images.len() > 1);
        row.shared =
            row.layers.iter().filter(|(layer, _)| is_shared(layer)).map(|(_, size)| size).sum();
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

    /// Whether an operand means this row: the name as it stands, or a repository with
    /// or without its tag.
    pub(crate) fn is_called(&self, text: &str) -> bool {
        let Some(name) = &self.name else { return false };
        let (repository, _) = self.repository_and_tag();
        let completed = text.parse::<Name>().ok();
        let has_tag =
            completed.as_ref().is_some_and(|name| text.ends_with(&format!(":{}", name.tag())));
        name == text
            || completed.is_some_and(|wanted| match has_tag {
                true => wanted.to_string() == *name,
                false => wanted.repository() == repository,
            })
    }

    /// All there is to know, as one line of JSON.
    pub(crate) fn json_line(&self) -> String {
        let object = json!({
            "name": self.name,
            "image": self.image.to_string(),
            "config": self.config.to_string(),
            "platform": self.platform,
            "created": self.created.map(|time| time.to_string()),
            "size_bytes": self.size,
            "shared_bytes": self.shared,
            "stored_bytes": self.stored,
            "layers": self.layers.iter().map(|(layer, _)| layer.to_string()).collect::<Vec<_>>(),
        });
        object.to_string() + "\n"
    }
}
