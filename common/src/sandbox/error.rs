//! Why a sandbox cannot be had, and what the user can do about it.

use std::borrow::Cow;
use std::io;

use crate::status::Status;

/// A failure of ours, not of the command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the system refuses.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
        /// What the user can do about it.
        hint: Option<Cow<'static, str>>,
    },
    /// A mount that the system refuses.
    #[error(transparent)]
    Mount(#[from] crate::mount::Error),
    /// The command is not there.
    #[error("{}: command not found", crate::name::show(.program))]
    NotFound {
        /// As it was given.
        program: String,
    },
    /// The command is there and cannot be executed.
    #[error("{}", crate::name::show(.program))]
    NotExecutable {
        /// As it was given.
        program: String,
        /// What the system says.
        source: io::Error,
        /// The capabilities that the program insists on and the command may not have, if
        /// they are the reason.
        lacks: Vec<String>,
    },
    /// The root cannot be mounted in this way; another may do.
    #[error("{what}")]
    Unmountable {
        /// What failed, and why.
        what: String,
        /// What the user can do about it.
        hint: Option<String>,
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
    /// A step that the system refused.
    pub(super) fn system(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::System { what: what.into(), source: source.into(), hint: None }
    }

    /// A failure that no system call returned.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self::Inside { what: what.into(), hint: None }
    }

    /// Adds what the user can do about it.
    pub(super) fn with_hint(self, advice: impl Into<Cow<'static, str>>) -> Self {
        let advice = advice.into();
        match self {
            Self::System { what, source, .. } => Self::System { what, source, hint: Some(advice) },
            Self::Inside { what, .. } => Self::Inside { what, hint: Some(advice.into_owned()) },
            other => other,
        }
    }

    /// Whether the system refuses this kind of mount, so that another may do.
    #[must_use]
    pub fn is_refused_mount(&self) -> bool {
        match self {
            Self::Mount(error) => error.is_refusal(),
            Self::Unmountable { .. } => true,
            _ => false,
        }
    }

    /// The status that env(1) and docker give this failure: 125, 126 or 127.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::NotFound { .. } => Status::NOT_FOUND,
            Self::NotExecutable { .. } => Status::NOT_EXECUTABLE,
            Self::System { .. }
            | Self::Mount(_)
            | Self::Unmountable { .. }
            | Self::Inside { .. } => Status::RUNNER_FAILED,
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Inside { hint, .. } | Self::Unmountable { hint, .. } => {
                hint.as_deref().map(Cow::from)
            }
            Self::System { hint, .. } => hint.as_deref().map(Cow::from),
            Self::Mount(error) => error.hint().map(Cow::from),
            Self::NotExecutable { lacks, .. } if !lacks.is_empty() => {
                Some(format!("use --cap-add {}", lacks.join(" --cap-add ")).into())
            }
            Self::NotFound { .. } | Self::NotExecutable { .. } => None,
        }
    }
}

/// Says what was tried when the system refuses it.
pub(super) trait Trying<T> {
    fn trying(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> Trying<T> for Result<T, E> {
    fn trying(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::system(what(), source))
    }
}
