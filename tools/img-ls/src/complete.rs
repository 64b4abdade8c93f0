//! Names for the completions of shells: read from the index alone, and never an error.

use std::io::Write as _;

use common::cli::{Failure, Status};
use common::stream::{self, Output};

use crate::cli::Cli;

/// The words that a name of an image elsewhere begins with.
const TRANSPORTS: [&str; 4] = ["docker://", "docker-archive:", "oci-archive:", "oci:"];

/// As many names as a shell can show.
const MAX_NAMES: usize = 10_000;

/// Prints the names of the store's images, and the transports.
pub(crate) fn list(cli: &Cli, mut output: Output) -> Result<Status, Failure> {
    let entries = cli.location.open().and_then(|store| store.entries()).ok();
    let mut text = String::new();
    for name in entries
        .iter()
        .flat_map(|entries| entries.iter())
        .filter_map(|entry| entry.name)
        .take(MAX_NAMES)
    {
        // Names of other tools may hold what a shell would split or a terminal obey.
        if name.bytes().all(|byte| byte.is_ascii_graphic()) {
            text += name.strip_suffix(":latest").unwrap_or(name);
            text.push('\n');
        }
    }
    for transport in TRANSPORTS {
        text += transport;
        text.push('\n');
    }
    output.write_all(text.as_bytes()).map_err(stream::Error::StandardOutput)?;
    output.commit()?;
    Ok(Status::DONE)
}
