//! What ends a tool early: an error, a status and perhaps a hint.

use std::error::Error;
use std::fmt::Write as _;

use super::hint;
use super::status::Status;

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
        let tool = super::message::tool();
        Self::new(text).hint(format!("try '{tool} --help' for the options"))
    }

    /// An error about `subject`, which begins the line.
    pub fn about(subject: impl std::fmt::Display, error: impl Error + 'static) -> Self {
        let hint = hint::of(&error).map(str::to_owned);
        Self { hint, ..Self::new(format!("{subject}: {}", chain(&error))) }
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
        chain(self.error.as_ref())
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let hint = hint::of(&error).map(str::to_owned);
        Self { error: Box::new(error), hint, status: Status::FAILED }
    }
}

/// An error and its sources, joined by `: `.
fn chain(error: &dyn Error) -> String {
    let mut line = words(error);
    let mut source = error.source();
    while let Some(error) = source {
        let text = words(error);
        // A transparent wrapper says the same words twice. The words before a path may by
        // chance end with the same letters: it is a single word, and said all the same.
        let is_said = line.strip_suffix(&text).is_some_and(|before| {
            text.contains(' ') || before.is_empty() || before.ends_with(": ")
        });
        if !is_said {
            let _ = write!(line, ": {text}");
        }
        source = error.source();
    }
    line
}

/// What one error says of itself: of the system's, the words of strerror(3) without
/// the number that Rust puts after them, however deep they are wrapped.
fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let number = text.rsplit_once(" (os error ").and_then(|(words, rest)| {
        let digits = rest.strip_suffix(')')?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(words.len())
    });
    text.truncate(number.unwrap_or(text.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[derive(Debug, thiserror::Error)]
    #[error("usr/bin/x")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_line_carries_every_source_once() {
        let failure = Failure::from(Outer(std::io::Error::other("disk on fire")));
        assert_eq!(failure.line(), "usr/bin/x: disk on fire");
    }

    #[test]
    fn the_line_carries_a_source_that_the_words_before_it_end_with() {
        let failure = Failure::from(Outer(std::io::Error::other("x")));
        assert_eq!(failure.line(), "usr/bin/x: x");
    }

    #[test]
    fn the_system_says_it_in_words() {
        let refused = std::io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(Failure::from(Outer(refused)).line(), "usr/bin/x: Permission denied");
        let refused = rustix::io::Errno::NOENT;
        assert_eq!(Failure::about("x", refused).line(), "x: No such file or directory");
    }
}
