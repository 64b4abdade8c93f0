//! The shape that `docker image inspect` gives an image.

use common::image::{Error, Image, Sizes};
use serde_json::{Map, Value, json};

/// Docker's fields, as far as an image has them outside docker's own storage.
pub(crate) const FIELDS: [&str; 14] = [
    "Id",
    "RepoTags",
    "RepoDigests",
    "Parent",
    "Comment",
    "Created",
    "Author",
    "Config",
    "Architecture",
    "Variant",
    "Os",
    "Size",
    "RootFS",
    "Descriptor",
];

/// What there is to say of `image`.
pub(crate) fn of(image: &Image, sizes: &Sizes) -> Result<Map<String, Value>, Error> {
    let config = &image.config;
    let mut size: u64 = 0;
    for layer in image.layers() {
        size = size.saturating_add(sizes.of(image, &layer)?.unwrap_or(0));
    }
    let comment = config.history.last().map(|step| step.comment.as_str()).unwrap_or_default();
    let layers: Vec<String> = config.rootfs.diff_ids.iter().map(ToString::to_string).collect();
    let values = [
        json!(image.id().to_string()),
        json!(names(image)?),
        json!([]),
        json!(image.base().map(|base| base.id().to_string()).unwrap_or_default()),
        json!(comment),
        json!(config.created.clone().unwrap_or_default()),
        json!(config.author),
        json!(config.config),
        json!(config.architecture),
        json!(config.variant),
        json!(config.os),
        json!(size),
        json!({"Type": config.rootfs.kind, "Layers": layers}),
        json!(image.descriptor),
    ];
    let fields = FIELDS.iter().zip(values);
    // Docker leaves it out where there is none.
    let fields = fields.filter(|(field, value)| **field != "Variant" || *value != json!(""));
    Ok(fields.map(|(field, value)| ((*field).to_owned(), value)).collect())
}

/// All names that the image has where it lies, and not the one alone that it was found by.
fn names(image: &Image) -> Result<Vec<String>, Error> {
    let mut names = image.names.clone();
    if let Some(store) = image.store() {
        let entries = store.entries()?;
        let digest = image.descriptor.digest.to_string();
        let same = entries.with_digest(&digest).into_iter();
        names.extend(same.filter_map(|one| one.name).map(str::to_owned));
    }
    names.sort();
    names.dedup();
    Ok(names)
}
