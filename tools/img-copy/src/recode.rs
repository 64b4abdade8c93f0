//! A layer compressed anew: read as it is, checked against its digest and its DiffID,
//! written in another format. The same layer gives the same bytes everywhere.

use std::io::{self, Read, Write};

use common::compression::{Decoder, Encoder, Format};
use common::digest::{Algorithm, DiffId, Hashing};
use common::image::{Error, Found};
use common::layer::verify::{self, Verifier};
use common::oci::Descriptor;
use common::progress::Progress;

use crate::convert::Recode;

const PART_LEN_BYTES: usize = 256 << 10;

/// The level of gzip unless another is asked for: it makes layers of the size that docker,
/// containerd and skopeo make, and in less time than the 6 of gzip(1).
const GZIP_LEVEL: i32 = 3;

/// Writes what `recode` makes of `layer` to `out`, and gives `out` back. With a `diff_id`
/// the layer is checked to be a tar archive too.
///
/// # Errors
/// A layer that is missing or damaged, or is not what the config says; an output that
/// fails.
pub(crate) fn recode<W: Write>(
    from: &Found,
    layer: &Descriptor,
    recode: &Recode,
    diff_id: Option<&DiffId>,
    level: Option<i32>,
    progress: &Progress,
    out: W,
) -> Result<W, Error> {
    let io = |source| Error::Io { what: format!("layer {}", layer.digest), source };
    let blob = progress.reading(from.blob(layer)?);
    let algorithm = recode.diff_id.as_ref().map_or(Algorithm::Sha256, |id| id.0.algorithm());
    let growth = recode.max_size.growth(Some(layer.len_bytes));
    // What is said to be plain is not looked at: a tar archive may begin with anything.
    let decoder = match layer.media_type.ends_with("tar") {
        true => Decoder::with_format(blob, Format::None, growth),
        false => Decoder::new(blob, growth),
    };
    let mut plain = Hashing::with_algorithm(decoder.map_err(io)?, algorithm);
    let level = level.or((recode.format == Format::Gzip).then_some(GZIP_LEVEL));
    let mut encoder = Encoder::new(out, recode.format, level).map_err(io)?;
    let unchecked = diff_id.filter(|diff_id| !verify::is_known(&layer.digest, diff_id));
    // Of what is inflated already, the archive alone is left to be checked.
    let mut verifier = unchecked.map(|diff_id| {
        let growth = recode.max_size.growth(Some(layer.len_bytes));
        Verifier::new(diff_id.0.clone(), diff_id.clone(), growth)
    });
    let mut part = vec![0; PART_LEN_BYTES];
    loop {
        let len = plain.read(&mut part).map_err(io)?;
        let read = part.get(..len).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        encoder.write_all(read).map_err(io)?;
        if let Some(verifier) = &mut verifier {
            verifier.update(read).map_err(io::Error::from).map_err(io)?;
        }
    }
    let (decoder, actual, _) = plain.finish();
    decoder.finish().map_err(io)?;
    if let Some(expected) = recode.diff_id.as_ref().filter(|expected| expected.0 != actual) {
        return Err(Error::DiffId { expected: expected.clone(), actual });
    }
    if let (Some(verifier), Some(diff_id)) = (verifier, diff_id) {
        verifier.finish().map_err(io::Error::from).map_err(io)?;
        verify::remember(&layer.digest, diff_id);
    }
    encoder.finish().map_err(io)
}
