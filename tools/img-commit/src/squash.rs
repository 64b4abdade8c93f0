//! `--squash`: several layers as one, by `layer-merge`'s own hand.

use std::io;

use common::cli::Failure;
use common::compression::{Decoder, MaxSize};
use common::digest::Hashing;
use common::image::Error;
use common::layer::merge;
use common::oci::Descriptor;
use common::options::Compress;
use common::store::Store;
use common::tar::{self, Writer};

use crate::layer::{Layer, Stored};
use crate::start::Placed;

/// What lies below the layers that become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Below {
    /// Other layers, of which something may be deleted.
    Layers,
    /// Nothing, so that a whiteout would be about nothing.
    Nothing,
}

/// Makes one layer of `sources`, base first, and puts it into `store`. None if they hold
/// nothing.
pub(crate) fn squash(
    sources: &[merge::Source],
    below: Below,
    compress: Compress,
    store: &Store,
) -> Result<Option<Layer>, Failure> {
    let mut writer = Writer::new(Stored::new(compress, store)?);
    let merged = match below {
        Below::Layers => merge::merge(sources, &mut writer),
        Below::Nothing => merge::flatten(sources, &mut writer),
    };
    let summary = merged.map_err(|error| match error {
        merge::Error::Write(tar::Error::Write(source)) => Failure::about("store", source),
        error => error.into(),
    })?;
    if summary.entries == 0 {
        return Ok(None);
    }
    let stored = writer.finish().map_err(|error| match error {
        tar::Error::Write(source) => Failure::about("store", source),
        error => error.into(),
    })?;
    stored.finish(None).map(Some)
}

/// A layer that lies in `store` uncompressed, and was checked.
pub(crate) fn in_place(
    store: &Store,
    layer: &Descriptor,
    max_size: MaxSize,
) -> Result<merge::Source, Failure> {
    let (label, len_bytes) = (format!("layer {}", layer.digest), Some(layer.len_bytes));
    let file = store.blob_file(layer)?;
    Ok(merge::Source::of_file(label, file, len_bytes, max_size, tar::Whole::ByDigest)?)
}

/// A layer that can be read at any place, known to be what its DiffID says.
pub(crate) fn source(placed: &Placed, max_size: MaxSize) -> Result<merge::Source, Failure> {
    let Placed { layer, image } = placed;
    let label = format!("layer {}", layer.descriptor.digest);
    let reading = |error| Failure::about(&label, error);
    let mut blob = image.layer(layer)?;
    if let (Some(store), true) = (image.store(), layer.descriptor.digest == layer.diff_id.0) {
        // It lies there as it is wanted: it is checked, and then read in place.
        io::copy(&mut blob, &mut io::sink()).map_err(reading)?;
        return in_place(store, &layer.descriptor, max_size);
    }
    let growth = max_size.growth(Some(layer.descriptor.len_bytes));
    let plain = Decoder::new(blob, growth.clone()).map_err(reading)?;
    let mut hashing = Hashing::with_algorithm(plain, layer.diff_id.0.algorithm());
    let source = merge::Source::of_stream(label.clone(), &mut hashing, growth)?;
    let (_, actual, _) = hashing.finish();
    if actual != layer.diff_id.0 {
        let error = Error::DiffId { expected: layer.diff_id.clone(), actual };
        return Err(Failure::about(label, error));
    }
    Ok(source)
}
