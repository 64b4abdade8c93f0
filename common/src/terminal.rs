//! Text on its way to a terminal: what could drive the terminal, or reorder a line, is
//! escaped, whoever wrote it.
//!
//! [`crate::stream::Output`] puts all text through this that goes to a terminal, so that
//! no tool can forget it. Names are escaped before that, by [`crate::name`], because a
//! newline in a name would be the end of a line here.

/// Whether a character acts on a terminal, or on the order in which a line is read:
/// control characters, marks and overrides of direction, and line separators.
#[must_use]
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Appends the bytes of `unshown` to `text` as `\ooo`.
pub(crate) fn push_escaped(text: &mut impl std::fmt::Write, unshown: &[u8]) -> std::fmt::Result {
    unshown.iter().try_for_each(|byte| write!(text, "\\{byte:03o}"))
}

/// Escapes text that comes in pieces, which may end inside a character.
#[derive(Debug, Default)]
pub(crate) struct Escaper {
    /// The beginning of a character.
    begun: Vec<u8>,
}

impl Escaper {
    /// The next piece as a terminal may have it. Newlines and tabs stay.
    pub(crate) fn piece(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.begun);
        bytes.extend_from_slice(piece);
        let mut text = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for character in chunk.valid().chars() {
                push(&mut text, character);
            }
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && is_begun(invalid) {
                self.begun = invalid.to_vec();
            } else {
                // Writing to a string does not fail.
                let _ = push_escaped(&mut text, invalid);
            }
        }
        text
    }

    /// What is left when nothing more comes.
    pub(crate) fn rest(&mut self) -> String {
        let mut text = String::new();
        let _ = push_escaped(&mut text, &std::mem::take(&mut self.begun));
        text
    }
}

fn push(text: &mut String, character: char) {
    if is_unsafe(character) && !matches!(character, '\n' | '\t') {
        let _ = push_escaped(text, character.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        text.push(character);
    }
}

/// Whether `invalid`, at the end of what is there, may become a character with more.
fn is_begun(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::Escaper;

    fn shown(pieces: &[&[u8]]) -> String {
        let mut escaper = Escaper::default();
        let mut text: String = pieces.iter().map(|piece| escaper.piece(piece)).collect();
        text += &escaper.rest();
        text
    }

    #[test]
    fn what_drives_a_terminal_is_escaped_and_the_rest_stays() {
        assert_eq!(shown(&[b"a\tb\n\xc3\xa9"]), "a\tb\né");
        assert_eq!(shown(&[b"\x1b]52;c\x07\r\x7f"]), "\\033]52;c\\007\\015\\177");
        assert_eq!(shown(&["\u{9b}31m\u{202e}\u{61c}".as_bytes()]).matches('\\').count(), 7);
        assert_eq!(shown(&[b"a\xffb"]), "a\\377b");
    }

    #[test]
    fn a_character_cut_in_two_is_one_character() {
        let text = "é\u{9b}漢\u{202e}x";
        for at in 0..=text.len() {
            let (one, two) = text.as_bytes().split_at(at);
            assert_eq!(shown(&[one, two]), shown(&[text.as_bytes()]), "{at}");
        }
        assert_eq!(shown(&[b"a\xe6\xbc"]), "a\\346\\274");
    }
}
