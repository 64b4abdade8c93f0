//! `union-mount`: mount layers or an image as one file system, or run a command in it.

mod cli;
mod layers;
mod point;
mod print;
mod run;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use cli::{Action, Cli, Goal};
use common::cli::{Failure, Status};
use common::mount;
use common::sandbox;
use layers::Stack;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    // Layers that are directories are in no store, and grow no more.
    let needs_image = |option: clap::Arg| option.requires("image");
    Cli::command().mut_arg("dir", needs_image).mut_arg("max_size", needs_image)
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    let users = cli.users;
    let capabilities = cli.capabilities.on(sandbox::Network::Host);
    let (drivers, isolation, allowed) =
        (cli.drivers()?, cli.isolation.into(), cli.allowed.allowed());
    let action = cli.action()?;
    let runs_command = matches!(action, Action::Show(_, Goal::Command(_)));
    if runs_command || !users.is_automatic() {
        if let Some(status) = users.apply()? {
            return Ok(status);
        }
    }
    match action {
        Action::Unmount(point) => {
            mount::unmount_union(&point)?;
            Ok(Status::DONE)
        }
        Action::Print(layers, goal) => {
            print::print(&Stack::find(layers)?, drivers, goal.as_ref(), allowed)
        }
        Action::Show(layers, Goal::Point(point)) => {
            point::show(&Stack::find(layers)?, drivers, &point, allowed)
        }
        // A tool that runs a command leaves the low statuses to it.
        Action::Show(layers, Goal::Command(argv)) => Stack::find(layers)
            .and_then(|stack| run::run(&stack, drivers, isolation, capabilities, &argv))
            .map_err(|failure| match failure.status() {
                Status::FAILED => failure.with_status(Status::RUNNER_FAILED),
                _ => failure,
            }),
    }
}
