//! A layer's way into the store, in one pass: from a stream, inflated and checked to be
//! a tar archive, or from an upper directory; hashed, and perhaps compressed.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use common::cli::Failure;
use common::compression::{Decoder, Encoder, Format};
use common::digest::{Algorithm, DiffId, Hasher};
use common::image::{Sizes, size_of};
use common::layer::diff::{self, Change, LayerWriter, Sink, SinkError};
use common::layer::verify;
use common::message;
use common::name::show;
use common::oci::Descriptor;
use common::oci::media_type::{self, Kind};
use common::options::{BareLayers, Compress};
use common::progress::Progress;
use common::store::{BlobWriter, Store};
use common::stream::{self, Input, Payload};
use common::tar;
use common::time;

use crate::cli::Cli;
use crate::start::Placed;

/// A layer in the store.
pub(crate) struct Layer {
    pub(crate) descriptor: Descriptor,
    pub(crate) diff_id: DiffId,
}

/// Where a layer comes from.
pub(crate) enum Source<'c> {
    /// A tar archive, compressed or not.
    Stream(Input),
    /// An overlay's upper directory, and its lower ones if they are known.
    Upper(&'c Path, Vec<&'c Path>),
    /// There is to be none.
    Nothing,
}

impl<'c> Source<'c> {
    /// What the arguments name, opened.
    pub(crate) fn new(cli: &'c Cli) -> Result<Self, Failure> {
        let is_streamed = cli.upper.is_none() && !cli.config_only;
        let operand = cli.layer.as_deref().unwrap_or(OsStr::new("-"));
        let images = [Some(&cli.parent), cli.onto.as_ref(), cli.base.as_ref()].into_iter();
        let images = images.flatten().map(OsString::as_os_str);
        stream::at_most_one_standard(images.chain(is_streamed.then_some(operand)))?;
        match (&cli.upper, cli.config_only) {
            (Some(upper), _) => {
                let lowers = cli.lowers.iter().map(PathBuf::as_path).collect();
                Ok(Self::Upper(upper, lowers))
            }
            (None, true) => Ok(Self::Nothing),
            (None, false) => Ok(Self::Stream(Input::open(operand, Payload::Binary)?)),
        }
    }
}

/// Stores the layer that `source` gives. None if it changes nothing: docker adds no
/// layer then either.
pub(crate) fn store(
    source: Source<'_>,
    bare: BareLayers,
    compress: Compress,
    store: &Store,
) -> Result<Option<Layer>, Failure> {
    match source {
        Source::Nothing => Ok(None),
        Source::Stream(input) => from_stream(input, bare, compress, store),
        Source::Upper(upper, lowers) => from_upper(upper, &lowers, compress, store),
    }
}

/// The layer that `layer-diff --overlay` would write.
fn from_upper(
    upper: &Path,
    lowers: &[&Path],
    compress: Compress,
    store: &Store,
) -> Result<Option<Layer>, Failure> {
    let options = diff::Options {
        clamp_mtime: time::source_date_epoch()?,
        owner: diff::Owner::of_caller(),
        ..diff::Options::default()
    };
    let mut sink = Counting { layer: LayerWriter::new(Stored::new(compress, store)?), size: 0 };
    let summary = match diff::overlay(upper, lowers, &options, &mut sink) {
        Err(error @ diff::Error::LowerNeeded { .. }) => {
            return Err(
                Failure::from(error).hint("name the lower directories with --lower, base first")
            );
        }
        told => told?,
    };
    for one in &summary.passed_over {
        message::warning(format_args!("{}: {}", show(&one.path), one.reason));
    }
    if summary.is_empty() {
        return Ok(None);
    }
    sink.layer.finish()?.finish(Some(sink.size)).map(Some)
}

/// Adds up what the files of a layer hold.
struct Counting<W> {
    layer: LayerWriter<W>,
    size: u64,
}

impl<W: Write> Sink for Counting<W> {
    fn reads_content(&self) -> bool {
        self.layer.reads_content()
    }

    fn change(&mut self, change: Change<'_>) -> Result<(), SinkError> {
        self.size = self.size.saturating_add(size_of(change.entry));
        self.layer.change(change)
    }
}

