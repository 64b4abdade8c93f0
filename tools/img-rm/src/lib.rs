//! `img-rm`: remove images from the store.

mod cli;
mod remote;
mod upper;

use std::ffi::OsStr;
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::human;
use common::message;
use common::name::show_path;
use common::scratch;
use common::store::{Error, Pruning, Removed, Store};
use common::stream::{self, Output, Payload};
use registry::RegistryReference;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked. An image that cannot be removed
/// does not keep the others.
///
/// # Streams
/// Writes what is removed to standard output, one a line.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = cli::Cli::from_arg_matches(matches)?;
    if !cli.upper.is_empty() {
        return upper::remove(&cli);
    }
    let output = Output::standard(Payload::Text)?;
    let pruning = if cli.dry_run { Pruning::Tell } else { Pruning::Remove };
    let (remote, images): (Vec<String>, Vec<String>) =
        cli.images.iter().cloned().partition(|image| RegistryReference::is_meant(image));
    let options = cli.registries.options(remote.iter().map(OsStr::new))?;
    let mut status = Status::DONE;
    let mut removed = Vec::new();
    let store = match cli.location.open() {
        _ if images.is_empty() && !cli.prune => None,
        // A missing store has nothing to prune.
        Err(Error::Missing(_)) if images.is_empty() => None,
        opened => Some(opened?),
    };
    for image in &remote {
        match remote::remove(image, &options, cli.dry_run) {
            Ok(name) => removed.push(name),
            Err(failure) => {
                failure.report();
                status = Status::FAILED;
            }
        }
    }
    let Some(store) = store else {
        write(output, &removed, cli.null)?;
        return Ok(status);
    };
    let mut names = Vec::new();
    let results = match images.is_empty() {
        true => Ok(Vec::new()),
        false => store.remove(&images, pruning),
    };
    let results = match results {
        Ok(results) => results,
        Err(error) => {
            // The tags in registries are gone already.
            write(output, &removed, cli.null)?;
            return Err(error.into());
        }
    };
    for result in results {
        match result {
            Ok(Removed::Name(name)) => {
                removed.push(name.clone());
                names.push(name);
            }
            Ok(Removed::Image(digest)) => removed.push(digest.to_string()),
            Err(error) => {
                explained(error).report();
                status = Status::FAILED;
            }
        }
    }
    if cli.prune {
        remove_leftovers(pruning);
        match prune(&store, &names, pruning) {
            Ok(blobs) => removed.extend(blobs),
            // The names are gone all the same.
            Err(failure) => {
                failure.report();
                status = Status::FAILED;
            }
        }
    } else if !names.is_empty() && message::is_watched() {
        message::note("nothing is freed without --prune");
    }
    write(output, &removed, cli.null)?;
    Ok(status)
}

/// Writes what was removed.
fn write(mut output: Output, removed: &[String], null: bool) -> Result<(), Failure> {
    let end = if null { '\0' } else { '\n' };
    for line in removed {
        write!(output, "{line}{end}").map_err(stream::Error::StandardOutput)?;
    }
    Ok(output.commit()?)
}

/// An image that is not there may be one whose digest begins so.
fn explained(error: Error) -> Failure {
    let is_hex = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hint = match &error {
        Error::NoImage { name, .. } if is_hex(name) => {
            format!("to remove by digest, write sha256:{}", name.to_ascii_lowercase())
        }
        _ => return error.into(),
    };
    Failure::from(error).hint(hint)
}

/// Removes what killed processes left in the cache, of builds and of copies.
fn remove_leftovers(pruning: Pruning) {
    let Some(cache) = common::cache::dir().filter(|_| pruning == Pruning::Remove) else { return };
    let folder = scratch::folder(&cache);
    if let Err(error) = scratch::remove_dead(&folder) {
        message::warning(format!("{}: {error}", show_path(&folder)));
    }
}

/// Removes what no name reaches, and says which blobs that were.
fn prune(store: &Store, names: &[String], pruning: Pruning) -> Result<Vec<String>, Failure> {
    let pruned = store.prune_without(names, pruning)?;
    if message::is_watched() {
        let verb = if pruning == Pruning::Tell { "would free" } else { "freed" };
        let (size, count) = (human::size(pruned.len_bytes()), pruned.blobs.len());
        let blobs = if count == 1 { "blob" } else { "blobs" };
        message::note(format_args!("{verb} {size} in {count} {blobs}"));
    }
    Ok(pruned.blobs.keys().map(ToString::to_string).collect())
}
