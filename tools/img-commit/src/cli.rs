//! The arguments of `img-commit`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;

/// Add a layer and configuration to an image
#[derive(Debug, Parser)]
#[command(name = "img-commit", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: OutputOptions,
}
