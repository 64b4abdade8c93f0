//! `img-history`: show how images were made, layer by layer.

mod cli;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let _cli = cli::Cli::from_arg_matches(matches)?;
    Err(Failure::new("not written yet"))
}
