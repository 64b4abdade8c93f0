//! The arguments of `union-mount`. No I/O here.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use common::cli::{Failure, OutputOptions};
use common::compression::MaxSize;
use common::mount::Driver;
use common::oci::Platform;
use common::options::{AllowedOptions, CapabilityOptions, Drivers, SizeLimit, UserOptions};
use common::sandbox;
use common::store::Location;
use registry::RegistryOptions;

/// Mount layers or an image as one file system, or run a command in it
#[derive(Debug, Parser)]
#[command(
    name = "union-mount",
    version,
    override_usage = "union-mount [OPTION]... [LAYERDIR]... MOUNTPOINT\n       \
                      union-mount [OPTION]... [LAYERDIR]... -- COMMAND [ARG]...\n       \
                      union-mount --unmount MOUNTPOINT"
)]
pub(crate) struct Cli {
    /// Layer directories, base first, and the mount point
    #[arg(value_name = "LAYERDIR")]
    operands: Vec<PathBuf>,

    /// What to run with the union as its root
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,

    /// Show the layers of IMAGE, below those of the directories
    #[arg(long, value_name = "IMAGE")]
    image: Option<OsString>,

    /// The platform to take from an image for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", requires = "image")]
    platform: Option<Platform>,

    #[command(flatten)]
    registries: RegistryOptions,

    #[command(flatten)]
    store: Location,

    #[command(flatten)]
    limit: SizeLimit,

    /// Show the file system as of the Nth layer, counted from the base
    #[arg(long, value_name = "N")]
    at: Option<NonZeroUsize>,

    /// Put changes into DIR, which is made if it is missing; read-only otherwise
    #[arg(long, value_name = "DIR")]
    upper: Option<PathBuf>,

    /// Let overlayfs work in DIR, on the file system of the upper directory
    #[arg(long, value_name = "DIR", requires = "upper")]
    work: Option<PathBuf>,

    /// Do not sync what is written: a crash of the machine may lose all of it
    #[arg(long, requires = "upper")]
    volatile: bool,

    #[command(flatten)]
    pub(crate) users: UserOptions,

    #[command(flatten)]
    pub(crate) capabilities: CapabilityOptions,

    #[command(flatten)]
    pub(crate) allowed: AllowedOptions,

    #[command(flatten)]
    drivers: Drivers,

    /// How far the command is kept apart from the host
    #[arg(long, value_name = "HOW", default_value = "full")]
    pub(crate) isolation: Isolation,

    /// Unmount the union at a mount point
    #[arg(long, conflicts_with_all = [
        "image", "at", "upper", "print", "command", "driver", "copy", "suid", "dev", "users",
        "map_users",
    ])]
    unmount: bool,

    /// Print the plan as JSON and mount nothing
    #[arg(long)]
    print: bool,

    #[command(flatten)]
    output: OutputOptions,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Action {
    /// Show layers somewhere.
    Show(Layers, Goal),
    /// Say what would be done.
    Print(Layers, Option<Goal>),
    /// Undo a mount.
    Unmount(PathBuf),
}

/// Where layers are to be seen.
#[derive(Debug)]
pub(crate) enum Goal {
    /// On a directory of the host.
    Point(PathBuf),
    /// By a command: the program and its arguments.
    Command(Vec<OsString>),
}

/// What to show as one tree.
#[derive(Debug)]
pub(crate) struct Layers {
    /// An image, below the directories.
    pub(crate) image: Option<OsString>,
    /// Which of its platforms.
    pub(crate) platform: Option<Platform>,
    /// Where names of images are looked up.
    pub(crate) store: Location,
    /// The way to reach the image's registry.
    pub(crate) registries: registry::Options,
    /// What a layer of the image may grow to.
    pub(crate) max_size: MaxSize,
    /// Layer directories, base first.
    pub(crate) directories: Vec<PathBuf>,
    /// How many of the layers to show.
    pub(crate) at: Option<NonZeroUsize>,
    /// Takes the changes.
    pub(crate) upper: Option<PathBuf>,
    /// Overlayfs's scratch space.
    pub(crate) work: Option<PathBuf>,
    /// Whether what is written need not be synced.
    pub(crate) volatile: bool,
}

/// How far the command is kept apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// Namespaces and mounts of its own
    Full,
    /// A copy of the layers and chroot(2), for where nothing can be mounted
    Chroot,
}

impl From<Isolation> for sandbox::Isolation {
    fn from(isolation: Isolation) -> Self {
        match isolation {
            Isolation::Full => Self::Full,
            Isolation::Chroot => Self::Chroot,
        }
    }
}

impl Cli {
    /// The ways in which the layers may be shown.
    ///
    /// # Errors
    /// One is asked for that cannot do what else is.
    pub(crate) fn drivers(&self) -> Result<Drivers, Failure> {
        let mut drivers = self.drivers;
        if self.isolation == Isolation::Chroot {
            if self.command.is_empty() {
                return Err(Failure::usage("--isolation is for a command: see '-- COMMAND'"));
            }
            if drivers.driver.is_some_and(|driver| driver != Driver::Copy) {
                return Err(Failure::usage("--isolation chroot takes a copy, and no mount"));
            }
            drivers.driver = Some(Driver::Copy);
        }
        if drivers.driver == Some(Driver::Copy) && self.upper.is_some() {
            let text = "--upper needs an overlay: a copy does not tell what changed";
            return Err(Failure::usage(text));
        }
        Ok(drivers)
    }

    /// Tells the three uses apart.
    ///
    /// # Errors
    /// Operands that make none of them.
    pub(crate) fn action(self) -> Result<Action, Failure> {
        if !self.capabilities.is_empty() && self.command.is_empty() {
            let text = "--cap-add and --cap-drop are for a command: see '-- COMMAND'";
            return Err(Failure::usage(text));
        }
        let registries = self.registries.options(self.image.as_deref())?;
        let mut operands = self.operands;
        if self.unmount {
            let [point] = <[PathBuf; 1]>::try_from(operands)
                .map_err(|_| Failure::usage("--unmount takes one mount point"))?;
            return Ok(Action::Unmount(point));
        }
        let goal = if self.command.is_empty() {
            match operands.pop() {
                Some(point) => Some(Goal::Point(point)),
                None if self.print => None,
                None => {
                    return Err(Failure::usage("a mount point or '-- COMMAND' is missing"));
                }
            }
        } else {
            if !self.allowed.allowed().is_nothing() {
                let text = "--suid and --dev are for a mount point, not for a command";
                return Err(Failure::usage(text));
            }
            Some(Goal::Command(self.command))
        };
        if matches!(goal, Some(Goal::Point(_))) && !self.users.is_automatic() {
            let text = "--users and --map-users are for a command: see '-- COMMAND'";
            return Err(Failure::usage(text));
        }
        if operands.is_empty() && self.image.is_none() {
            return Err(Failure::usage("no layers: name an image, or directories, base first"));
        }
        let layers = Layers {
            image: self.image,
            platform: self.platform,
            store: self.store,
            registries,
            max_size: self.limit.max_size(),
            directories: operands,
            at: self.at,
            upper: self.upper,
            work: self.work,
            volatile: self.volatile,
        };
        Ok(match goal {
            goal if self.print => Action::Print(layers, goal),
            Some(goal) => Action::Show(layers, goal),
            None => return Err(Failure::usage("a mount point is missing")),
        })
    }
}
