//! `layer-merge`: make one layer of several.

mod cli;

use std::ffi::OsString;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::human::count;
use common::layer::merge::{self, Source};
use common::message;
use common::stream::{self, Input, Payload};
use common::tar::{self, Writer};

use cli::Cli;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
///
/// # Streams
/// Writes the layer to standard output unless `-o` names a file.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    stream::at_most_one_standard(cli.layers.iter().map(OsString::as_os_str))?;
    let compress = cli.compress.checked()?;
    let output = cli.file.open(Payload::Binary)?;
    let failed = |error| cli.file.failure(error);
    let open = |layer| -> Result<Source, Failure> {
        let input = Input::open(layer, Payload::Binary)?;
        Ok(Source::new(input, cli.bare.max_size(), cli.bare.whole())?)
    };
    let layers: Vec<Source> =
        cli.layers.iter().map(|layer| open(layer)).collect::<Result<_, _>>()?;
    let encoder = compress.encoder(output).map_err(failed)?;
    let mut writer = Writer::new(encoder);
    let summary = merge::merge(&layers, &mut writer).map_err(|error| match error {
        merge::Error::Write(tar::Error::Write(source)) => failed(source),
        error => error.into(),
    })?;
    let encoder = writer.finish().map_err(|error| match error {
        tar::Error::Write(source) => failed(source),
        error => error.into(),
    })?;
    encoder.finish().map_err(failed)?.commit()?;
    let of = count(layers.len() as u64, "layer", "layers");
    let entries = count(summary.entries, "entry", "entries");
    message::verbose(format_args!("{of}, {entries}"));
    Ok(Status::DONE)
}
