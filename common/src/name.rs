//! Names are bytes, not UTF-8, all the way through; this shows them to people.
//!
//! In data (lists, JSON, tar) names go out raw or in that format's own escape.
//! In diagnostics, and wherever the reader is a terminal, control characters
//! and invalid UTF-8 become `\ooo`, so that a hostile name can neither forge a
//! line nor drive the terminal.

use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

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
                if hides(character) {
                    let mut buffer = [0; 4];
                    for byte in character.encode_utf8(&mut buffer).bytes() {
                        write!(f, "\\{byte:03o}")?;
                    }
                } else {
                    f.write_char(character)?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\{byte:03o}")?;
            }
        }
        Ok(())
    }
}

/// Control characters, and the bidirectional overrides that reorder a line.
fn hides(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    }
}
