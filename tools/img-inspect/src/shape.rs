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
        json!(image.names),
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
    Ok(FIELDS.iter().zip(values).map(|(field, value)| ((*field).to_owned(), value)).collect())
}
