//! `union-mount`: mount layers or an image as one file system, or run a command in it.

mod cli;
mod layers;
mod print;
mod run;

use std::path::Path;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use cli::{Action, Cli, Goal};
use common::cli::{Failure, Status};
use common::mount::{self, Overlay};
use common::sandbox;

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
    let cli = Cli::from_arg_matches(matches)?;
    let map_users = cli.map_users;
    let action = cli.action()?;
    if map_users {
        if let Some(status) = sandbox::again_with_many_ids()? {
            return Ok(status);
        }
    }
    match action {
        Action::Unmount(point) => {
            mount::unmount_union(&point)?;
            Ok(Status::DONE)
        }
        Action::Print(layers, goal) => print::print(&layers::resolve(layers)?, goal.as_ref()),
        Action::Show(layers, Goal::Point(point)) => {
            if !mount::can_mount() {
                return Err(Failure::new("mounting for others to see needs CAP_SYS_ADMIN").hint(
                    "run it as root, or give a command after '--': it sees the union in a \
                     user namespace of its own",
                ));
            }
            mount_on(&layers::resolve(layers)?, &point)
        }
        // A tool that runs a command leaves the low statuses to it.
        Action::Show(layers, Goal::Command(argv)) => layers::resolve(layers)
            .map_err(|failure| failure.with_status(Status::RUNNER_FAILED))
            .and_then(|overlay| run::run(overlay, argv)),
    }
}

fn mount_on(overlay: &Overlay, point: &Path) -> Result<Status, Failure> {
    overlay.mount_on(point).map_err(|error| {
        let hint = error.hint();
        let failure = Failure::from(error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    Ok(Status::DONE)
}
