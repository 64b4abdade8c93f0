//! The arguments of `img-copy`. No I/O here.

use std::ffi::OsString;

use clap::Parser;
use common::cli::OutputOptions;
use common::oci::Platform;
use common::store::Location;

/// Copy an image from one place to another
#[derive(Debug, Parser)]
#[command(name = "img-copy", version)]
pub(crate) struct Cli {
    /// What to copy: a name, a digest, oci:DIR, oci-archive:FILE, docker-archive:FILE, or '-'
    #[arg(value_name = "SRC")]
    pub(crate) source: OsString,

    /// Where to: a name in the store, oci:DIR, oci-archive:FILE, docker-archive:FILE, or '-'
    #[arg(value_name = "DST")]
    pub(crate) destination: OsString,

    /// The platform to take from an image for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
