//! The arguments of `img-copy`. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use common::cli::OutputOptions;
use common::compression::Format;
use common::oci::{ManifestFormat, Platform};
use common::options::SizeLimit;
use common::store::Location;

use registry::{CredentialsText, ReachOptions};

/// The arguments that only a copy has.
const NOT_WITH_LOGIN: [&str; 16] = [
    "operands",
    "all",
    "platforms",
    "have",
    "since",
    "compress",
    "level",
    "no_verify_layers",
    "format",
    "creds",
    "src_creds",
    "dest_creds",
    "src_tls_verify",
    "dest_tls_verify",
    "src_cert_dir",
    "dest_cert_dir",
];

/// Copy images from one place to another
#[derive(Debug, Parser)]
#[command(
    name = "img-copy",
    version,
    override_usage = "img-copy [OPTION]... SRC... DST\n       img-copy [OPTION]... --login HOST"
)]
pub(crate) struct Cli {
    /// What to copy, and at last where to: a name in the store, 'store:' to keep the names,
    /// docker://HOST/NAME[:TAG|@DIGEST], oci:DIR, oci-archive:FILE, docker-archive:FILE, '-'
    #[arg(value_name = "SRC... DST", required_unless_present = "login", num_args = 2..)]
    pub(crate) operands: Vec<OsString>,

    /// Log in to the registry HOST: standard input is the user's name and the password, each
    /// on a line
    #[arg(long, value_name = "HOST", conflicts_with_all = NOT_WITH_LOGIN)]
    pub(crate) login: Option<String>,

    /// Take all platforms, and what belongs to them, into the store too
    #[arg(short, long, conflicts_with = "platforms")]
    pub(crate) all: bool,

    /// The platforms to take from an image for several
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT],...", value_delimiter = ',')]
    pub(crate) platforms: Vec<Platform>,

    /// Leave layers out of an archive whose digests are in FILE, one a line; '-' is standard
    /// input
    #[arg(long, value_name = "FILE")]
    pub(crate) have: Option<OsString>,

    /// Leave layers out of an archive that IMAGE has
    #[arg(long, value_name = "IMAGE")]
    pub(crate) since: Option<OsString>,

    /// Have every layer in this format
    #[arg(long, value_name = "FORMAT")]
    pub(crate) compress: Option<Compress>,

    /// How hard to compress: 1 to 9 for gzip, 1 to 19 for zstd
    #[arg(long, value_name = "N")]
    pub(crate) level: Option<i32>,

    /// Do not check that layers are what the image's config says: that is done before their
    /// first use
    #[arg(long)]
    pub(crate) no_verify_layers: bool,

    /// Write manifests in this format
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<ManifestFormat>,

    #[command(flatten)]
    pub(crate) registries: Registries,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// How registries are reached: each option for the one registry there is, or for one of two.
#[derive(Debug, Args)]
pub(crate) struct Registries {
    #[command(flatten)]
    pub(crate) any: ReachOptions,

    /// Try again N times what may work another time
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retry_times: u32,

    /// Give up a transfer that is slower than BYTES a second; 0: never
    #[arg(long, value_name = "BYTES", default_value_t = 1000)]
    pub(crate) speed_limit: u64,

    /// How long it has to be slower than that
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) speed_time: u64,

    /// Log in to the registry as USER
    #[arg(long, value_name = "USER:PASSWORD")]
    pub(crate) creds: Option<CredentialsText>,

    /// As --creds, for the registry that is copied from
    #[arg(long, value_name = "USER:PASSWORD", conflicts_with = "creds")]
    pub(crate) src_creds: Option<CredentialsText>,

    /// As --creds, for the registry that is copied to
    #[arg(long, value_name = "USER:PASSWORD", conflicts_with = "creds")]
    pub(crate) dest_creds: Option<CredentialsText>,

    /// As --tls-verify, for the registry that is copied from
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", conflicts_with = "tls_verify")]
    pub(crate) src_tls_verify: Option<bool>,

    /// As --tls-verify, for the registry that is copied to
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", conflicts_with = "tls_verify")]
    pub(crate) dest_tls_verify: Option<bool>,

    /// As --cert-dir, for the registry that is copied from
    #[arg(long, value_name = "DIR", conflicts_with = "cert_dir")]
    pub(crate) src_cert_dir: Option<PathBuf>,

    /// As --cert-dir, for the registry that is copied to
    #[arg(long, value_name = "DIR", conflicts_with = "cert_dir")]
    pub(crate) dest_cert_dir: Option<PathBuf>,
}

/// A layer's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compress {
    /// gzip
    Gzip,
    /// zstd
    Zstd,
    /// Plain tar, so that a layer's digest is its DiffID
    None,
}

impl From<Compress> for Format {
    fn from(choice: Compress) -> Self {
        match choice {
            Compress::Gzip => Self::Gzip,
            Compress::Zstd => Self::Zstd,
            Compress::None => Self::None,
        }
    }
}
