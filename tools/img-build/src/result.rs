//! From a finished stage to an image: config, manifest, names, archive.

use std::ffi::OsStr;
use std::io::Write as _;

use common::image::{BASE_DIGEST, Layer};
use common::oci::{Descriptor, Document, History, Index, Manifest, Platform, media_type};
use common::store::{Name, Store};
use common::stream::{Output, Payload};
use common::time::Timestamp;

use crate::cli::Cli;
use crate::error::Error;
use crate::executor::progress::Progress;
use crate::graph::Graph;
use crate::output::Target;

/// The annotation that names the image a manifest was made from.
const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// The document that an annotation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Manifest,
    Index,
}

/// `--annotation`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Annotation {
    pub(crate) place: Place,
    /// The platform whose manifest it is for; `None` for all.
    pub(crate) platform: Option<Platform>,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Annotation {
    fn of_index(all: &[Self]) -> impl Iterator<Item = (String, String)> + '_ {
        Self::pairs(all.iter().filter(|annotation| annotation.place == Place::Index))
    }

    fn of_manifest<'a>(
        all: &'a [Self],
        platform: &'a Platform,
    ) -> impl Iterator<Item = (String, String)> + 'a {
        Self::pairs(all.iter().filter(move |annotation| {
            let is_meant = annotation.platform.as_ref().is_none_or(|meant| meant == platform);
            annotation.place == Place::Manifest && is_meant
        }))
    }

    fn pairs<'a>(here: impl Iterator<Item = &'a Self>) -> impl Iterator<Item = (String, String)> {
        here.map(|annotation| (annotation.name.clone(), annotation.value.clone()))
    }
}

/// Puts config and manifest into the store; the image is in it without a name.
///
/// # Errors
/// A store that cannot be written.
pub(crate) fn assemble(
    graph: Graph,
    progress: Progress,
    labels: &[(String, String)],
    annotations: &[Annotation],
    now: Timestamp,
    store: &Store,
) -> Result<Descriptor, Error> {
    let Graph { config: mut image, base, platform, .. } = graph;
    let own = progress.history.iter().filter(|entry| !entry.empty_layer).count();
    account_for(progress.layers.len().saturating_sub(own), &mut image.history);
    image.history.extend(progress.history);
    image.config.labels.extend(labels.iter().cloned());
    date(&mut image.history, now);
    image.created = image.history.last().and_then(|entry| entry.created.clone());
    image.created.get_or_insert_with(|| now.to_string());
    image.rootfs.diff_ids = progress.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let (digest, len_bytes) = store.put(&image.to_bytes()?)?;
    let config = Descriptor::new(media_type::CONFIG, digest, len_bytes);
    let layers: Vec<_> = progress.layers.iter().map(descriptor).collect();
    let mut manifest = Manifest::new(config, layers);
    if let Some((name, digest)) = base {
        manifest.annotations.insert(BASE_DIGEST.into(), digest.to_string());
        manifest.annotations.insert(BASE_NAME.into(), name);
    }
    manifest.annotations.extend(Annotation::of_manifest(annotations, &platform));
    let (digest, len_bytes) = store.put(&common::oci::to_json(&manifest, "manifest")?)?;
    let mut made = Descriptor::new(media_type::MANIFEST, digest, len_bytes);
    made.platform = Some(image.platform());
    Ok(made)
}

/// One image stays what it is; of several an index is made, in their order.
///
/// # Errors
/// A store that cannot be written.
pub(crate) fn join(
    mut images: Vec<Descriptor>,
    annotations: &[Annotation],
    store: &Store,
) -> Result<Descriptor, Error> {
    if images.len() == 1 {
        if let Some(mut image) = images.pop() {
            image.platform = None;
            return Ok(image);
        }
    }
    let mut index = Index::new(images);
    index.annotations.extend(Annotation::of_index(annotations));
    let (digest, len_bytes) = store.put(&index.to_bytes()?)?;
    Ok(Descriptor::new(media_type::INDEX, digest, len_bytes))
}

/// A layer as an OCI manifest lists it: docker's media types are the same bytes.
fn descriptor(layer: &Layer) -> Descriptor {
    let mut descriptor = layer.descriptor.clone();
    let oci = match descriptor.media_type.as_str() {
        media_type::DOCKER_LAYER => media_type::LAYER,
        media_type::DOCKER_LAYER_GZIP => media_type::LAYER_GZIP,
        media_type::DOCKER_LAYER_ZSTD => media_type::LAYER_ZSTD,
        _ => return descriptor,
    };
    descriptor.media_type = oci.into();
    descriptor
}

/// Gives a base image's history an entry for each of its layers, as BuildKit does: an image
/// may have fewer, or none, and a layer of ours must not be taken for one of its.
fn account_for(layers: usize, history: &mut Vec<History>) {
    let entries = history.iter().filter(|entry| !entry.empty_layer).count();
    let surplus = history.iter_mut().filter(|entry| !entry.empty_layer);
    surplus.take(entries.saturating_sub(layers)).for_each(|entry| entry.empty_layer = true);
    let missing = (entries..layers).map(|_| History {
        comment: "missing in the history of the base image".into(),
        ..History::default()
    });
    history.extend(missing);
}

/// Entries without a layer have no time of their own: they take that of the next
/// layer, or else of the last before them. So a build that is cached throughout is
/// the same image again.
fn date(history: &mut [History], now: Timestamp) {
    let mut next = None;
    for entry in history.iter_mut().rev() {
        match &entry.created {
            Some(created) => next = Some(created.clone()),
            None => entry.created.clone_from(&next),
        }
    }
    let mut last = now.to_string();
    for entry in history {
        match &entry.created {
            Some(created) => last.clone_from(created),
            None => entry.created = Some(last.clone()),
        }
    }
}

/// Names what was made, or writes it where it is wanted.
///
/// # Errors
/// A destination that cannot be written.
///
/// # Streams
/// Writes standard output where that is the destination.
pub(crate) fn deliver(
    made: &Descriptor,
    names: &[Name],
    targets: &[Target],
    place: &crate::place::Place,
) -> Result<(), Error> {
    // Named before it is written: then the one thing that can still fail leaves
    // a whole image behind, and nothing half-made.
    if !names.is_empty() || targets.is_empty() {
        place.store.tag(names, made)?;
    }
    targets.iter().try_for_each(|target| target.write(made, names, place))
}

/// Writes the files that tell of the image: `--iidfile` and `--metadata-file`.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn note(made: &Descriptor, cli: &Cli, store: &Store) -> Result<(), Error> {
    let write = |file: &OsStr, text: &str| -> Result<(), Error> {
        let failed = Error::file(file);
        let mut output = Output::open(Some(file), Payload::Text)?;
        output.write_all(text.as_bytes()).map_err(failed)?;
        Ok(output.commit()?)
    };
    if let Some(file) = &cli.digest_file {
        write(file, &made.digest.to_string())?;
    }
    let Some(file) = &cli.metadata_file else { return Ok(()) };
    let mut metadata = serde_json::json!({
        "containerimage.digest": made.digest,
        "containerimage.descriptor": made,
    });
    if let Some(metadata) = metadata.as_object_mut() {
        let document = Document::parse(&store.document(made)?, &made.media_type)?;
        if let Document::Manifest(manifest) = document {
            metadata.insert(
                "containerimage.config.digest".into(),
                manifest.config.digest.to_string().into(),
            );
        }
        if !cli.names.is_empty() {
            let names: Vec<_> = cli.names.iter().map(Name::canonical).collect();
            metadata.insert("image.name".into(), names.join(",").into());
        }
    }
    write(file, &format!("{metadata:#}\n"))
}
