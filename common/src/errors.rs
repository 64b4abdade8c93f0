//! Errors as one line of text, and what caused them.

use std::error::Error;
use std::fmt::Write as _;

/// The first error of this type among `error` and what caused it.
#[must_use]
pub fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// An error and what caused it, one after the other.
pub fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // The source of an error of I/O is not what it wraps but the source of that.
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// An error and its sources, joined by `: `.
#[must_use]
pub fn line(error: &dyn Error) -> String {
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

/// Returns the text of one error, without its sources. Errors of the system lose the
/// number that Rust puts after the words of strerror(3), however deep they are wrapped.
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
    use super::line;

    #[derive(Debug, thiserror::Error)]
    #[error("usr/bin/x")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_line_carries_every_source_once() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(line(&error), "usr/bin/x: disk on fire");
    }

    #[test]
    fn the_line_carries_a_source_that_the_words_before_it_end_with() {
        let error = Outer(std::io::Error::other("x"));
        assert_eq!(line(&error), "usr/bin/x: x");
    }

    #[test]
    fn the_system_says_it_in_words() {
        let refused = std::io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(line(&Outer(refused)), "usr/bin/x: Permission denied");
        let refused = rustix::io::Errno::NOENT;
        assert_eq!(line(&std::io::Error::from(refused)), "No such file or directory");
    }
}
