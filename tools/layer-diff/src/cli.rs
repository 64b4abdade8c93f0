//! The arguments of `layer-diff`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;

/// Compute a layer from two directory trees, or from an overlay upper directory
#[derive(Debug, Parser)]
#[command(name = "layer-diff", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: OutputOptions,
}
