//! The arguments of `img-ls`. No I/O here.

use clap::Parser;
use common::cli::OutputOptions;
use common::options::SizeLimit;
use common::store::Location;
use registry::RegistryOptions;

/// List the images of the store
#[derive(Debug, Parser)]
#[command(name = "img-ls", version, override_usage = "img-ls [OPTION]... [NAME]...")]
pub(crate) struct Cli {
    /// List images of these names only; docker://HOST/NAME for the tags of a repository,
    /// docker://HOST/ for the repositories of a registry
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Show whole digests
    #[arg(long)]
    pub(crate) no_trunc: bool,

    /// Show as 'table', 'json', or by a template with docker's fields
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,

    /// Show all there is to know, one JSON object a line
    #[arg(long, conflicts_with_all = ["format", "quiet", "no_trunc"])]
    pub(crate) json: bool,

    /// Verify every blob, manifest and name, and return 1 if anything is wrong
    #[arg(long, conflicts_with_all = ["names", "format", "json"])]
    pub(crate) check: bool,

    /// List the digests of the blobs that the store has, or that these images need
    #[arg(long, conflicts_with_all = ["format", "json", "check", "quiet", "no_trunc"])]
    pub(crate) blobs: bool,

    /// Print names for the completions of shells
    #[arg(long, hide = true)]
    pub(crate) complete: bool,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
