//! `img-diff`: compare two images.
//!
//! A `report` gathers what is different; `text` and `detail` show it.

mod cli;
mod config;
mod detail;
mod files;
mod lines;
mod packages;
mod report;
mod text;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::stream::{self, Output, Payload};

use cli::Cli;
use report::Report;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from comparing all that was asked for.
///
/// # Streams
/// Reads an archive from standard input for `-`; writes standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    if let Some((option, parts)) = cli.useless(matches) {
        return Err(Failure::usage(format!("{option}: only for --only {parts}")));
    }
    stream::at_most_one_standard(cli.images.iter().map(OsString::as_os_str))?;
    let [old, new] = cli.images.as_slice() else {
        return Err(Failure::usage("two images are compared"));
    };
    let mut output = Output::standard(Payload::Text)?;
    let report = Report::of(&cli, old, new)?;
    let written = match cli.json {
        true => writeln!(output, "{}", detail::line(&report)?),
        false => text::write(&cli, &report, &mut output),
    };
    written.map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    let differ = cli.exit_code && !report.is_empty();
    Ok(if differ { Status::NEGATIVE } else { Status::DONE })
}
