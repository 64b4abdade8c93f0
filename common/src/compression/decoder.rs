//! Decompression of whatever a layer comes in.

use std::fmt;
use std::io::{self, BufReader, Chain, Cursor, Read};

use super::format::read_magic;
use super::gzip::GzipReader;
use super::{Format, Growth};

/// How much compressed data is read at once.
const BUFFER_LEN: usize = 128 << 10;

/// The largest zstd window, as a power of two: 128 MiB, what `zstd -d` accepts
/// by default.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// What an xz stream may make us allocate; `xz -9` needs about 65 MiB.
const XZ_MEMORY_BYTES: u64 = 128 << 20;

type Stream<R> = BufReader<Chain<Cursor<Vec<u8>>, Counted<R>>>;

/// A stream decompressed as it is read.
pub struct Decoder<R> {
    state: State<R>,
    growth: Growth,
}

enum State<R> {
    None(Stream<R>),
    Gzip(Box<GzipReader<Stream<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Stream<R>>),
    Xz(Box<liblzma::bufread::XzDecoder<Stream<R>>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<Stream<R>>>),
}

impl<R> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("format", &self.format()).finish_non_exhaustive()
    }
}

impl<R> Decoder<R> {
    /// What the stream was found to be.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.state {
            State::None(_) => Format::None,
            State::Gzip(_) => Format::Gzip,
            State::Zstd(_) => Format::Zstd,
            State::Xz(_) => Format::Xz,
            State::Bzip2(_) => Format::Bzip2,
        }
    }
}

impl<R: Read> Decoder<R> {
    /// Reads the beginning of `stream` and decompresses the rest as that tells, as far
    /// as `growth` allows.
    ///
    /// # Errors
    /// A stream that fails.
    pub fn new(mut stream: R, growth: Growth) -> io::Result<Self> {
        let start = read_magic(&mut stream)?;
        let format = Format::detect(&start);
        Self::with_start(start, stream, format, growth)
    }

    /// Decompresses a stream whose format is known.
    ///
    /// # Errors
    /// A decompressor that cannot be made, for want of memory.
    pub fn with_format(stream: R, format: Format, growth: Growth) -> io::Result<Self> {
        Self::with_start(Vec::new(), stream, format, growth)
    }

    fn with_start(start: Vec<u8>, stream: R, format: Format, growth: Growth) -> io::Result<Self> {
        let stream = Counted { inner: stream, len_bytes: start.len() as u64 };
        let stream = BufReader::with_capacity(BUFFER_LEN, Cursor::new(start).chain(stream));
        let state = match format {
            Format::None => State::None(stream),
            Format::Gzip => State::Gzip(Box::new(GzipReader::new(stream))),
            Format::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(stream)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                State::Zstd(decoder)
            }
            Format::Xz => {
                let decoder = liblzma::stream::Stream::new_stream_decoder(
                    XZ_MEMORY_BYTES,
                    liblzma::stream::CONCATENATED,
                )?;
                State::Xz(Box::new(liblzma::bufread::XzDecoder::new_stream(stream, decoder)))
            }
            Format::Bzip2 => State::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(stream))),
        };
        Ok(Self { state, growth })
    }

    /// Reads what is left, so that every byte of the stream has been checked, and
    /// gives the stream back.
    ///
    /// # Errors
    /// A stream that fails, is damaged, or ends too early.
    pub fn finish(mut self) -> io::Result<R> {
        io::copy(&mut self, &mut io::sink())?;
        let stream = match self.state {
            State::None(stream) => stream,
            State::Gzip(decoder) => decoder.into_inner(),
            State::Zstd(decoder) => decoder.finish(),
            State::Xz(decoder) => decoder.into_inner(),
            State::Bzip2(decoder) => decoder.into_inner(),
        };
        debug_assert!(stream.buffer().is_empty(), "every decoder reads to the end");
        Ok(stream.into_inner().into_inner().1.inner)
    }

    /// How far the stream has grown, and from what.
    #[must_use]
    pub fn growth(&self) -> &Growth {
        &self.growth
    }

    /// How much of the stream has been read.
    fn read_bytes(&self) -> u64 {
        let stream = match &self.state {
            State::None(stream) => stream,
            State::Gzip(decoder) => decoder.get_ref(),
            State::Zstd(decoder) => decoder.get_ref(),
            State::Xz(decoder) => decoder.get_ref(),
            State::Bzip2(decoder) => decoder.get_ref(),
        };
        stream.get_ref().get_ref().1.len_bytes
    }

    fn read_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.state {
            State::None(stream) => stream.read(buffer),
            State::Gzip(decoder) => decoder.read(buffer),
            State::Zstd(decoder) => decoder.read(buffer),
            State::Xz(decoder) => decoder.read(buffer),
            State::Bzip2(decoder) => decoder.read(buffer),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let format = self.format();
        let len = self.read_raw(buffer).map_err(|error| describe(format, error))?;
        self.growth.has_read(self.read_bytes());
        self.growth.add(len as u64).map_err(io::Error::other)?;
        Ok(len)
    }
}

/// A stream that counts what is read of it.
struct Counted<R> {
    inner: R,
    len_bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.len_bytes += len as u64;
        Ok(len)
    }
}

/// Errors of the decompressors, in one voice; those of the stream stay as they are.
fn describe(format: Format, error: io::Error) -> io::Error {
    if format == Format::None || error.raw_os_error().is_some() {
        return error;
    }
    match error.kind() {
        io::ErrorKind::Interrupted => error,
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), format!("the {format} stream is truncated"))
        }
        _ => io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the {format} stream is damaged: {error}"),
        ),
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
