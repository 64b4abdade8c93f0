//! `img-ls`: list the images of the store, its blobs, or what a registry has.

mod blobs;
mod cli;
mod complete;
mod remote;
mod rows;
mod table;
mod wanted;

use std::ffi::OsStr;
use std::io::Write as _;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::compression::MaxSize;
use common::name::show;
use common::store::{Error, Store};
use common::stream::{self, Output, Payload};
use registry::RegistryReference;

use self::cli::Cli;
use self::rows::Row;
use self::table::Table;
use self::wanted::Wanted;

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
/// Whatever keeps it from doing all that was asked. An image that cannot be read does
/// not keep the others from being listed.
///
/// # Streams
/// Writes standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    let mut output = Output::standard(Payload::Text)?;
    if cli.complete {
        return complete::list(&cli, output);
    }
    let table = Table::new(&cli, output.is_terminal())?;
    let (remote, names): (Vec<String>, Vec<String>) =
        cli.names.iter().cloned().partition(|name| RegistryReference::is_meant(name));
    if !remote.is_empty() {
        if !names.is_empty() || cli.format.is_some() || cli.blobs || cli.no_trunc {
            let text = "a registry's list is of names alone: --blobs, --format, --no-trunc and \
                        other operands are for the store";
            return Err(Failure::usage(text));
        }
        return list_remote(&cli, &remote, output);
    }
    cli.registries.options([])?;
    if cli.blobs {
        return blobs::list(&cli, output);
    }
    let store = match cli.location.open() {
        // A store that is not there has no images, and nothing wrong with it.
        Err(Error::Missing(_)) if cli.names.is_empty() => None,
        opened => Some(Arc::new(opened?)),
    };
    if cli.check {
        output.commit()?;
        return store.map_or(Ok(Status::DONE), |store| check(&store, cli.limit.max_size()));
    }
    let (rows, mut status) = match &store {
        Some(store) => rows::of(store, cli.limit.max_size())?,
        None => (Vec::new(), Status::DONE),
    };
    let rows = selected(&cli, rows, &mut status);
    let text = match cli.json {
        true => rows.iter().map(Row::json_line).collect::<Result<_, _>>()?,
        false => table.of(&rows),
    };
    output.write_all(text.as_bytes()).map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(status)
}

/// Lists what registries have. One that does not answer does not keep the others.
fn list_remote(cli: &Cli, operands: &[String], mut output: Output) -> Result<Status, Failure> {
    let options = cli.registries.options(operands.iter().map(OsStr::new))?;
    let mut status = Status::DONE;
    for operand in operands {
        match remote::list(operand, &options, cli.json, output.is_terminal()) {
            Ok(text) => {
                output.write_all(text.as_bytes()).map_err(stream::Error::StandardOutput)?;
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

/// The rows that the operands ask for, all without operands.
fn selected(cli: &Cli, mut rows: Vec<Row>, status: &mut Status) -> Vec<Row> {
    if cli.names.is_empty() {
        return rows;
    }
    let mut wanted = Wanted::new(&cli.names);
    rows.retain(|row| wanted.takes(row));
    for name in wanted.missing() {
        Failure::new(format!("{}: no such image", show(name))).report();
        *status = Status::FAILED;
    }
    rows
}

/// Tells of each thing that is wrong with the store.
fn check(store: &Store, max_size: MaxSize) -> Result<Status, Failure> {
    let mut status = Status::DONE;
    store.check(max_size, |finding| {
        Failure::from(finding).report();
        status = Status::NEGATIVE;
    })?;
    Ok(status)
}
