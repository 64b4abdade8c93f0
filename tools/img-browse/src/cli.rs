//! The arguments of `img-browse`. No I/O here.

use std::ffi::OsString;

use clap::Parser;
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::store::Location;
use registry::RegistryOptions;

/// Look inside images on a terminal
#[derive(Debug, Parser)]
#[command(name = "img-browse", version, override_usage = "img-browse [OPTION]... IMAGE...")]
pub(crate) struct Cli {
    /// Images: names, digests, docker://HOST/NAME[:TAG], oci:DIR, oci-archive:FILE, docker-archive:FILE
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<OsString>,

    /// Check every layer that is read, also those of the store that were checked before
    #[arg(long)]
    pub(crate) verify: bool,

    /// The platform to take from images for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
