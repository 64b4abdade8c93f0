//! Which layers had to do with a path.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use common::cli::Failure;
use common::image::{Image, Reference};
use common::inside::{self, Inside, Past, Reading, Trust};
use common::name::show;

use crate::cli::Cli;

/// The layers, counted from 1, that wrote or deleted `path` or something in it.
pub(crate) fn layers(
    cli: &Cli,
    reference: &Reference,
    image: &Image,
    path: &OsStr,
) -> Result<BTreeSet<u32>, Failure> {
    let reading = Reading {
        trust: Trust::of(reference, false),
        max_size: cli.limit.max_size(),
        xattrs: false,
        past: true,
    };
    let inside = Inside::read(image.clone(), None, reading);
    let inside = inside.map_err(|error| error.about(reference))?;
    let selection = inside::select(&inside.tree, &[path.as_bytes()]);
    let selection = selection.map_err(|error| Failure::about(reference, error))?;
    let paths = inside.tree.paths();
    let mut layers = BTreeSet::new();
    for (node, events) in Past::of(&inside).nodes() {
        if paths.of(node).is_some_and(|path| selection.takes(&path, |_| {})) {
            layers.extend(events.iter().map(|event| event.layer));
        }
    }
    if layers.is_empty() {
        let text = format!("{reference}: {}: no layer of the image has it", show(path.as_bytes()));
        return Err(Failure::new(text));
    }
    Ok(layers)
}
