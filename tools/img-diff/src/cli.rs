//! The arguments of `img-diff`. No I/O here.

use std::ffi::OsString;

use clap::{Parser, ValueEnum};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::store::Location;

/// Compare two images: config, history, layers, files and packages
#[derive(Debug, Parser)]
#[command(name = "img-diff", version, override_usage = "img-diff [OPTION]... OLD NEW")]
pub(crate) struct Cli {
    /// Two images: names, digests, docker://HOST/NAME[:TAG], oci:DIR, oci-archive:FILE, docker-archive:FILE, '-'
    #[arg(value_name = "IMAGE", required = true, num_args = 2)]
    pub(crate) images: Vec<OsString>,

    /// Compare one part only; repeatable
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<Part>,

    /// Ignore times, the order of variables, and how layers are cut and stored
    #[arg(long)]
    pub(crate) semantic: bool,

    /// Leave names that match PATTERN out, and all below them; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) ignore: Vec<OsString>,

    /// Show how the text of small files changed
    #[arg(long, conflicts_with = "json")]
    pub(crate) content: bool,

    /// Sum up directories down to this depth
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub(crate) depth: usize,

    /// Show N files at most, or all for 0
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) top: usize,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Return 1 if the images differ
    #[arg(long)]
    pub(crate) exit_code: bool,

    /// Read and check all layers, also those of the store that were checked before
    #[arg(long)]
    pub(crate) verify: bool,

    /// The platform to take from images for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The config
    Config,
    /// The steps of the history
    History,
    /// The layers, by DiffID
    Layers,
    /// The files of the tree in the end
    Files,
    /// The packages that are installed in it
    Packages,
}

impl Cli {
    /// Whether a part is to be compared.
    pub(crate) fn wants(&self, part: Part) -> bool {
        match self.only.is_empty() {
            // How layers are cut is nothing that a command in the image could see.
            true => !(self.semantic && part == Part::Layers),
            false => self.only.contains(&part),
        }
    }
}
