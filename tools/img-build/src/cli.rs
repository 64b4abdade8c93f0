//! The arguments of `img-build`. No I/O here.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgAction, Parser, ValueEnum};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::options::UserOptions;
use common::store::{Location, Name};
use registry::PullOption;
use registry::ReachOptions;

/// Build an image from a Containerfile
#[derive(Debug, Parser)]
#[command(
    name = "img-build",
    version,
    override_usage = "img-build [OPTION]... CONTEXT\n       img-build [OPTION]... -"
)]
pub(crate) struct Cli {
    /// Directory, URL or git repository with the files to copy; '-' is a tar archive or a
    /// Containerfile on standard input
    #[arg(value_name = "CONTEXT")]
    pub(crate) context: OsString,

    /// Read instructions from FILE; default: Containerfile, else Dockerfile, of the context
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<OsString>,

    /// Name the image (repeatable)
    #[arg(short = 't', long = "tag", value_name = "NAME")]
    pub(crate) names: Vec<Name>,

    /// Write the image to DEST: -, oci:DIR, oci-archive:FILE or docker-archive:FILE; or its
    /// files to a directory (repeatable)
    #[arg(short = 'o', long = "output", value_name = "DEST")]
    pub(crate) destinations: Vec<OsString>,

    /// Push the image to the registries of its names
    #[arg(long)]
    pub(crate) push: bool,

    /// Have docker load the image
    #[arg(long)]
    pub(crate) load: bool,

    #[command(flatten)]
    pub(crate) registries: ReachOptions,

    #[command(flatten)]
    pub(crate) store: Location,

    #[command(flatten)]
    pub(crate) pull: PullOption,

    /// Have FROM and --from find a directory or an image under this name (repeatable)
    #[arg(long = "build-context", value_name = "NAME=DIR|IMAGE", value_parser = named)]
    pub(crate) contexts: Vec<(String, Named)>,

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

    /// Add an annotation to the image's manifest, or with 'index:' before it to the index
    /// of several (repeatable)
    #[arg(long = "annotation", value_name = "[TYPE,...:]NAME=VALUE")]
    pub(crate) annotations: Vec<String>,

    /// Write the image's digest to FILE
    #[arg(long = "iidfile", value_name = "FILE")]
    pub(crate) digest_file: Option<OsString>,

    /// Write digests and names of the image to FILE, as JSON
    #[arg(long = "metadata-file", value_name = "FILE")]
    pub(crate) metadata_file: Option<OsString>,

    /// Build for this platform; for several, an index of an image for each (repeatable)
    #[arg(long = "platform", value_name = "OS/ARCH[/VARIANT],...", value_delimiter = ',')]
    pub(crate) platforms: Vec<Platform>,

    /// Network of the commands that RUN gives: 'host' [default] or 'none'
    #[arg(long, value_name = "NETWORK", hide_possible_values = true, hide_default_value = true)]
    #[arg(default_value = "default")]
    pub(crate) network: Network,

    /// Add a name to the /etc/hosts of the commands that RUN gives (repeatable)
    #[arg(long = "add-host", value_name = "NAME:ADDRESS", value_parser = host)]
    pub(crate) hosts: Vec<(String, IpAddr)>,

    #[command(flatten)]
    pub(crate) users: UserOptions,

    /// Give a file or a variable to the mounts of this secret (repeatable)
    #[arg(long = "secret", value_name = "id=ID[,src=FILE|,env=NAME]")]
    pub(crate) secrets: Vec<String>,

    /// Let the mounts of this name reach an ssh agent; default: that of SSH_AUTH_SOCK (repeatable)
    #[arg(long = "ssh", value_name = "ID[=SOCKET]")]
    pub(crate) agents: Vec<String>,

    /// Execute every step, even if its result is in the cache
    #[arg(long)]
    pub(crate) no_cache: bool,

    /// Read all files of the context, also those that seem to be as they were
    #[arg(long)]
    pub(crate) rehash: bool,

