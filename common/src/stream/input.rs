//! An input operand: a file, or `-` for standard input.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use super::{Error, Payload, is_standard};

/// An open input that knows what to call itself.
#[derive(Debug)]
pub struct Input {
    file: File,
    path: Option<PathBuf>,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// A file that cannot be opened; a terminal where binary data is expected.
    pub fn open(operand: &OsStr, payload: Payload) -> Result<Self, Error> {
        if is_standard(operand) {
            return Self::standard(payload);
        }
        let path = PathBuf::from(operand);
        let opened = File::open(&path).and_then(|file| {
            if file.metadata()?.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            Ok(file)
        });
        match opened {
            Ok(file) => Self { file, path: Some(path) }.refuse_terminal(payload),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Standard input.
    ///
    /// # Errors
    /// A terminal where binary data is expected.
    ///
    /// # Streams
    /// Reads standard input, unbuffered.
    pub fn standard(payload: Payload) -> Result<Self, Error> {
        let file = io::stdin().as_fd().try_clone_to_owned().map(File::from);
        let file = file.map_err(Error::StandardInput)?;
        Self { file, path: None }.refuse_terminal(payload)
    }

    fn refuse_terminal(self, payload: Payload) -> Result<Self, Error> {
        if payload == Payload::Binary && self.file.is_terminal() {
            return Err(Error::InputIsTerminal);
        }
        Ok(self)
    }

    /// The input as messages name it.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.path {
            Some(path) => crate::name::show_path(path).to_string(),
            None => "standard input".into(),
        }
    }

    /// Its length in bytes where it is a regular file: what progress can promise.
    #[must_use]
    pub fn len_bytes(&self) -> Option<u64> {
        self.file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
    }

    /// The open file itself, for readers that seek.
    #[must_use]
    pub fn into_file(self) -> File {
        self.file
    }
}

impl std::os::fd::AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl std::os::fd::AsRawFd for Input {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.file.as_raw_fd()
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}
