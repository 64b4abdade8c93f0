//! Names are bytes, not UTF-8, all the way through; this shows them to people.
//!
//! In data (lists, JSON, tar) names go out raw or in that format's own escape.
//! In diagnostics, and wherever the reader is a terminal, control characters
//! and invalid UTF-8 become `\ooo`, so that a hostile name can neither forge a
//! line nor drive the terminal.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::terminal;

/// Shows a byte name with control characters and invalid UTF-8 escaped.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(&'a [u8]);

/// Shows `bytes` safely: see [`Shown`].
#[must_use]
pub fn show<B: AsRef<[u8]> + ?Sized>(bytes: &B) -> Shown<'_> {
    Shown(bytes.as_ref())
}

/// Shows `path` safely: see [`Shown`].
#[must_use]
pub fn show_path<P: AsRef<Path> + ?Sized>(path: &P) -> Shown<'_> {
    Shown(path.as_ref().as_os_str().as_bytes())
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if terminal::is_unsafe(character) {
                    terminal::push_escaped(f, character.encode_utf8(&mut [0; 4]).as_bytes())?;
                } else {
                    f.write_char(character)?;
                }
            }
            terminal::push_escaped(f, chunk.invalid())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::show;

    #[test]
    fn plain_names_are_shown_as_they_are() {
        assert_eq!(show("usr/bin/x é").to_string(), "usr/bin/x é");
    }

    #[test]
    fn control_characters_and_invalid_bytes_are_escaped() {
        assert_eq!(show(b"a\x1b]52;\nb\xff").to_string(), "a\\033]52;\\012b\\377");
        assert_eq!(show("\u{202e}txt").to_string(), "\\342\\200\\256txt");
        assert_eq!(show("\u{61c}\u{9b}").to_string(), "\\330\\234\\302\\233");
    }
}
