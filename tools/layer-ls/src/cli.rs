//! The arguments of `layer-ls`. No I/O here.

use std::ffi::OsString;

use clap::{ArgGroup, Parser};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::BareLayers;
use common::store::Location;
use registry::RegistryOptions;

/// List what layers and images hold
#[derive(Debug, Parser)]
#[command(
    name = "layer-ls",
    version,
    override_usage = "layer-ls [OPTION]... [LAYER]...\n       \
                      layer-ls [OPTION]... --image IMAGE [PATH]...\n       \
                      layer-ls [OPTION]... --cat IMAGE PATH",
    group = ArgGroup::new("inside").args(["image", "cat"])
)]
pub(crate) struct Cli {
    /// Layers with any compression; standard input for none or '-'
    #[arg(value_name = "LAYER")]
    pub(crate) operands: Vec<OsString>,

    /// List the tree of IMAGE, or the PATHs in it: each with the layer and the step that wrote it
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<OsString>,

    /// Write the content of the file PATH of IMAGE
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["long", "json", "null", "all"])]
    pub(crate) cat: Option<OsString>,

    /// With --image: list every version of each path, with what the layer did to it
    #[arg(long, requires = "image")]
    pub(crate) all: bool,

    /// Stop after layer N, counted from 1, base first
    #[arg(long, value_name = "N", requires = "inside")]
    pub(crate) at: Option<usize>,

    /// Check every layer that is read, also those of the store that were checked before
    #[arg(long, requires = "inside")]
    pub(crate) verify: bool,

    /// The platform to take from an image for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", requires = "inside")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    /// Show all that is recorded of a name, and a total
    #[arg(short, long, conflicts_with_all = ["json", "null"])]
    pub(crate) long: bool,

    /// Print JSON, one object a line
    #[arg(long, conflicts_with = "null")]
    pub(crate) json: bool,

    /// End each name with a zero byte
    #[arg(short = '0', long)]
    pub(crate) null: bool,

    #[command(flatten)]
    pub(crate) bare: BareLayers,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}
