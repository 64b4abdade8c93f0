//! The arguments of `layer-merge`. No I/O here.

use std::ffi::OsString;

use clap::Parser;
use common::cli::OutputOptions;
use common::options::{BareLayers, CompressOptions, OutputFile};

/// Make one layer of several
#[derive(Debug, Parser)]
#[command(name = "layer-merge", version, override_usage = "layer-merge [OPTION]... LAYER...")]
pub(crate) struct Cli {
    /// Layers with any compression, base first; standard input for '-'
    #[arg(value_name = "LAYER", required = true)]
    pub(crate) layers: Vec<OsString>,

    #[command(flatten)]
    pub(crate) file: OutputFile,

    #[command(flatten)]
    pub(crate) compress: CompressOptions,

    #[command(flatten)]
    pub(crate) bare: BareLayers,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
