//! The arguments of `union-mount`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;

/// Mount layers or an image as one file system, or run a command in it
#[derive(Debug, Parser)]
#[command(name = "union-mount", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: OutputOptions,
}
