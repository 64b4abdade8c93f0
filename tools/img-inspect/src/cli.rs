//! The arguments of `img-inspect`. No I/O here.

use std::ffi::OsString;

use clap::Parser;
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::store::Location;
use registry::RegistryOptions;

/// Show what an image says of itself
#[derive(Debug, Parser)]
#[command(name = "img-inspect", version, override_usage = "img-inspect [OPTION]... IMAGE...")]
pub(crate) struct Cli {
    /// Images: names, digests, docker://HOST/NAME[:TAG|@DIGEST], oci:DIR, oci-archive:FILE, docker-archive:FILE, or '-'
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) images: Vec<OsString>,

    /// Show the bytes of what the name stands for: an index, a manifest, an artifact's
    #[arg(long, conflicts_with_all = ["manifest", "config", "digest", "format"])]
    pub(crate) raw: bool,

    /// Show the bytes of the manifest of one image
    #[arg(long, conflicts_with_all = ["config", "digest", "format"])]
    pub(crate) manifest: bool,

    /// Show the bytes of the config of one image
    #[arg(long, conflicts_with_all = ["digest", "format"])]
    pub(crate) config: bool,

    /// Show the digest of what the name stands for, or with --platform of one image
    #[arg(long, conflicts_with = "format")]
    pub(crate) digest: bool,

    /// Show by a template with docker's fields
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,

    /// The platform to take from an image for several
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
