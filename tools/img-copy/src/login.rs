//! `--login`: the credentials on standard input, checked and kept.

use common::cli::{Failure, Status};
use common::document;
use common::stream::{Input, Payload};
use registry::Credentials;

use crate::cli::Registries;
use crate::place;

const MAX_LEN_BYTES: u64 = 64 << 10;

/// Logs in to the registry at `host` with the credentials on standard input.
///
/// # Errors
/// A terminal, which would show the password; lines that are no credentials; a registry that
/// does not accept them; a file that cannot be written.
///
/// # Streams
/// Reads standard input.
pub(crate) fn log_in(host: &str, registries: &Registries) -> Result<Status, Failure> {
    let input = Input::standard(Payload::Binary)?;
    let label = input.label();
    let bytes = document::read(input.into_file(), MAX_LEN_BYTES)
        .map_err(|error| Failure::about(&label, error))?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let mut lines = text.lines();
    let credentials = match (lines.next(), lines.next(), lines.next()) {
        (Some(user), Some(password), None) => Credentials::of(user, password).ok(),
        _ => None,
    };
    let credentials = credentials.ok_or_else(|| {
        let text = format!("{label}: not a user's name and a password, each on a line");
        Failure::new(text)
    })?;
    registry::log_in(host, &credentials, &place::for_any(registries))?;
    Ok(Status::DONE)
}
