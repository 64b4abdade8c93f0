//! The members of a layer or an archive, and the archive to read their contents from.
//! What a layer holds is kept in the cache by DiffID, so that it is read through once.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::compression::{Decoder, Growth, MaxSize};
use common::digest::Hashing;
use common::image::Layer;
use common::layer::index::{self, Member};
use common::store::Store;
use common::tar::Whole;

use super::Archive;
use super::content::{At, is_plain, spool};
use crate::error::Error;

/// The members of an archive, and the archive.
pub(crate) type Scanned = (Vec<Member>, Arc<Archive>);

/// Where layers are read, and how far they may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) store: &'a Arc<Store>,
    /// Where derived data may be kept.
    pub(crate) cache: Option<&'a Path>,
    pub(crate) max_size: MaxSize,
}

/// The members of a layer.
pub(crate) fn of_layer(reading: Reading<'_>, layer: &Layer) -> Result<Scanned, Error> {
    let Reading { store, cache, max_size } = reading;
    let growth = max_size.growth(Some(layer.descriptor.len_bytes));
    let failed = |source| Error::Layer { layer: layer.descriptor.digest.clone(), source };
    let path = cache.map(|dir| dir.join("names").join(layer.diff_id.0.hex()));
    let cached = path.as_deref().and_then(index::load);
    let members = match cached {
        Some(members) => members,
        None => {
            let blob = store.blob(&layer.descriptor)?;
            let inflated = Hashing::new(Decoder::new(blob, growth.clone()).map_err(failed)?);
            let (members, inflated) =
                index::scan(inflated, growth.clone(), Whole::ByDigest).map_err(failed)?;
            let (_, digest, _) = inflated.finish();
            if digest != layer.diff_id.0 {
                return Err(Error::DiffId { expected: layer.diff_id.clone(), actual: digest });
            }
            if let Some(path) = path {
                // A cache that cannot be written costs time only.
                let _ = index::save(&path, &members);
            }
            members
        }
    };
    let archive = match plain_file(store.blob_path(&layer.descriptor.digest)) {
        Some(file) => Archive::new(file),
        None => Archive::of_layer(Arc::clone(store), layer.clone(), growth),
    };
    Ok((members, Arc::new(archive)))
}

/// A blob that is a plain archive, open.
fn plain_file(path: PathBuf) -> Option<fs::File> {
    let file = fs::File::open(path).ok()?;
    let mut start = Vec::new();
    At { file: file.try_clone().ok()?, position: 0 }.take(16).read_to_end(&mut start).ok()?;
    is_plain(&start).then_some(file)
}

/// The members of a local archive (ADD), in any compression.
pub(crate) fn of_archive(stream: impl Read, growth: Growth) -> io::Result<Scanned> {
    let mut decoder = Decoder::new(stream, growth)?;
    let file = spool(&mut decoder)?;
    let growth = decoder.growth().afresh();
    let stream = At { file: file.try_clone()?, position: 0 };
    // docker reads archives without a marker, and a context is the user's own.
    let (members, _) = index::scan(stream, growth, Whole::Assumed)?;
    Ok((members, Arc::new(Archive::new(file))))
}
