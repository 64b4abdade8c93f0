//! The arguments of `layer-apply`. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, ValueEnum};
use common::cli::{Failure, OutputOptions};
use common::compression::InvalidSize;
use common::digest::{DiffId, Digest};
use common::human::parse_size;
use common::layer::apply::Expected;
use common::oci::Platform;
use common::options::BareLayers;
use common::store::Location;
use common::tar::Limits;
use registry::RegistryOptions;

/// What an image brings with it, or has no use for. Options that need `--image` say
/// so, too: clap does not miss what it could not allow.
const NOT_WITH_IMAGE: [&str; 5] = ["layers", "digest", "diff_id", "overlay", "allow_missing_end"];

/// Apply layers to a directory
#[derive(Debug, Parser)]
#[command(
    name = "layer-apply",
    version,
    override_usage = "layer-apply [OPTION]... DIR [LAYER]...\n       \
                      layer-apply [OPTION]... --image IMAGE DIR"
)]
pub(crate) struct Cli {
    /// Where to apply them; made if it is missing
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// Layers, base first; standard input for none or '-'
    #[arg(value_name = "LAYER")]
    pub(crate) layers: Vec<OsString>,

    /// Apply all layers of IMAGE, checked against its config
    #[arg(long, value_name = "IMAGE", conflicts_with_all = NOT_WITH_IMAGE)]
    pub(crate) image: Option<OsString>,

    /// The platform to take from an image for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", requires = "image", conflicts_with_all = NOT_WITH_IMAGE)]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) store: Location,

    /// Refuse a layer whose stream has another digest; once for each LAYER
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: Vec<Digest>,

    /// Refuse a layer whose archive has another digest; once for each LAYER
    #[arg(long, value_name = "DIGEST")]
    pub(crate) diff_id: Vec<Digest>,

    /// Give files to whom the layers say [default for root]
    #[arg(long, overrides_with = "no_same_owner")]
    pub(crate) same_owner: bool,

    /// Keep all files for ourselves [default for ordinary users]
    #[arg(long, overrides_with = "same_owner")]
    pub(crate) no_same_owner: bool,

    /// As an ordinary user, have the layers' users and groups as subordinate ids
    #[arg(long, conflicts_with = "no_same_owner")]
    pub(crate) map_users: bool,

    /// Write one layer as a lower directory for overlayfs
    #[arg(
        long,
        value_name = "NAMESPACE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "auto"
    )]
    pub(crate) overlay: Option<OverlayNamespace>,

    /// With --overlay: look links up in the layer directory DIR; base first
    #[arg(long, value_name = "DIR", requires = "overlay", conflicts_with_all = ["image", "keep_dirlinks"])]
    pub(crate) lower: Vec<PathBuf>,

    /// Keep a link to a directory where a layer has a directory
    #[arg(long, conflicts_with = "overlay")]
    pub(crate) keep_dirlinks: bool,

    /// Take extended attributes that match PATTERN only, or with '!' all but those; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) xattrs: Vec<OsString>,

    /// Leave out the index files that eStargz puts into a layer
    #[arg(long)]
    pub(crate) drop_estargz: bool,

    /// Refuse a layer with more entries than N
    #[arg(long, value_name = "N", default_value_t = Limits::default().entries)]
    pub(crate) max_entries: u64,

    #[command(flatten)]
    pub(crate) bare: BareLayers,

    /// Refuse an entry with more than SIZE bytes of headers
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1M")]
    pub(crate) max_metadata: u64,

    /// Refuse a sparse file with more than N segments
    #[arg(long, value_name = "N", default_value_t = Limits::default().sparse_segments)]
    pub(crate) max_segments: usize,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// Where overlayfs will look for its extended attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverlayNamespace {
    /// `trusted` for root, `user` for others
    Auto,
    /// For mounts made by root
    Trusted,
    /// For mounts with `userxattr`
    User,
}

/// The arguments, for parsing and for completions.
pub(crate) fn command() -> clap::Command {
    // The store is of no use to layers that are files.
    let needs_image = |store: clap::Arg| store.requires("image").conflicts_with_all(NOT_WITH_IMAGE);
    Cli::command().mut_arg("dir", needs_image)
}

impl Cli {
    /// What each layer must be, in the order of the operands.
    ///
    /// # Errors
    /// More digests than layers.
    pub(crate) fn expected(&self) -> Result<Vec<Expected>, Failure> {
        let count = self.layers.len().max(1);
        for (option, given) in [("--digest", self.digest.len()), ("--diff-id", self.diff_id.len())]
        {
            if given > count {
                return Err(Failure::usage(format!(
                    "{option} is given more often than there are layers"
                )));
            }
        }
        let expected = |index| Expected {
            digest: self.digest.get(index).cloned(),
            diff_id: self.diff_id.get(index).cloned().map(DiffId),
            ..Expected::default()
        };
        Ok((0..count).map(expected).collect())
    }

    /// What archives may ask of us.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            entries: self.max_entries,
            metadata_bytes: self.max_metadata,
            sparse_segments: self.max_segments,
            ..Limits::default()
        }
    }
}

fn size(text: &str) -> Result<u64, InvalidSize> {
    parse_size(text).ok_or(InvalidSize)
}
