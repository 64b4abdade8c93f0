//! The blobs of the store, by digest.

use std::collections::BTreeSet;
use std::io::Write as _;

use common::cli::{Failure, Status};
use common::digest::Digest;
use common::store::Error;
use common::stream::{self, Output};

use crate::cli::Cli;

/// Writes the digests of all blobs of the store, or of those that images reach, sorted,
/// one a line.
pub(crate) fn list(cli: &Cli, mut output: Output) -> Result<Status, Failure> {
    let store = match cli.location.open() {
        // A store that is not there has no blobs.
        Err(Error::Missing(_)) if cli.names.is_empty() => {
            output.commit()?;
            return Ok(Status::DONE);
        }
        opened => opened?,
    };
    let mut status = Status::DONE;
    let mut digests: BTreeSet<Digest> = BTreeSet::new();
    if cli.names.is_empty() {
        digests.extend(store.blobs()?.into_keys());
    }
    for name in &cli.names {
        match store.resolve(name).and_then(|image| store.reached(&image)) {
            Ok(reached) => digests.extend(reached),
            Err(error) => {
                Failure::from(error).report();
                status = Status::FAILED;
            }
        }
    }
    for digest in digests {
        writeln!(output, "{digest}").map_err(stream::Error::StandardOutput)?;
    }
    output.commit()?;
    Ok(status)
}
