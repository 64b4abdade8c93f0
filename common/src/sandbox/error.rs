//! Why a sandbox cannot be had, and what the user can do about it.

use crate::cli::{Failure, Status};

/// A failure of ours, not of the command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the system refuses.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The command is not there.
    #[error("{program}: command not found")]
    NotFound {
        /// As it was given.
        program: String,
    },
    /// The command is there and cannot be executed.
    #[error("{program}")]
    NotExecutable {
        /// As it was given.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A step inside the sandbox that failed.
    #[error("{what}")]
    Inside {
        /// What failed, and why.
        what: String,
        /// What the user can do about it.
        hint: Option<String>,
    },
}

impl Error {
    /// The status that env(1) and docker give this failure: 125, 126 or 127.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::NotFound { .. } => Status::NOT_FOUND,
            Self::NotExecutable { .. } => Status::NOT_EXECUTABLE,
            Self::System { .. } | Self::Inside { .. } => Status::RUNNER_FAILED,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Inside { hint, .. } => hint.as_deref(),
            _ => None,
        }
    }

    /// The failure as a tool ends with it: with its status and its hint.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        let status = self.status();
        let hint = self.hint().map(str::to_owned);
        let failure = Failure::from(self).with_status(status);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
