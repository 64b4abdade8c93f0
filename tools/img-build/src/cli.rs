//! The arguments of `img-build`. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, ValueEnum};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::options::UserOptions;
use common::store::{Location, Name};

/// Build an image from a Containerfile
#[derive(Debug, Parser)]
#[command(
    name = "img-build",
    version,
    override_usage = "img-build [OPTION]... CONTEXT\n       img-build [OPTION]... -"
)]
pub(crate) struct Cli {
    /// Directory with the files to copy; '-' is a tar archive or a Containerfile on standard input
    #[arg(value_name = "CONTEXT")]
    pub(crate) context: OsString,

    /// Read instructions from FILE; default: Containerfile, else Dockerfile, of the context
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<OsString>,

    /// Name the image (repeatable)
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    pub(crate) names: Vec<Name>,

    /// Write the image to DEST: -, oci:DIR, oci-archive:FILE or docker-archive:FILE
    #[arg(short = 'o', long = "output", value_name = "DEST")]
    pub(crate) destination: Option<OsString>,

    #[command(flatten)]
    pub(crate) store: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    /// Build up to the stage of this name or number, not to the last one
    #[arg(long, value_name = "STAGE")]
    pub(crate) target: Option<String>,

    /// Set an ARG; without a value it is taken from the environment (repeatable)
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub(crate) build_args: Vec<String>,

    /// Add a label to the image (repeatable)
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub(crate) labels: Vec<String>,

    /// Build for this platform; for several, an index of an image for each (repeatable)
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT],...", value_delimiter = ',')]
    pub(crate) platforms: Vec<Platform>,

    /// Network of the commands that RUN gives
    #[arg(long, value_name = "NETWORK", default_value = "host")]
    pub(crate) network: Network,

    #[command(flatten)]
    pub(crate) users: UserOptions,

    /// Give the file SRC to the mounts of this secret (repeatable)
    #[arg(long = "secret", value_name = "id=ID,src=FILE")]
    pub(crate) secrets: Vec<String>,

    /// Execute every step, even if its result is in the cache
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Read all files of the context, also those that seem to be as they were
    #[arg(long)]
    pub(crate) rehash: bool,

    /// Say of each step whether it came from the cache, and why not
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) explain: bool,

    /// Print what would be built instead, and build nothing
    #[arg(long, value_name = "WHAT")]
    pub(crate) print: Option<Print>,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// What `--print` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Print {
    /// The steps that the target needs, and what each reads
    Plan,
}

/// Which network a command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// The host's
    Host,
    /// Loopback and nothing else
    None,
}

impl Cli {
    /// The path of the Containerfile, if it is a file of its own.
    pub(crate) fn file_path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(PathBuf::from)
    }
}
