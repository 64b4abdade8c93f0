//! The arguments of `img-history`. No I/O here.

use std::ffi::OsString;

use clap::{ArgAction, Parser};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::store::Location;
use registry::RegistryOptions;

/// Show how an image came to be
#[derive(Debug, Parser)]
#[command(name = "img-history", version, override_usage = "img-history [OPTION]... [IMAGE]...")]
pub(crate) struct Cli {
    /// Images: names, digests, oci:DIR, oci-archive:FILE, docker-archive:FILE [default: an archive on standard input]
    #[arg(value_name = "IMAGE")]
    pub(crate) images: Vec<OsString>,

    /// Show whole digests and commands
    #[arg(long)]
    pub(crate) no_trunc: bool,

    /// Show sizes and times for people, not for programs
    #[arg(
        short = 'H',
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true",
        value_parser = parse_bool,
        action = ArgAction::Set
    )]
    pub(crate) human: bool,

    /// Show as 'table', 'json', or by a template with docker's fields
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,

    /// Show all there is to know, one JSON object a line, newest first
    #[arg(long, conflicts_with_all = ["format", "quiet", "no_trunc", "human"])]
    pub(crate) json: bool,

    /// Show only the steps whose layers wrote or deleted PATH, or something in it
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<OsString>,

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

/// The words of Go's strconv.ParseBool, which docker takes.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("not true or false".to_owned()),
    }
}
