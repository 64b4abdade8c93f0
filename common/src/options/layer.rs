//! Options of the tools that write a layer: where to, and how it is compressed.

use std::ffi::OsString;
use std::fmt::Display;

use clap::{Args, ValueEnum};

use crate::cli::Failure;
use crate::compression::{Encoder, Format};
use crate::stream::{self, Output, Payload};

/// Where a layer goes.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputFile {
    /// Write to FILE and not to standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    path: Option<OsString>,
}

impl OutputFile {
    /// Opens it.
    ///
    /// # Errors
    /// An output that cannot be opened, or a terminal for binary data.
    pub fn open(&self, payload: Payload) -> Result<Output, stream::Error> {
        Output::open(self.path.as_deref(), payload)
    }

    /// An error of writing to it, which begins with its name.
    pub fn failure(&self, error: impl std::error::Error + 'static) -> Failure {
        let path = self.path.as_deref().filter(|path| !stream::is_standard(path));
        let name: &dyn Display = match &path {
            Some(path) => &crate::name::show_path(path),
            None => &"standard output",
        };
        Failure::about(name, error)
    }
}

/// How a layer is compressed.
#[derive(Debug, Clone, Args)]
pub struct CompressOptions {
    /// Compress the layer
    #[arg(long, value_name = "FORMAT", default_value = "none")]
    compress: Choice,

    /// How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd
    #[arg(long, value_name = "N", requires = "compress")]
    level: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// gzip
    Gzip,
    /// zstd
    Zstd,
    /// Plain tar, so that the layer's digest is its DiffID
    None,
}

/// What [`CompressOptions`] come to: a format that is written, at a level it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compress {
    format: Format,
    level: Option<i32>,
}

impl CompressOptions {
    /// What was asked for, if it makes sense.
    ///
    /// # Errors
    /// A level that the format does not have.
    pub fn checked(&self) -> Result<Compress, Failure> {
        let format = match self.compress {
            Choice::Gzip => Format::Gzip,
            Choice::Zstd => Format::Zstd,
            Choice::None => Format::None,
        };
        match (self.level, format.levels()) {
            (Some(_), None) => Err(Failure::usage("--level needs --compress=gzip or zstd")),
            (Some(level), Some(levels)) if !levels.contains(&level) => {
                let (first, last) = (levels.start(), levels.end());
                let text = format!("--level {level}: {format} has levels {first} to {last}");
                Err(Failure::usage(text))
            }
            (level, _) => Ok(Compress { format, level }),
        }
    }
}

impl Compress {
    /// Not at all.
    pub const NONE: Self = Self { format: Format::None, level: None };

    /// The format.
    #[must_use]
    pub fn format(self) -> Format {
        self.format
    }

    /// Compresses to `stream`.
    ///
    /// # Errors
    /// A stream that fails.
    pub fn encoder<W: std::io::Write>(self, stream: W) -> std::io::Result<Encoder<W>> {
        Encoder::new(stream, self.format, self.level)
    }
}
