//! The arguments of `img-run`. No I/O here.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::cli::OutputOptions;
use common::oci::Platform;
use common::options::SizeLimit;
use common::options::{CapabilityOptions, UserOptions};
use common::sandbox;
use common::store::Location;
use registry::PullOption;
use registry::RegistryOptions;

use crate::limits;
use crate::mount::{Tmpfs, Volume};

/// Run an image's command, or another, in the image
#[derive(Debug, Parser)]
#[command(name = "img-run", version, override_usage = "img-run [OPTION]... IMAGE [ARG]...")]
pub(crate) struct Cli {
    /// The image, and arguments instead of its own; options after IMAGE are the command's
    // One list, so that the image's name ends our own options.
    #[arg(value_name = "IMAGE [ARG]", required = true, trailing_var_arg = true)]
    words: Vec<OsString>,

    #[command(flatten)]
    pub(crate) pull: PullOption,

    /// Set a variable, or pass on the caller's; repeatable
    #[arg(short = 'e', long = "env", value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<OsString>,

    /// Read variables from FILE, one NAME[=VALUE] a line; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Vec<PathBuf>,

    /// Run PROGRAM instead of the image's entrypoint ('' for none)
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) entrypoint: Option<OsString>,

    /// Start in DIR, which is made if it is missing
    #[arg(short = 'w', long, value_name = "DIR")]
    pub(crate) workdir: Option<PathBuf>,

    /// Run as USER, by the image's own users and groups
    #[arg(short = 'u', long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,

    /// Show a file or directory of the host inside; repeatable
    #[arg(short = 'v', long = "volume", value_name = "SOURCE:TARGET[:ro]")]
    pub(crate) volumes: Vec<Volume>,

    /// Mount a fresh tmpfs inside; repeatable
    #[arg(long, value_name = "TARGET[:OPTION,...]")]
    pub(crate) tmpfs: Vec<Tmpfs>,

    /// Keep changes in DIR, which is made if it is missing; discarded otherwise
    #[arg(long, value_name = "DIR", conflicts_with = "read_only")]
    pub(crate) upper: Option<PathBuf>,

    /// Let nothing be written but in volumes
    #[arg(long)]
    pub(crate) read_only: bool,

    /// Which network the command sees
    #[arg(long, value_name = "NETWORK", default_value = "host")]
    pub(crate) network: Network,

    /// The host name that the command sees
    #[arg(long, value_name = "NAME", default_value = "layerutils", value_parser = host_name)]
    pub(crate) hostname: String,

    /// Give the command a terminal
    #[arg(short = 't', long)]
    pub(crate) tty: bool,

    /// How far the command is kept apart from the host
    #[arg(long, value_name = "HOW", default_value = "full")]
    pub(crate) isolation: Isolation,

    /// Most memory that the command may use, and as much swap
    #[arg(short = 'm', long, value_name = "SIZE", value_parser = limits::memory)]
    pub(crate) memory: Option<u64>,

    /// Most processes that it may have
    #[arg(long, value_name = "N", value_parser = limits::pids, allow_negative_numbers = true)]
    pub(crate) pids_limit: Option<limits::Pids>,

    /// Most processors that it may use at a time
    #[arg(long, value_name = "N", value_parser = limits::milli_cpus)]
    pub(crate) cpus: Option<u64>,

    #[command(flatten)]
    pub(crate) capabilities: CapabilityOptions,

    /// Leave a measure out, or add one; repeatable
    #[arg(long, value_name = "OPTION")]
    pub(crate) security_opt: Vec<SecurityOption>,

    /// Let nothing that the command executes gain privileges
    #[arg(long)]
    pub(crate) no_new_privs: bool,

    #[command(flatten)]
    pub(crate) users: UserOptions,

    /// The platform to take from an image for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) store: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    #[command(flatten)]
    output: OutputOptions,
}

impl Cli {
    /// The image.
    pub(crate) fn image(&self) -> &OsStr {
        self.words.first().map(OsString::as_os_str).unwrap_or_default()
    }

    /// Arguments instead of its own.
    pub(crate) fn arguments(&self) -> &[OsString] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// How far the command is kept apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// Namespaces and mounts of its own
    Full,
    /// The same by crun or runc
    Oci,
    /// A copy of the image and chroot(2), for where nothing can be mounted
    Chroot,
}

/// A measure, in docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecurityOption {
    /// As --no-new-privs
    NoNewPrivileges,
    /// Refuse no system calls
    #[value(name = "seccomp=unconfined")]
    AnySystemCall,
    /// Hide nothing of /proc and /sys, and let it be written to
    #[value(name = "systempaths=unconfined")]
    AnySystemPath,
}

/// Why a host name is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a host name has 1 to 64 letters, digits, '.', '-' and '_', and begins with a letter or digit"
)]
pub(crate) struct NoHostName;

/// A host name as docker takes it: it is a line of /etc/hosts too, and must not be two.
fn host_name(name: &str) -> Result<String, NoHostName> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    let right = begins && name.len() <= 64 && name.bytes().all(allowed);
    if right { Ok(name.to_owned()) } else { Err(NoHostName) }
}

/// Which network the command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// The host's
    Host,
    /// A loopback interface and nothing else
    None,
}

impl From<Network> for sandbox::Network {
    fn from(network: Network) -> Self {
        match network {
            Network::Host => Self::Host,
            Network::None => Self::None,
        }
    }
}

impl From<Isolation> for sandbox::Isolation {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Full => Self::Full,
            Isolation::Oci => Self::Oci,
            Isolation::Chroot => Self::Chroot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NoHostName, host_name};

    #[test]
    fn a_host_name_is_one_word_of_one_line() {
        for good in ["a", "web-1.example.org", "a_b", &"x".repeat(64)] {
            assert_eq!(host_name(good), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "a b", "a\nb", "\u{e9}", "a/b", &"x".repeat(65)] {
            assert_eq!(host_name(bad), Err(NoHostName), "{bad:?}");
        }
    }
}
