//! A layer's way from a stream into the store: inflated, checked to be a tar archive,
//! hashed, perhaps compressed again, in one pass.

use std::io::{self, Read, Write};

use common::cli::Failure;
use common::compression::{Decoder, Encoder, Format};
use common::digest::{Algorithm, DiffId, Hasher};
use common::image::Sizes;
use common::oci::{Descriptor, media_type};
use common::progress::Progress;
use common::store::{BlobWriter, Store};
use common::stream::Input;
use common::tar;

/// A layer in the store.
pub(crate) struct Layer {
    pub(crate) descriptor: Descriptor,
    pub(crate) diff_id: DiffId,
}

/// Stores the layer that `input` gives. None if it changes nothing: docker adds no
/// layer then either.
pub(crate) fn store(input: Input, format: Format, store: &Store) -> Result<Option<Layer>, Failure> {
    let label = input.label();
    let progress = Progress::bytes(&label, input.len_bytes());
    let about = |error: io::Error| Failure::about(&label, error);
    let plain = Decoder::new(progress.reading(input)).map_err(about)?;
    let stored = Encoder::new(store.writer()?, format, None).map_err(about)?;
    // Plain, the blob's digest is the DiffID.
    let hasher = (format != Format::None).then(|| Hasher::new(Algorithm::Sha256));
    let mut tee = Tee { from: plain, to: stored, hasher, len_bytes: 0, failed: None };
    let size = match content_size(&mut tee) {
        Ok(Some(size)) => size,
        Ok(None) => return Ok(None),
        Err(error) => return Err(refusal(&label, tee, error)),
    };
    let in_store = |error| Failure::about("store", error);
    let (digest, len_bytes) = tee.to.finish().map_err(in_store)?.commit()?;
    let diff_id = tee.hasher.map_or_else(|| digest.clone(), Hasher::finish);
    let diff_id = DiffId(diff_id);
    // It is known now, and img-history need not read the layer for it.
    Sizes::default().put(&diff_id, size);
    let media_type = match format {
        Format::Gzip => media_type::LAYER_GZIP,
        Format::Zstd => media_type::LAYER_ZSTD,
        _ => media_type::LAYER,
    };
    let descriptor = Descriptor::new(media_type, digest, len_bytes);
    Ok(Some(Layer { descriptor, diff_id }))
}

/// Reads a whole archive and adds up what its files hold, in bytes; none if there is
/// nothing in it.
fn content_size(stream: &mut impl Read) -> Result<Option<u64>, tar::Error> {
    let mut reader = tar::Reader::new(stream, tar::Limits::default());
    let mut size = None;
    while let Some(entry) = reader.next_entry()? {
        let more = if entry.kind == tar::Kind::File { entry.len_bytes } else { 0 };
        size = Some(size.unwrap_or(0_u64).saturating_add(more));
    }
    // A DiffID covers what trails the archive too.
    reader.finish()?;
    Ok(size)
}

/// What to tell of a stream that is no layer.
fn refusal(
    label: &str,
    tee: Tee<impl Read, Encoder<BlobWriter<'_>>>,
    error: tar::Error,
) -> Failure {
    if let Some(error) = tee.failed {
        return Failure::about("store", error);
    }
    if tee.len_bytes == 0 && !matches!(error, tar::Error::Read { .. }) {
        let hint = "to change the configuration alone, use --config-only";
        return Failure::new(format!("{label}: empty input, not a layer")).hint(hint);
    }
    Failure::about(label, error)
}

/// Writes what is read through it.
struct Tee<R, W> {
    from: R,
    to: W,
    hasher: Option<Hasher>,
    len_bytes: u64,
    /// Why writing failed, which the reader could only tell as its own failure.
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(buffer)?;
        let bytes = buffer.get(..len).unwrap_or_default();
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.len_bytes += len as u64;
        if let Err(error) = self.to.write_all(bytes) {
            self.failed = Some(error);
            return Err(io::Error::other("cannot write what was read"));
        }
        Ok(len)
    }
}
