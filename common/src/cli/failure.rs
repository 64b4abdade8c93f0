//! What ends a tool early: an error, a status and perhaps a hint.

use std::error::Error;

use super::hint;
use crate::errors;
use crate::message;
use crate::status::Status;

/// An error on its way to the user. Any error becomes one with `?`.
#[derive(Debug)]
pub struct Failure {
    error: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
    status: Status,
}

impl Failure {
    /// A failure that is not another module's error.
    pub fn new(text: impl Into<String>) -> Self {
        Self { error: text.into().into(), hint: None, status: Status::FAILED }
    }

    /// Arguments that do not make sense; the user is pointed to `--help`.
    pub fn usage(text: impl Into<String>) -> Self {
        let tool = message::tool();
        Self::new(text).hint(format!("try '{tool} --help' for the options"))
    }

    /// An error about `subject`, which begins the line.
    pub fn about(subject: impl std::fmt::Display, error: impl Error + 'static) -> Self {
        let hint = hint::of(&error);
        Self { hint, ..Self::new(format!("{subject}: {}", errors::line(&error))) }
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the status, [`Status::FAILED`] otherwise.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The exit status that this failure leads to.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The error and its sources, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        errors::line(self.error.as_ref())
    }

    /// Prints it on standard error, with its hint.
    pub fn report(&self) {
        message::error(self.line());
        if let Some(hint) = &self.hint {
            message::hint(hint);
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let hint = hint::of(&error);
        let status = hint::status_of(&error);
        Self { error: Box::new(error), hint, status }
    }
}