    /// Say of each step whether it came from the cache, and why not
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) explain: bool,

    /// Show progress as FORM: 'auto' [default], 'plain', 'tty', 'json' or 'none'
    #[arg(long, value_name = "HOW", hide_possible_values = true)]
    pub(crate) progress: Option<Progress>,

    /// Check the Containerfile by BuildKit's rules, and build nothing; status 1 if it breaks some
    #[arg(long)]
    pub(crate) check: bool,

    /// Print what would be built instead, and build nothing
    #[arg(long, value_name = "WHAT")]
    pub(crate) print: Option<Print>,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// The forms of `--print`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Print {
    /// The steps that the target needs, and what each reads
    Plan,
}

/// The form in which a build tells what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// As on a terminal if standard error is one, else plain
    Auto,
    /// A line for each step, and for each line of output
    Plain,
    /// As on a terminal
    Tty,
    /// A JSON object for each event
    #[value(alias = "rawjson")]
    Json,
    /// Nothing
    #[value(alias = "quiet")]
    None,
}

/// `NAME:ADDRESS`, or with an equals sign; an IPv6 address may be in brackets.
fn host(text: &str) -> Result<(String, IpAddr), String> {
    let (name, address) = match text.split_once('=') {
        Some(pair) => pair,
        None => text.split_once(':').ok_or("it must be NAME:ADDRESS")?,
    };
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bare.unwrap_or(address).parse().map_err(|_| match address {
        "host-gateway" => "commands are on the host's own network: use 127.0.0.1".to_owned(),
        _ => format!("'{address}' is not an address"),
    })?;
    let fits = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    match !name.is_empty() && name.chars().all(fits) {
        true => Ok((name.to_owned(), address)),
        false => Err(format!("'{name}' is not a host name")),
    }
}

/// The values of `--build-context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Directory(PathBuf),
    /// By its reference.
    Image(String),
}

/// `NAME=DIR|IMAGE`, with docker's `docker-image://` and `oci-layout://`.
fn named(text: &str) -> Result<(String, Named), String> {
    let (name, place) = text.split_once('=').ok_or("it must be NAME=DIR or NAME=IMAGE")?;
    if name.is_empty() || place.is_empty() {
        return Err("it must be NAME=DIR or NAME=IMAGE".into());
    }
    let named = if let Some(image) = place.strip_prefix("docker-image://") {
        Named::Image(image.into())
    } else if let Some(layout) = place.strip_prefix("oci-layout://") {
        Named::Image(format!("oci:{layout}"))
    } else if ["http://", "https://", "git://", "git@", "input:"]
        .iter()
        .any(|s| place.starts_with(s))
    {
        return Err(format!("'{place}': only directories and images are supported"));
    } else if let Some(dir) = directory(place)? {
        Named::Directory(dir)
    } else {
        Named::Image(place.into())
    };
    Ok((name.to_owned(), named))
}

/// The directory that `--build-context` names; `None` if it names an image.
fn directory(place: &str) -> Result<Option<PathBuf>, String> {
    let path = PathBuf::from(place.strip_prefix("local:").unwrap_or(place));
    let is_path = place.starts_with(['/', '.', '~']) || place.starts_with("local:");
    // A name with a slash and neither registry nor tag is as likely a path.
    let (first, is_long) = place.split_once('/').map_or((place, false), |(first, _)| (first, true));
    let is_plain = is_long && first != "localhost" && !first.contains('.');
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(Some(path)),
        Ok(_) => Err(format!("'{place}': not a directory")),
        Err(_) if is_path => Err(format!("'{place}': no such directory")),
        Err(_) if is_plain && !place.contains([':', '@']) => {
            Err(format!("'{place}': no such directory (an image would be docker-image://{place})"))
        }
        Err(_) => Ok(None),
    }
}

/// Which network a command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// The host's
    #[value(alias = "default")]
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
