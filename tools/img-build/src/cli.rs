//! The arguments of `img-build`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;

/// Build an image from a Containerfile
#[derive(Debug, Parser)]
#[command(name = "img-build", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: OutputOptions,
}
