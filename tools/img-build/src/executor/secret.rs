//! `--secret`: a file or a variable of the caller's, for mounts of commands.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use common::document;
use common::name::show_path;

use super::lock;
use super::schedule::Schedule;
use crate::error::Error;

/// The largest file that is taken for a secret, as in BuildKit.
const MAX_SECRET_LEN_BYTES: u64 = 500 * 1024;

/// A file or variable of `--secret`, read when a step first asks for it, and once: it may be a pipe.
#[derive(Debug)]
pub(crate) struct Secret {
    origin: SecretOrigin,
    content: Mutex<Option<Vec<u8>>>,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretOrigin {
    File(PathBuf),
    /// A variable of the environment.
    Variable(OsString),
}

impl Secret {
    pub(crate) fn new(origin: SecretOrigin) -> Self {
        Self { origin, content: Mutex::default() }
    }

    /// The content, at most 500 KiB.
    ///
    /// # Errors
    /// A file that cannot be read, a variable that is not set; a failure of the build while
    /// a pipe is read.
    pub(super) fn content(&self, schedule: &Schedule) -> Result<Vec<u8>, Error> {
        let mut known = lock(&self.content);
        if let Some(content) = &*known {
            return Ok(content.clone());
        }
        let origin = self.origin.clone();
        let content = schedule.run_aside(move || origin.read())?;
        Ok(known.insert(content).clone())
    }
}

impl SecretOrigin {
    fn read(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::File(path) => {
                document::named(path, MAX_SECRET_LEN_BYTES).map_err(Error::file(path))
            }
            Self::Variable(name) => {
                let unset = || Error::Other(format!("variable {}: not set", show_path(name)));
                Ok(std::env::var_os(name).ok_or_else(unset)?.into_vec())
            }
        }
    }
}
