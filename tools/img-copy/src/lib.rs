//! `img-copy`: copy an image from one place to another.

mod cli;

use std::ffi::OsStr;
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::image::{Destination, Image, InvalidReference, Reference};
use common::store::Name;
use common::stream::{self, Output, Payload};

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Where the copy goes.
enum Target {
    /// Under a name, into the store.
    Store(Name),
    Elsewhere(Destination),
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
///
/// # Streams
/// Reads an archive from standard input for `-`; writes the manifest's digest, or for
/// `-` the archive, to standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = cli::Cli::from_arg_matches(matches)?;
    let reference = Reference::parse(&cli.source).map_err(InvalidReference::into_failure)?;
    let target = target(&cli.destination)?;
    if let Target::Elsewhere(destination) = &target {
        destination.check()?;
    }
    let opened = common::image::open(&reference, cli.platform.as_ref(), &cli.location);
    let image = opened.map_err(|error| error.about(&reference))?;
    match &target {
        Target::Store(name) => {
            let store = cli.location.create()?;
            image.copy_to(&store).map_err(|error| error.about(&reference))?;
            store.tag(std::slice::from_ref(name), &image.descriptor)?;
        }
        Target::Elsewhere(destination) => {
            destination.write(&image, &names(destination, &image))?;
        }
    }
    if !matches!(&target, Target::Elsewhere(destination) if destination.is_standard()) {
        let mut output = Output::standard(Payload::Text)?;
        writeln!(output, "{}", image.descriptor.digest).map_err(stream::Error::StandardOutput)?;
        output.commit()?;
    }
    Ok(Status::DONE)
}

fn target(operand: &OsStr) -> Result<Target, Failure> {
    match Reference::parse(operand).map_err(InvalidReference::into_failure)? {
        Reference::Store(name) => Ok(Target::Store(name.parse()?)),
        _ => Ok(Target::Elsewhere(Destination::parse(operand)?)),
    }
}

/// An archive or layout that was given no name keeps those that the image has where
/// it comes from, as `docker save` keeps them.
fn names(destination: &Destination, image: &Image) -> Vec<Name> {
    let named = match destination {
        Destination::Archive { name, .. } => name.is_some(),
        Destination::Layout { name, .. } => name.is_some(),
    };
    if named {
        Vec::new()
    } else {
        image.names.iter().filter_map(|name| name.parse().ok()).collect()
    }
}
