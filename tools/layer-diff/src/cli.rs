//! The arguments of `layer-diff`. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::cli::OutputOptions;
use common::layer::diff::{ContentPolicy, Owner, Parents, Precision};
use common::layer::overlay::Prefixes;
use common::mount::Namespace;
use common::oci::Platform;
use common::options::{CompressOptions, OutputFile, SizeLimit};
use common::store::Location;
use common::time::Timestamp;
use registry::RegistryOptions;

/// Compute a layer from two directory trees, or from an overlay upper directory
#[derive(Debug, Parser)]
#[command(
    name = "layer-diff",
    version,
    override_usage = "layer-diff [OPTION]... [LOWER] UPPER\n       \
                      layer-diff [OPTION]... --image [OLD] NEW\n       \
                      layer-diff [OPTION]... --overlay [--lower DIR]... UPPERDIR"
)]
pub(crate) struct Cli {
    /// The tree to start from, if any, and the tree to arrive at
    #[arg(value_name = "TREE", required = true, num_args = 1..=2)]
    pub(crate) trees: Vec<PathBuf>,

    /// Compare images, named as for img-history, as if both had been unpacked
    #[arg(long, conflicts_with_all = ["overlay", "map_users", "one_file_system", "strict"])]
    pub(crate) image: bool,

    /// With --image: read and check all layers, also those that were checked before
    #[arg(long, requires = "image")]
    pub(crate) verify: bool,

    /// With --image: the platform to take from images for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", requires = "image")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) registries: RegistryOptions,

    #[command(flatten)]
    pub(crate) location: Location,

    #[command(flatten)]
    pub(crate) limit: SizeLimit,

    /// Take UPPERDIR for the upper directory of an overlay mount
    #[arg(long)]
    pub(crate) overlay: bool,

    /// With --overlay: a lower directory of the mount; repeatable, base first
    #[arg(long = "lower", value_name = "DIR", requires = "overlay")]
    pub(crate) lowers: Vec<PathBuf>,

    /// With --overlay: whose attributes mark opaque directories and the like
    #[arg(long, value_name = "NAMESPACE", requires = "overlay", default_value = "auto")]
    pub(crate) overlay_xattrs: OverlayXattrs,

    /// With --overlay: the work directory of the mount, for one with index=on
    #[arg(long, value_name = "DIR", requires = "overlay")]
    pub(crate) work: Option<PathBuf>,

    /// With --overlay: record the root directory, whose attributes are UPPERDIR's own
    #[arg(long, requires = "overlay")]
    pub(crate) root: bool,

    #[command(flatten)]
    pub(crate) file: OutputFile,

    /// Print what changed, as 'docker diff' does, and no layer
    #[arg(long, conflicts_with = "json")]
    pub(crate) list: bool,

    /// Print what changed as JSON, one object a line, and no layer
    #[arg(long)]
    pub(crate) json: bool,

    /// With --list: end each line with a zero byte
    #[arg(short = '0', long, requires = "list", conflicts_with = "json")]
    pub(crate) null: bool,

    /// Return 1 if there are changes
    #[arg(long)]
    pub(crate) exit_code: bool,

    #[command(flatten)]
    pub(crate) compress: CompressOptions,

    /// When to compare the content of files whose metadata are equal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) content: Content,

    /// How precisely to compare and record times
    #[arg(long, value_name = "UNIT", default_value = "ns")]
    pub(crate) mtime: Unit,

    /// Record no time after TIME (RFC 3339, or seconds since 1970) [default: $SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) clamp_mtime: Option<Timestamp>,

    /// Whose the entries are: UID:GID, 'keep', or 'map' to be root's what is ours [default: keep for root]
    #[arg(long, value_name = "OWNER", value_parser = owner)]
    pub(crate) owner: Option<OwnerChoice>,

    /// As an ordinary user, read the trees as root of one's subordinate ids
    #[arg(long)]
    pub(crate) map_users: bool,

