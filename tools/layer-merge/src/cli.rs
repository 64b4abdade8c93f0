//! The arguments of `layer-merge`. No I/O here.

use std::ffi::OsString;

use clap::{Parser, ValueEnum};
use common::cli::OutputOptions;
use common::compression::Format;

/// Make one layer of several
#[derive(Debug, Parser)]
#[command(name = "layer-merge", version, override_usage = "layer-merge [OPTION]... LAYER...")]
pub(crate) struct Cli {
    /// Layers with any compression, base first; standard input for '-'
    #[arg(value_name = "LAYER", required = true)]
    pub(crate) layers: Vec<OsString>,

    /// Write to FILE and not to standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(crate) destination: Option<OsString>,

    /// Compress the layer
    #[arg(long, value_name = "FORMAT", default_value = "none")]
    pub(crate) compress: Compression,

    /// How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd
    #[arg(long, value_name = "N", requires = "compress")]
    pub(crate) level: Option<i32>,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// How the layer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// gzip
    Gzip,
    /// zstd
    Zstd,
    /// Plain tar
    None,
}

impl From<Compression> for Format {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => Self::Zstd,
            Compression::None => Self::None,
        }
    }
}

impl Compression {
    /// The highest level.
    pub(crate) fn max_level(self) -> Option<i32> {
        match self {
            Self::Gzip => Some(9),
            Self::Zstd => Some(19),
            Self::None => None,
        }
    }
}
