//! `union-mount`: mount layers or an image as one file system, or run a command in it.

mod cli;
mod run;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use cli::{Action, Cli, Layers};
use common::cli::{Failure, Status};
use common::mount::{self, Durability, Overlay, Upper};

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    match Cli::from_arg_matches(matches)?.action()? {
        Action::Unmount(point) => {
            mount::unmount_union(&point)?;
            Ok(Status::DONE)
        }
        Action::Mount(layers, point) => {
            if !mount::can_mount() {
                return Err(Failure::new("mounting for others to see needs CAP_SYS_ADMIN").hint(
                    "run it as root, or give a command after '--': it sees the union in a \
                     user namespace of its own",
                ));
            }
            overlay(layers).mount_on(&point).map_err(explained)?;
            Ok(Status::DONE)
        }
        Action::Run(layers, program, arguments) => run::run(overlay(layers), program, arguments),
    }
}

fn overlay(layers: Layers) -> Overlay {
    let mut overlay = Overlay::new(layers.directories);
    overlay.upper = layers.upper.map(|dir| Upper { dir, work: layers.work });
    if layers.volatile {
        overlay.durability = Durability::Volatile;
    }
    overlay
}

fn explained(error: mount::Error) -> Failure {
    let hint = error.hint();
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
