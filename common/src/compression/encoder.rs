//! Compression of what we write.

use std::fmt;
use std::io::{self, Write};

use flate2::Compression;

use super::Format;
use super::gzip::GzipWriter;

/// What gzip(1), and every builder of images, takes where nothing is said.
const GZIP_LEVEL: i32 = 6;

/// What zstd(1) takes where nothing is said.
const ZSTD_LEVEL: i32 = 3;

/// A stream compressed as it is written.
pub struct Encoder<W: Write> {
    state: State<W>,
}

enum State<W: Write> {
    None(W),
    Gzip(Box<GzipWriter<W>>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl<W: Write> Encoder<W> {
    /// Compresses to `stream`, at the format's own default where there is no level:
    /// 6 of 1 to 9 for gzip, 3 of 1 to 19 for zstd.
    ///
    /// # Errors
    /// A level that the format does not have; xz and bzip2, which no layer that we
    /// write comes in ([`io::ErrorKind::Unsupported`]).
    pub fn new(stream: W, format: Format, level: Option<i32>) -> io::Result<Self> {
        let state = match format {
            Format::None => State::None(stream),
            Format::Gzip => {
                let level = check_level(format, level.unwrap_or(GZIP_LEVEL))?;
                let level = Compression::new(level.unsigned_abs());
                State::Gzip(Box::new(GzipWriter::new(stream, level)?))
            }
            Format::Zstd => {
                let level = check_level(format, level.unwrap_or(ZSTD_LEVEL))?;
                let mut encoder = zstd::stream::write::Encoder::new(stream, level)?;
                encoder.include_checksum(true)?;
                State::Zstd(encoder)
            }
            Format::Xz | Format::Bzip2 => {
                let text = format!("{format} is only read, not written");
                return Err(io::Error::new(io::ErrorKind::Unsupported, text));
            }
        };
        Ok(Self { state })
    }

    /// Ends the compressed stream and gives the stream under it back.
    ///
    /// # Errors
    /// A stream that fails.
    pub fn finish(self) -> io::Result<W> {
        match self.state {
            State::None(mut stream) => {
                stream.flush()?;
                Ok(stream)
            }
            State::Gzip(encoder) => encoder.finish(),
            State::Zstd(encoder) => encoder.finish(),
        }
    }
}

fn check_level(format: Format, level: i32) -> io::Result<i32> {
    let text = match format.levels() {
        Some(levels) if levels.contains(&level) => return Ok(level),
        Some(levels) => {
            format!("{format} has levels {} to {}, not {level}", levels.start(), levels.end())
        }
        None => format!("{format} has no levels"),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::None(stream) => stream.write(buffer),
            State::Gzip(encoder) => encoder.write(buffer),
            State::Zstd(encoder) => encoder.write(buffer),
        }
    }

    /// Flushes the stream below, but nothing out of the compressor: that would
    /// change the compressed bytes.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::None(stream) => stream.flush(),
            State::Gzip(encoder) => encoder.get_mut().flush(),
            State::Zstd(encoder) => encoder.get_mut().flush(),
        }
    }
}
