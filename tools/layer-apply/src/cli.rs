//! The arguments of `layer-apply`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;

/// Apply layers to a directory
#[derive(Debug, Parser)]
#[command(name = "layer-apply", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: OutputOptions,
}
