//! The arguments of `img-rm`. No I/O here.

use std::path::PathBuf;

use clap::Parser;
use common::cli::OutputOptions;
use common::store::Location;
use registry::RegistryOptions;

/// Remove images from the store
#[derive(Debug, Parser)]
#[command(
    name = "img-rm",
    version,
    override_usage = "img-rm [OPTION]... [IMAGE]...\n       img-rm --upper DIR"
)]
pub(crate) struct Cli {
    /// Names to take away, digests of images with one name or none, or docker://HOST/NAME:TAG
    #[arg(value_name = "IMAGE", required_unless_present_any = ["prune", "upper"])]
    pub(crate) images: Vec<String>,

    /// Then remove all that no name reaches
    #[arg(long)]
    pub(crate) prune: bool,

    /// Remove the directory DIR, whose files belong to subordinate ids; repeatable
    #[arg(long, value_name = "DIR", conflicts_with_all = ["images", "prune"])]
    pub(crate) upper: Vec<PathBuf>,

    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,

    /// End each line with a zero byte
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
