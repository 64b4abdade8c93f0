//! `img-index`: make one name stand for images of several platforms.
//!
//! `entries` brings the operands into the store; this file puts them together.

mod cli;
mod entries;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::digest::Digest;
use common::image::{Opener, Reference};
use common::oci::{Descriptor, Index, media_type};
use common::stream::{self, Output, Payload};
use registry::Client;

use self::cli::Cli;
use self::entries::{Entries, WhenTaken};

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
/// Reads an archive from standard input for `-`; writes the index's digest to standard
/// output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    stream::at_most_one_standard(cli.images.iter().map(OsString::as_os_str))?;
    let mut output = Output::standard(Payload::Text)?;
    let references: Vec<Reference> =
        cli.images.iter().map(|image| Reference::parse(image)).collect::<Result<_, _>>()?;
    let options = cli.registries.options(cli.images.iter().map(OsString::as_os_str))?;
    let mut opener = Opener::new(&cli.location, None).with_registries(Client::new(options));
    let mut entries = Entries::default();
    if cli.add || !cli.remove.is_empty() {
        let before = cli.names.first().map(ToString::to_string).unwrap_or_default();
        let before = Reference::Store(before);
        let found = opener.find(&before).map_err(|error| error.about(&before))?;
        entries.begin(&found).map_err(|error| error.about(&before))?;
    }
    for platform in &cli.remove {
        if !entries.remove(platform) {
            return Err(Failure::new(format!("--remove {platform}: no such image")));
        }
    }
    let find = |reference| opener.find(reference).map_err(|error| error.about(reference));
    let found = references.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let when_taken = if cli.add { WhenTaken::Replace } else { WhenTaken::Refuse };
    let mut brought = Vec::new();
    for (reference, found) in references.iter().zip(found) {
        let new = entries::of(&found).map_err(|error| error.about(reference))?;
        if let Some(platform) = entries.take(&new, when_taken) {
            let text = format!("{reference}: a second image for {platform}");
            return Err(Failure::new(text).hint("--add replaces an image in an index"));
        }
        brought.push((reference, found, new));
    }
    let store = cli.location.create()?;
    let kept: HashSet<&Digest> = entries.all.iter().map(|entry| &entry.digest).collect();
    for (reference, found, new) in &brought {
        let new = new.iter().filter(|entry| kept.contains(&entry.digest));
        entries::copy(found, new, &store).map_err(|error| error.about(reference))?;
    }
    let mut index = Index::new(entries.all);
    index.annotations = entries.annotations;
    index.annotations.extend(cli.annotations.iter().cloned());
    let (digest, len_bytes) = store.put(&index.to_bytes()?)?;
    store.tag(&cli.names, &Descriptor::new(media_type::INDEX, digest.clone(), len_bytes))?;
    writeln!(output, "{digest}").map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(Status::DONE)
}
