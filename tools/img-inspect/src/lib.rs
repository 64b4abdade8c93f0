//! `img-inspect`: show what an image says of itself.

mod cli;
mod shape;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::image::{Image, Opener, Reference, Sizes};
use common::json;
use common::stream::{self, Output, Payload};
use common::template::Format;
use registry::Client;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked. An image that cannot be shown does
/// not keep the others from it.
///
/// # Streams
/// Reads an archive from standard input for `-`; writes standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = cli::Cli::from_arg_matches(matches)?;
    stream::at_most_one_standard(cli.images.iter().map(OsString::as_os_str))?;
    let mut output = Output::standard(Payload::Text)?;
    let format =
        cli.format.as_deref().map(|text| Format::parse(text, "{{json .}}", &shape::FIELDS));
    let format =
        format.transpose().map_err(|error| Failure::usage(format!("--format: {error}")))?;
    if format.as_ref().is_some_and(Format::is_table) {
        return Err(Failure::usage("--format: an image is not a table"));
    }
    let options = cli.registries.options(cli.images.iter().map(OsString::as_os_str))?;
    let mut opener =
        Opener::new(&cli.location, cli.platform.clone()).with_registries(Client::new(options));
    let sizes = Sizes::new(cli.limit.max_size());
    let mut status = Status::DONE;
    let mut objects = Vec::new();
    let mut bytes = Vec::new();
    for operand in &cli.images {
        let shown = named(&cli, &mut opener, operand).and_then(|named| {
            if let Some(named) = named {
                bytes.extend_from_slice(&named);
                return Ok(());
            }
            let (reference, image) = open(&mut opener, operand)?;
            match &format {
                _ if cli.digest => {
                    bytes.extend_from_slice(format!("{}\n", image.descriptor.digest).as_bytes());
                }
                _ if cli.raw || cli.manifest => bytes.extend_from_slice(&image.manifest_bytes),
                _ if cli.config => bytes.extend_from_slice(&image.config_bytes),
                format => {
                    let object =
                        shape::of(&image, &sizes).map_err(|error| error.about(&reference))?;
                    match format {
                        Some(format) => {
                            bytes.extend_from_slice((format.line(&object) + "\n").as_bytes())
                        }
                        None => objects.push(object),
                    }
                }
            }
            Ok(())
        });
        if let Err(failure) = shown {
            failure.report();
            status = Status::FAILED;
        }
    }
    if format.is_none() && !cli.raw && !cli.config && !cli.manifest && !cli.digest {
        bytes = json::pretty(&objects)?.into_bytes();
        bytes.push(b'\n');
    }
    output.write_all(&bytes).map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(status)
}

/// Returns the bytes or the digest of the manifest or index that a name stands for, if an
/// option asks for them; `None` if one image is to be shown.
fn named(
    cli: &cli::Cli,
    opener: &mut Opener<'_>,
    operand: &OsStr,
) -> Result<Option<Vec<u8>>, Failure> {
    if cli.platform.is_some() || !(cli.raw || cli.digest) {
        return Ok(None);
    }
    let reference = Reference::parse(operand)?;
    let found = opener.find(&reference).map_err(|error| error.about(&reference))?;
    let bytes = match cli.digest {
        true => format!("{}\n", found.descriptor.digest).into_bytes(),
        false => found.document(&found.descriptor).map_err(|error| error.about(&reference))?,
    };
    Ok(Some(bytes))
}

fn open(opener: &mut Opener<'_>, operand: &OsStr) -> Result<(Reference, Image), Failure> {
    let reference = Reference::parse(operand)?;
    let image = opener.open(&reference).map_err(|error| error.about(&reference))?;
    Ok((reference, image))
}
