//! Where bytes come from and go to: operands, `-`, files, pipes.
//!
//! Inputs and outputs refuse terminals for what is not text. A file output is
//! atomic; a pipe or a device is written straight through.

mod input;
mod output;
mod pipe;

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;

pub use input::Input;
pub use output::{Output, output_pipe_closed};
pub use pipe::Pipe;

/// What goes through a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A layer or an archive: never to or from a terminal.
    Binary,
    /// Lines for people or programs.
    Text,
}

/// Whether `operand` means standard input or output.
#[must_use]
pub fn is_standard(operand: &OsStr) -> bool {
    operand == "-"
}

/// Refuses a second `-` among `operands`.
///
/// # Errors
/// [`Error::StandardInputTwice`].
pub fn at_most_one_standard<'a>(
    operands: impl IntoIterator<Item = &'a OsStr>,
) -> Result<(), Error> {
    match operands.into_iter().filter(|operand| is_standard(operand)).count() {
        0 | 1 => Ok(()),
        _ => Err(Error::StandardInputTwice),
    }
}

/// Why a stream cannot be opened, or finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that cannot be opened, read or written.
    #[error("{}", crate::name::show_path(.path))]
    File {
        /// As it was named.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Standard output that cannot be written.
    #[error("standard output")]
    StandardOutput(#[source] io::Error),
    /// Standard input that cannot be read.
    #[error("standard input")]
    StandardInput(#[source] io::Error),
    /// Binary data for a terminal.
    #[error("refusing to write binary data to a terminal: redirect it")]
    OutputIsTerminal,
    /// Binary data from a terminal.
    #[error("refusing to read binary data from a terminal: redirect it, or name a file")]
    InputIsTerminal,
    /// `-` given twice.
    #[error("standard input ('-') can be read only once")]
    StandardInputTwice,
}
