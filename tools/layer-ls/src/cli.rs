//! The arguments of `layer-ls`. No I/O here.

use std::ffi::OsString;

use clap::Parser;
use common::cli::{BareLayers, OutputOptions};

/// List what layers hold
#[derive(Debug, Parser)]
#[command(name = "layer-ls", version, override_usage = "layer-ls [OPTION]... [LAYER]...")]
pub(crate) struct Cli {
    /// Layers with any compression; standard input for none or '-'
    #[arg(value_name = "LAYER")]
    pub(crate) layers: Vec<OsString>,

    /// Show all that is recorded of a name, and a total
    #[arg(short, long, conflicts_with_all = ["json", "null"])]
    pub(crate) long: bool,

    /// Print JSON, one object a line
    #[arg(long, conflicts_with = "null")]
    pub(crate) json: bool,

    /// End each name with a zero byte
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) bare: BareLayers,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
