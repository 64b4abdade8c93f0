//! `--secret`: a file or a variable of the caller's, for mounts of commands.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use common::document;
use common::name::show_path;

use crate::error::Error;

/// The largest file that is taken for a secret, as in BuildKit.
const MAX_SECRET_LEN_BYTES: u64 = 500 * 1024;

/// A file or variable of `--secret`, read when a step first asks for it, and once: it may be a pipe.
#[derive(Debug)]
pub(crate) struct Secret {
    origin: SecretOrigin,
    content: OnceLock<Vec<u8>>,
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
        Self { origin, content: OnceLock::new() }
    }

    /// The content, at most 500 KiB.
    ///
    /// # Errors
    /// A file that cannot be read, a variable that is not set.
    pub(super) fn content(&self) -> Result<Vec<u8>, Error> {
        if let Some(content) = self.content.get() {
            return Ok(content.clone());
        }
        let content = match &self.origin {
            SecretOrigin::File(path) => {
                document::named(path, MAX_SECRET_LEN_BYTES).map_err(Error::file(path))?
            }
            SecretOrigin::Variable(name) => {
                let unset = || Error::Other(format!("variable {}: not set", show_path(name)));
                std::env::var_os(name).ok_or_else(unset)?.into_vec()
            }
        };
        Ok(self.content.get_or_init(|| content).clone())
    }
}
