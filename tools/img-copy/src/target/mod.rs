//! Where an image is put, one kind of place a file.

mod archive;
mod growing;
mod layout;
mod registry;

use std::fs::File;
use std::io::{self, Write};

use common::digest::{DiffId, Digest, Hashing};
use common::image::{self, Found};
use common::oci::Descriptor;
use common::progress::Progress;
use common::store;

pub(crate) use archive::Archive;
pub(crate) use layout::Layout;
pub(crate) use registry::Registry;

use crate::convert::{self, Converted, Recode};
use crate::recode::recode as recode_layer;
use crate::tree::Node;

/// A place that takes blobs, several at once, and then the documents that need them.
pub(crate) trait Target: Sync {
    /// Sees to it that a blob is there, and with a `diff_id` that it is that layer. A layer
    /// that is not to be redistributed may stay where it is.
    fn copy(
        &self,
        from: &Found,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        progress: &Progress,
    ) -> Result<(), Problem>;

    /// Sees to it that what `recode` makes of a layer is there; its digest and length.
    fn recode(
        &self,
        from: &Found,
        layer: &Descriptor,
        recode: &Recode,
        diff_id: Option<&DiffId>,
        progress: &Progress,
    ) -> Result<(Digest, u64), Problem>;

    /// Takes the documents, and gives the last one its names.
    fn finish(
        &self,
        from: &Found,
        root: &Node,
        converted: Converted,
        naming: &Naming,
    ) -> Result<(), Problem>;

    /// Ends what was begun, once all images are there.
    fn close(&self) -> Result<(), Problem> {
        Ok(())
    }
}

/// The names of an image at its destination.
#[derive(Debug, Default)]
pub(crate) struct Naming {
    pub(crate) names: Vec<String>,
    /// The index that it was chosen from, for the store to keep.
    pub(crate) index: Option<(Digest, Vec<u8>)>,
}

/// Why an image is not copied, told apart by whose fault it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// What is copied cannot be read.
    #[error(transparent)]
    Source(#[from] image::Error),
    /// A store that cannot be written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A registry that does not take it.
    #[error(transparent)]
    Registry(::registry::Error),
    /// A manifest that cannot be had as it was wanted.
    #[error(transparent)]
    Convert(#[from] convert::Error),
    /// A copy that is not what its name would say.
    #[error("the copy's digest is {0}")]
    OtherDigest(Digest),
}

/// Compresses a layer anew into `out`, and gives it back with what was written to it.
fn recode_to<W: Write>(
    out: W,
    from: &Found,
    layer: &Descriptor,
    recode: &Recode,
    diff_id: Option<&DiffId>,
    level: Option<i32>,
    progress: &Progress,
) -> Result<(W, Digest, u64), Problem> {
    let out = io::BufWriter::with_capacity(128 << 10, Hashing::new(out));
    let out = recode_layer(from, layer, recode, diff_id, level, progress, out)?;
    let hashing = out.into_inner().map_err(|error| {
        let what = format!("layer {}", layer.digest);
        image::Error::Io { what, source: error.into_error() }
    })?;
    Ok(hashing.finish())
}

/// A file without a name.
fn temporary() -> Result<File, Problem> {
    tempfile::tempfile().map_err(|source| {
        let what = format!("{}", common::name::show_path(&std::env::temp_dir()));
        image::Error::Io { what, source }.into()
    })
}

/// Whether a blob that is missing may be.
fn may_be_missing(error: &image::Error, blob: &Descriptor) -> bool {
    blob.kind() == common::oci::media_type::Kind::ForeignLayer
        && matches!(error, image::Error::Store(store::Error::NoBlob(_)))
}
