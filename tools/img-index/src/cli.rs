//! The arguments of `img-index`. No I/O here.

use std::ffi::OsString;

use clap::Parser;
use common::cli::OutputOptions;
use common::oci::Platform;
use common::store::{Location, Name};
use registry::RegistryOptions;

/// Make one name stand for images of several platforms
#[derive(Debug, Parser)]
#[command(name = "img-index", version, override_usage = "img-index [OPTION]... -t NAME IMAGE...")]
pub(crate) struct Cli {
    /// Images, or indexes of several: names, digests, docker://HOST/NAME[:TAG|@DIGEST],
    /// oci:DIR, oci-archive:FILE, docker-archive:FILE, or '-'
    #[arg(value_name = "IMAGE", required_unless_present = "remove")]
    pub(crate) images: Vec<OsString>,

    /// Name the index; repeatable
    #[arg(short = 't', long = "tag", value_name = "NAME", required = true)]
    pub(crate) names: Vec<Name>,

    /// Begin with what the first NAME stands for; an image for a platform that it has takes
    /// the place of the other
    #[arg(long)]
    pub(crate) add: bool,

    /// Take the image for this platform out of what the first NAME stands for; repeatable
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) remove: Vec<Platform>,

    /// Note something in the index; repeatable
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    pub(crate) annotations: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("not KEY=VALUE".to_owned()),
    }
}
