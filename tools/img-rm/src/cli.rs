//! The arguments of `img-rm`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;
use common::store::Location;

/// Remove images from the store
#[derive(Debug, Parser)]
#[command(name = "img-rm", version, override_usage = "img-rm [OPTION]... [IMAGE]...")]
pub(crate) struct Cli {
    /// Names to take away, or digests of images with one name or none
    #[arg(value_name = "IMAGE", required_unless_present = "prune")]
    pub(crate) images: Vec<String>,

    /// Then remove all that no name reaches
    #[arg(long)]
    pub(crate) prune: bool,

    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// End each line with a zero byte
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
