//! The arguments of `img-commit`. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use common::cli::OutputOptions;
use common::oci::{ManifestFormat, Platform};
use common::options::UserOptions;
use common::options::{BareLayers, CompressOptions};
use common::store::{Location, Name};
use registry::RegistryOptions;

/// Add a layer and configuration to an image
#[derive(Debug, Parser)]
#[command(name = "img-commit", version, override_usage = "img-commit [OPTION]... PARENT [LAYER]")]
pub(crate) struct Cli {
    /// The image to start from, or 'scratch'
    #[arg(value_name = "PARENT")]
    pub(crate) parent: OsString,

    /// The layer, a tar archive with any compression [default: standard input]
    #[arg(value_name = "LAYER")]
    pub(crate) layer: Option<OsString>,

    /// Say in the history what the commit is for
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    /// Say in the history and the config who made it
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) author: Option<String>,

    /// Change the config by a Containerfile instruction (CMD, ENV, LABEL, ...); repeatable
    #[arg(short = 'c', long = "change", value_name = "INSTRUCTION")]
    pub(crate) changes: Vec<String>,

    /// Take ENV=NAME, LABEL=NAME, PORT=NUMBER, VOLUME=PATH, CMD or HEALTHCHECK out of the
    /// config, before any --change; repeatable
    #[arg(long, value_name = "THING")]
    pub(crate) unset: Vec<String>,

    /// Name the image; repeatable
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    pub(crate) names: Vec<Name>,

    /// Write the image to DEST (-, oci:DIR, oci-archive:FILE, docker-archive:FILE) and not to the store
    #[arg(short = 'o', long = "output", value_name = "DEST")]
    pub(crate) destination: Option<OsString>,

    /// Take the layer from DIR, the upper directory of an overlay mount
    #[arg(long, value_name = "DIR", conflicts_with = "layer")]
    pub(crate) upper: Option<PathBuf>,

    /// With --upper: a lower directory of the mount; repeatable, base first
    #[arg(long = "lower", value_name = "DIR", requires = "upper")]
    pub(crate) lowers: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) users: UserOptions,

    /// Add no layer, only configuration
    #[arg(long, conflicts_with_all = ["layer", "upper"])]
    pub(crate) config_only: bool,

    /// Make one layer of the parent's and the new one
    #[arg(long)]
    pub(crate) squash: bool,

    /// Put what is the parent's own, without its base, over IMAGE
    #[arg(long, value_name = "IMAGE")]
    pub(crate) onto: Option<OsString>,

    /// With --onto: the parent's base [default: the one that it names]
    #[arg(long, value_name = "IMAGE", requires = "onto")]
    pub(crate) base: Option<OsString>,

    /// Say in the history what made the layer [default: the parent's command]
    #[arg(long, value_name = "TEXT")]
    pub(crate) created_by: Option<String>,

    /// The platform to take from the parent, or to give to an image from scratch
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) compress: CompressOptions,

    /// With -o: write the manifest as OCI or docker (schema 2) defines it
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "oci",
        requires_if("docker", "destination")
    )]
    pub(crate) format: ManifestFormat,

    /// Note something in the manifest; repeatable
    #[arg(long = "annotation", value_name = "KEY=VALUE", value_parser = annotation)]
    pub(crate) annotations: Vec<(String, String)>,

    #[command(flatten)]
    pub(crate) bare: BareLayers,

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