    /// Leave names that match PATTERN out of both trees; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<OsString>,

    /// Keep extended attributes that match PATTERN only, or with '!' all but those; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) xattrs: Vec<OsString>,

    /// Stay out of what is mounted below the trees
    #[arg(
        long,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes"
    )]
    pub(crate) one_file_system: Option<YesNo>,

    /// Which directories to record
    #[arg(long, value_name = "WHICH", default_value = "all")]
    pub(crate) parents: ParentChoice,

    /// Fail on sockets, which no layer can hold, instead of leaving them out
    #[arg(long)]
    pub(crate) strict: bool,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// Attributes of overlay's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverlayXattrs {
    /// The former where there are any, else the latter
    Auto,
    /// trusted.overlay.*, of a mount with privileges
    Trusted,
    /// user.overlay.*, of a mount with userxattr
    User,
}

impl From<OverlayXattrs> for Prefixes {
    fn from(xattrs: OverlayXattrs) -> Self {
        match xattrs {
            OverlayXattrs::Auto => Self::Auto,
            OverlayXattrs::Trusted => Self::Only(Namespace::Trusted),
            OverlayXattrs::User => Self::Only(Namespace::User),
        }
    }
}

/// When content is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Content {
    /// When their times cannot tell
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl From<Content> for ContentPolicy {
    fn from(content: Content) -> Self {
        match content {
            Content::Auto => Self::Auto,
            Content::Always => Self::Always,
            Content::Never => Self::Never,
        }
    }
}

/// Precision of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unit {
    /// Whole seconds
    S,
    /// Nanoseconds
    Ns,
}

impl From<Unit> for Precision {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::S => Self::Seconds,
            Unit::Ns => Self::Nanoseconds,
        }
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    /// Yes
    Yes,
    /// No
    No,
}

/// Which directories are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ParentChoice {
    /// The changed ones and all above a change
    All,
    /// The changed ones
    Changed,
}

impl From<ParentChoice> for Parents {
    fn from(parents: ParentChoice) -> Self {
        match parents {
            ParentChoice::All => Self::All,
            ParentChoice::Changed => Self::Changed,
        }
    }
}

/// What `--owner` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnerChoice {
    /// This.
    These(Owner),
    /// What the caller's user namespace would show.
    Map,
}

fn owner(text: &str) -> Result<OwnerChoice, String> {
    let fixed = || {
        let (uid, gid) = text.split_once(':')?;
        Some(Owner::Fixed { uid: id(uid)?, gid: id(gid)? })
    };
    match text {
        "keep" => Ok(OwnerChoice::These(Owner::Kept)),
        "map" => Ok(OwnerChoice::Map),
        _ => fixed().map(OwnerChoice::These).ok_or("not UID:GID, 'keep' or 'map'".to_owned()),
    }
}

/// A number; the largest stands for none at all.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&id| id != u32::MAX)
}

fn time(text: &str) -> Result<Timestamp, String> {
    match text.strip_prefix('@').unwrap_or(text).parse() {
        Ok(seconds) => Ok(Timestamp::from_seconds(seconds)),
        Err(_) => Timestamp::parse_rfc3339(text)
            .map_err(|_| "neither an RFC 3339 time nor seconds since 1970".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, OwnerChoice, owner, time};
    use clap::CommandFactory as _;
    use common::layer::diff::Owner;
    use common::time::Timestamp;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn owners_are_numbers_or_words() {
        assert_eq!(owner("0:5"), Ok(OwnerChoice::These(Owner::Fixed { uid: 0, gid: 5 })));
        assert_eq!(owner("map"), Ok(OwnerChoice::Map));
        for bad in ["", "root", "0", "0:", "-1:0", "4294967295:0", "0:0:0"] {
            assert!(owner(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_seconds_or_dates() {
        let expected = Timestamp::from_seconds(86_400);
        for text in ["86400", "@86400", "1970-01-02T00:00:00Z"] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        assert!(time("yesterday").is_err());
    }
}
