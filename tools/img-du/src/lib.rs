//! `img-du`: show what takes up room in images, and what is wasted.
//!
//! A `report` gathers what the headers of an image's layers tell; `text`, `detail` and
//! `html` show it.

mod advice;
mod cli;
mod detail;
mod directories;
mod html;
mod report;
mod sharing;
mod svg;
mod text;
mod treemap;

use std::ffi::OsString;
use std::io::Write as _;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::image::Opener;
use common::stream::{self, Output, Payload};
use registry::Client;

use cli::Cli;
use report::Report;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the tool on parsed arguments. An image that cannot be read is told of, and the
/// others are shown.
///
/// # Errors
/// Whatever keeps it from showing anything.
///
/// # Streams
/// Reads an archive from standard input for `-`; writes standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    stream::at_most_one_standard(cli.images.iter().map(OsString::as_os_str))?;
    let picture = cli.html.as_ref().or(cli.svg.as_ref());
    if picture.is_some() && cli.images.len() > 1 {
        return Err(Failure::usage("a page or a picture is of one image"));
    }
    if cli.images.len() > 1 && !cli.json && !cli.null {
        let is_given = |id: &&&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        if let Some(option) = ["depth", "sort", "top"].iter().find(is_given) {
            let text = format!("--{option}: several images are shown without directories and rows");
            return Err(Failure::usage(text));
        }
    }
    let options = cli.registries.options(cli.images.iter().map(OsString::as_os_str))?;
    let mut opener =
        Opener::new(&cli.location, cli.platform.clone()).with_registries(Client::new(options));
    let mut status = Status::DONE;
    let mut reports = Vec::new();
    for operand in &cli.images {
        match Report::of(&cli, operand, &mut opener) {
            Ok(report) => reports.push(report),
            Err(failure) => {
                failure.report();
                status = Status::FAILED;
            }
        }
    }
    match (picture, reports.as_slice()) {
        (Some(file), [report]) => draw(&cli, report, file)?,
        (Some(_), _) => {}
        (None, reports) => {
            let mut output = Output::standard(Payload::Text)?;
            write(&cli, reports, &mut output).map_err(stream::Error::StandardOutput)?;
            output.commit()?;
        }
    }
    if status == Status::DONE && !reports.iter().all(|report| report.is_within(&cli)) {
        status = Status::NEGATIVE;
    }
    Ok(status)
}

/// Writes the page, or the picture alone, to a file that appears whole or not at all.
fn draw(cli: &Cli, report: &Report, file: &OsString) -> Result<(), Failure> {
    let text = match cli.html {
        Some(_) => html::page(report, &report.tiles),
        None => svg::document(&report.tiles),
    };
    let mut output = Output::open(Some(file), Payload::Text)?;
    output
        .write_all(text.as_bytes())
        .map_err(|error| Failure::about(common::name::show_path(file), error))?;
    output.commit()?;
    Ok(())
}

fn write(cli: &Cli, reports: &[Report], output: &mut Output) -> std::io::Result<()> {
    let sharing = sharing::of(reports);
    if cli.json {
        for (report, sharing) in reports.iter().zip(sharing) {
            writeln!(output, "{}", detail::line(report, sharing)?)?;
        }
        return Ok(());
    }
    if cli.null {
        for it in reports.iter().flat_map(|report| &report.directories) {
            write!(output, "{}\t", it.len_bytes)?;
            output.write_all(if it.path.is_empty() { b"/" } else { &it.path })?;
            output.write_all(&[0])?;
        }
        return Ok(());
    }
    match (reports, cli.images.len()) {
        ([report], 1) => text::one(cli, report, output),
        ([], _) => Ok(()),
        _ => text::several(cli, reports, &sharing, output),
    }
}
