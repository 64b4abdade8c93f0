//! The arguments of `img-history`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;

/// Show how images were made, layer by layer
#[derive(Debug, Parser)]
#[command(name = "img-history", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: OutputOptions,
}
