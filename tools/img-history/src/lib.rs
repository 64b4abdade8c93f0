//! `img-history`: show how an image came to be.
//!
//! What is known of each step is gathered in `steps`, and shown by `table` as docker
//! shows it or by `detail` as JSON.

mod cli;
mod detail;
mod path;
mod steps;
mod table;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::image::{Opener, Reference, Sizes};
use common::stream::{self, Output, Payload};
use registry::Client;

use self::cli::Cli;
use self::table::Table;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    // Docker's -q: more than the silence that it is elsewhere.
    cli::Cli::command()
        .mut_arg("quiet", |quiet| quiet.short('q').help("Show image IDs only, and no progress"))
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked. An image that cannot be shown does
/// not keep the others from it.
///
/// # Streams
/// Reads an archive from standard input where no image is named; writes standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    let from_input = [OsString::from("-")];
    let operands = if cli.images.is_empty() { &from_input } else { cli.images.as_slice() };
    stream::at_most_one_standard(operands.iter().map(OsString::as_os_str))?;
    let mut output = Output::standard(Payload::Text)?;
    let table = Table::new(&cli, output.is_terminal())?;
    let sizes = Sizes::new(cli.limit.max_size());
    let options = cli.registries.options(operands.iter().map(OsString::as_os_str))?;
    let mut opener =
        Opener::new(&cli.location, cli.platform.clone()).with_registries(Client::new(options));
    let mut status = Status::DONE;
    let mut shown = 0;
    for operand in operands {
        let text = show(&cli, operand, &mut opener, &sizes, &table);
        match text {
            Ok(text) => {
                // Two tables are two tables.
                let between = if shown > 0 && table.has_headers() && !cli.json { "\n" } else { "" };
                write!(output, "{between}{text}").map_err(stream::Error::StandardOutput)?;
                shown += 1;
            }
            Err(failure) => {
                failure.report();
                status = Status::FAILED;
            }
        }
    }
    output.commit()?;
    Ok(status)
}

/// The history of one image as text.
fn show(
    cli: &Cli,
    operand: &OsString,
    opener: &mut Opener<'_>,
    sizes: &Sizes,
    table: &Table,
) -> Result<String, Failure> {
    let reference = Reference::parse(operand)?;
    let about = |error: common::image::Error| error.about(&reference);
    let image = opener.open(&reference).map_err(about)?;
    // Nobody waits for sizes that are not shown.
    let wanted = cli.json || table.shows_sizes();
    let mut steps = steps::of(&image, wanted.then_some(sizes)).map_err(about)?;
    if let Some(path) = &cli.path {
        let touched = path::layers(cli, &reference, &image, path)?;
        steps.retain(|step| step.layer.as_ref().is_some_and(|it| touched.contains(&it.number)));
    }
    Ok(match cli.json {
        true => detail::lines(&reference, &image, &steps)?,
        false => table.of(&steps),
    })
}
