//! The members of one layer. Of a plain layer in the store that has been checked before,
//! only headers are read, and the content that somebody asks for; any other is read to
//! its end, and checked.

use std::fs::File;
use std::io::{self, BufReader, Read};

use super::{Error, Reading, Trust};
use crate::compression::{Decoder, Format};
use crate::image::{self, Image, Layer};
use crate::layer::verify::{self, Hashed};
use crate::tar::{Entry, Limits, Reader, Whole};

/// As much as is read of a file at once: several headers of small files, and not much
/// of the content of a large one.
const BUFFER_LEN_BYTES: usize = 32 << 10;

/// Calls `seen` with every member of a layer, where it is, and its content, and returns
/// the length of the uncompressed layer in bytes.
pub(super) fn each(
    image: &Image,
    layer: &Layer,
    reading: Reading,
    mut seen: impl FnMut(Entry, u64, &mut dyn Read) -> Result<(), Error>,
) -> Result<u64, Error> {
    let digest = &layer.descriptor.digest;
    let growth = || reading.max_size.growth(Some(layer.descriptor.len_bytes));
    // Holes count, as somebody may want to read them.
    let mut apparent = growth();
    let mut seen = |entry: Entry, position: u64, content: &mut dyn Read| {
        let too_large = |source| Error::TooLarge { layer: digest.clone(), source };
        apparent.add(entry.len_bytes).map_err(too_large)?;
        seen(entry, position, content)
    };
    let failed = |source| image::Error::Io { what: format!("layer {digest}"), source };
    let is_plain = *digest == layer.diff_id.0;
    match trusted(image, layer, reading)? {
        Some(file) if is_plain => {
            headers(file, layer, &mut seen)?;
            Ok(layer.descriptor.len_bytes)
        }
        Some(file) => {
            let decoder = Decoder::new(file, growth()).map_err(failed)?;
            Ok(members(decoder, layer, &mut seen)?.1)
        }
        None => {
            let decoder = Decoder::new(image.layer(layer)?, growth()).map_err(failed)?;
            let len_bytes = if decoder.format() == Format::None && is_plain {
                // The blob's own digest is checked by its reader.
                members(decoder, layer, &mut seen)?.1
            } else {
                let hashed = Hashed::new(decoder, layer.diff_id.0.algorithm());
                let (hashed, len_bytes) = members(hashed, layer, &mut seen)?;
                let actual = hashed.finish();
                if actual != layer.diff_id.0 {
                    let expected = layer.diff_id.clone();
                    return Err(image::Error::DiffId { expected, actual }.into());
                }
                len_bytes
            };
            if image.store().is_some() {
                verify::remember(digest, &layer.diff_id);
            }
            Ok(len_bytes)
        }
    }
}

/// The file of a layer's blob, if it need not be checked.
pub(super) fn trusted(
    image: &Image,
    layer: &Layer,
    reading: Reading,
) -> Result<Option<File>, Error> {
    let Some(store) = image.store().filter(|_| reading.trust == Trust::Checked) else {
        return Ok(None);
    };
    if !verify::is_known(&layer.descriptor.digest, &layer.diff_id) {
        return Ok(None);
    }
    Ok(Some(store.blob_file(&layer.descriptor).map_err(image::Error::from)?))
}

/// Reads the headers of a plain archive, and of its content only what `seen` reads.
fn headers(
    file: File,
    layer: &Layer,
    seen: &mut impl FnMut(Entry, u64, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let malformed =
        |source| image::Error::Layer { digest: layer.descriptor.digest.clone(), source };
    let stream = BufReader::with_capacity(BUFFER_LEN_BYTES, file);
    let mut reader = Reader::buffered(stream, Limits::default(), Whole::ByDigest);
    while let Some(entry) = reader.next_entry().map_err(malformed)? {
        let position = reader.position();
        seen(entry, position, &mut reader.content())?;
        reader.seek_over_content(layer.descriptor.len_bytes).map_err(malformed)?;
    }
    Ok(())
}

/// Reads an archive to the end of the stream, and gives the stream back with its length.
fn members<R: Read>(
    stream: R,
    layer: &Layer,
    seen: &mut impl FnMut(Entry, u64, &mut dyn Read) -> Result<(), Error>,
) -> Result<(R, u64), Error> {
    let malformed =
        |source| image::Error::Layer { digest: layer.descriptor.digest.clone(), source };
    let counted = Counted { stream, len_bytes: 0 };
    let mut reader = Reader::new(counted, Limits::default(), Whole::ByDigest);
    while let Some(entry) = reader.next_entry().map_err(malformed)? {
        let position = reader.position();
        seen(entry, position, &mut reader.content())?;
    }
    let counted = reader.finish().map_err(malformed)?.into_inner();
    Ok((counted.stream, counted.len_bytes))
}

/// A stream whose bytes are counted.
struct Counted<R> {
    stream: R,
    len_bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buffer)?;
        self.len_bytes += len as u64;
        Ok(len)
    }
}
