//! The command-line driver: from argv to the exit status. It alone turns errors of
//! the other modules into messages; none of them uses it.
//!
//! A tool is four steps: parse (pure), plan (resolve and refuse, write nothing),
//! run (stream), status. Its `main` hands [`main`] two functions: one that
//! describes its arguments and one that runs on them.

mod failure;
mod hint;
mod options;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

pub use crate::status::Status;
use crate::{cleanup, message, signal, stream};
pub use failure::Failure;
pub use hint::{add_hints, has_option};
pub use options::{ColorChoice, OutputOptions};

/// Runs a tool from its arguments to its exit status.
///
/// # Streams
/// Help and version go to standard output; everything else that this prints
/// goes to standard error, each line beginning with the tool's name.
pub fn main(command: fn() -> Command, run: fn(&ArgMatches) -> Result<Status, Failure>) -> ExitCode {
    main_or(|_| None, command, run)
}

/// As [`main`], for a tool that executes itself anew, as a sandbox does: `other` is asked
/// first, before any thread is started, whether the name that the process was given
/// (`argv[0]`) says so, and leads such a process from its beginning to its end.
pub fn main_or(
    other: fn(&OsStr) -> Option<ExitCode>,
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Result<Status, Failure>,
) -> ExitCode {
    let arguments = arguments();
    if let Some(ended) = arguments.first().and_then(|name| other(name)) {
        return ended;
    }
    let mut command = with_one_help(command());
    message::set_tool(command.get_name());
    hint::set_options(&command);
    let matches = match command.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => return finish(answer(&mut command, &error)),
    };
    message::configure(OutputOptions::from_matches(&matches).manner());
    signal::install();
    finish(crate::time::source_date_epoch().map_err(Failure::from).and_then(|_| run(&matches)))
}

/// `-h` and `--help` say the same: the long form is the man page.
#[must_use]
pub fn with_one_help(command: Command) -> Command {
    let help = Arg::new("help").short('h').long("help").help("Print help");
    command.disable_help_flag(true).arg(help.action(ArgAction::HelpShort))
}

/// The arguments as they were given, the tool's name first.
#[must_use]
pub fn arguments() -> Vec<OsString> {
    // The one place that reads argv.
    #[allow(clippy::disallowed_methods)]
    std::env::args_os().collect()
}

/// The one `match` from an outcome to a status.
fn finish(outcome: Result<Status, Failure>) -> ExitCode {
    signal::wait_if_ending();
    let status = match outcome {
        Ok(status) => status,
        // The reader of our output has gone: it wants no message, and the shell
        // wants to see SIGPIPE.
        Err(_) if stream::output_pipe_closed() => {
            cleanup::run_all();
            signal::die_of_sigpipe()
        }
        Err(failure) => {
            failure.report();
            failure.status()
        }
    };
    cleanup::run_all();
    ExitCode::from(status.code())
}

/// Prints what clap has to say: help and version as a result, the rest as a
/// failure in our own form.
fn answer(command: &mut Command, error: &clap::Error) -> Result<Status, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp => print(&command.render_help().to_string()),
        ErrorKind::DisplayVersion => print(&command.render_version()),
        _ => {
            let text = error.render().to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            let words = first.trim_start_matches("error: ").split_whitespace();
            Err(Failure::usage(words.collect::<Vec<_>>().join(" ")))
        }
    }
}

fn print(text: &str) -> Result<Status, Failure> {
    let mut output = stream::Output::standard(stream::Payload::Text)?;
    writeln!(output, "{}", text.trim_end()).map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(Status::DONE)
}
