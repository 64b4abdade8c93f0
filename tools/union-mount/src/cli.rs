//! The arguments of `union-mount`. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use common::cli::{Failure, OutputOptions};

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

    /// Put changes into DIR, which is made if it is missing; read-only otherwise
    #[arg(long, value_name = "DIR")]
    upper: Option<PathBuf>,

    /// Let overlayfs work in DIR, on the file system of the upper directory
    #[arg(long, value_name = "DIR", requires = "upper")]
    work: Option<PathBuf>,

    /// Do not sync what is written: a crash of the machine may lose all of it
    #[arg(long, requires = "upper")]
    volatile: bool,

    /// Unmount the union at a mount point
    #[arg(long, conflicts_with_all = ["upper", "command"])]
    unmount: bool,

    #[command(flatten)]
    output: OutputOptions,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Action {
    /// Mount on a directory of the host.
    Mount(Layers, PathBuf),
    /// Run a command.
    Run(Layers, OsString, Vec<OsString>),
    /// Undo a mount.
    Unmount(PathBuf),
}

/// What to show as one tree.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Layer directories, base first.
    pub(crate) directories: Vec<PathBuf>,
    /// Takes the changes.
    pub(crate) upper: Option<PathBuf>,
    /// Overlayfs's scratch space.
    pub(crate) work: Option<PathBuf>,
    /// Whether what is written need not be synced.
    pub(crate) volatile: bool,
}

impl Cli {
    /// Tells the three uses apart.
    ///
    /// # Errors
    /// Operands that make none of them.
    pub(crate) fn action(self) -> Result<Action, Failure> {
        let mut operands = self.operands;
        if self.unmount {
            let [point] = <[PathBuf; 1]>::try_from(operands)
                .map_err(|_| Failure::usage("--unmount takes one mount point"))?;
            return Ok(Action::Unmount(point));
        }
        let mut command = self.command.into_iter();
        let program = command.next();
        let point = match program {
            Some(_) => None,
            None => Some(
                operands
                    .pop()
                    .ok_or_else(|| Failure::usage("a mount point or '-- COMMAND' is missing"))?,
            ),
        };
        if operands.is_empty() {
            return Err(Failure::usage("no layers: name their directories, base first"));
        }
        let layers = Layers {
            directories: operands,
            upper: self.upper,
            work: self.work,
            volatile: self.volatile,
        };
        Ok(match (program, point) {
            (Some(program), _) => Action::Run(layers, program, command.collect()),
            (None, Some(point)) => Action::Mount(layers, point),
            (None, None) => return Err(Failure::usage("a mount point is missing")),
        })
    }
}