/// The layer that a stream holds.
fn from_stream(
    input: Input,
    bare: BareLayers,
    compress: Compress,
    store: &Store,
) -> Result<Option<Layer>, Failure> {
    let label = input.label();
    let progress = Progress::bytes(&label, input.len_bytes());
    let growth = bare.max_size().growth(input.len_bytes());
    let plain = Decoder::new(progress.reading(input), growth)
        .map_err(|error| Failure::about(&label, error))?;
    let mut tee = Tee { from: plain, to: Stored::new(compress, store)?, failed: None };
    match content_size(&mut tee, bare.whole()) {
        Ok(Some(size)) => tee.to.finish(Some(size)).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(refusal(&label, tee, error)),
    }
}

/// The layer compressed, if it is stored plain; else as it is.
pub(crate) fn compressed(
    placed: &Placed,
    compress: Compress,
    store: &Store,
) -> Result<Descriptor, Failure> {
    let Placed { layer, image } = placed;
    let is_plain = layer.descriptor.digest == layer.diff_id.0;
    if layer.descriptor.kind() != Kind::Layer || !is_plain {
        return Ok(layer.descriptor.clone());
    }
    let label = format!("layer {}", layer.descriptor.digest);
    let mut stored = Stored::new(compress, store)?;
    io::copy(&mut image.verified_layer(layer)?, &mut stored)
        .map_err(|error| Failure::about(label, error))?;
    let mut descriptor = stored.finish(None)?.descriptor;
    descriptor.annotations.clone_from(&layer.descriptor.annotations);
    Ok(descriptor)
}

/// An uncompressed layer being written into the store.
pub(crate) struct Stored<'s> {
    encoder: Encoder<BlobWriter<'s>>,
    format: Format,
    /// None where the layer is stored plain: the blob's digest is the DiffID then.
    hasher: Option<Hasher>,
    len_bytes: u64,
}

impl<'s> Stored<'s> {
    pub(crate) fn new(compress: Compress, store: &'s Store) -> Result<Self, Failure> {
        let encoder = compress.encoder(store.writer()?);
        let encoder = encoder.map_err(|error| Failure::about("store", error))?;
        let format = compress.format();
        let hasher = (format != Format::None).then(|| Hasher::new(Algorithm::Sha256));
        Ok(Self { encoder, format, hasher, len_bytes: 0 })
    }

    /// Puts the layer in its place; `size` is what its files hold in bytes, if that is
    /// known.
    pub(crate) fn finish(self, size: Option<u64>) -> Result<Layer, Failure> {
        let blob = self.encoder.finish().map_err(|error| Failure::about("store", error))?;
        let (digest, len_bytes) = blob.commit()?;
        let diff_id = DiffId(self.hasher.map_or_else(|| digest.clone(), Hasher::finish));
        verify::remember(&digest, &diff_id);
        if let Some(size) = size {
            // img-history need not read the layer for it.
            Sizes::default().put(&diff_id, size);
        }
        let media_type = match self.format {
            Format::Gzip => media_type::LAYER_GZIP,
            Format::Zstd => media_type::LAYER_ZSTD,
            _ => media_type::LAYER,
        };
        Ok(Layer { descriptor: Descriptor::new(media_type, digest, len_bytes), diff_id })
    }
}

impl Write for Stored<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.encoder.write_all(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(buffer);
        }
        self.len_bytes += buffer.len() as u64;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

/// Reads a whole archive and adds up what its files hold, in bytes; none if there is
/// nothing in it.
fn content_size(stream: &mut impl Read, whole: tar::Whole) -> Result<Option<u64>, tar::Error> {
    let mut reader = tar::Reader::new(stream, tar::Limits::default(), whole);
    let mut size = None;
    while let Some(entry) = reader.next_entry()? {
        size = Some(size.unwrap_or(0_u64).saturating_add(size_of(&entry)));
    }
    // A DiffID covers what trails the archive too.
    reader.finish()?;
    Ok(size)
}

/// What to tell of a stream that is no layer.
fn refusal(label: &str, tee: Tee<impl Read, Stored<'_>>, error: tar::Error) -> Failure {
    if let Some(error) = tee.failed {
        return Failure::about("store", error);
    }
    if tee.to.len_bytes == 0 && !matches!(error, tar::Error::Read { .. }) {
        let hint = "to change the configuration alone, use --config-only";
        return Failure::new(format!("{label}: empty input, not a layer")).hint(hint);
    }
    Failure::about(label, error)
}

/// Writes what is read through it.
struct Tee<R, W> {
    from: R,
    to: W,
    /// Why writing failed, which the reader could only tell as its own failure.
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(buffer)?;
        if let Err(error) = self.to.write_all(buffer.get(..len).unwrap_or_default()) {
            self.failed = Some(error);
            return Err(io::Error::other("cannot write what was read"));
        }
        Ok(len)
    }
}
