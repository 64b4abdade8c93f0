//! Inputs that are no archive at all, told apart by their first block, so that a message
//! can say what was given instead.

use super::Block;

/// What files of other kinds begin with.
const MAGICS: [(&[u8], &str); 12] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"!<arch>\n", "an ar archive (a Debian package, perhaps)"),
    (b"070701", "a cpio archive"),
    (b"070707", "a cpio archive"),
    (b"\xed\xab\xee\xdb", "an rpm package"),
    (b"hsqs", "a squashfs file system"),
    (b"\x7fELF", "an ELF binary"),
    (b"\x04\x22\x4d\x18", "an lz4 stream, which is not supported"),
    (b"LZIP", "an lzip stream, which is not supported"),
    (b"\x1f\x9d", "a compress(1) stream, which is not supported"),
];

/// What an input is that begins with `block`, if that is known; a short one has zeros at
/// its end.
pub(super) fn kind_of(block: &Block) -> Option<&'static str> {
    let magic = MAGICS.iter().find(|(magic, _)| block.starts_with(magic));
    magic.map(|(_, kind)| *kind).or_else(|| is_text(block).then_some("text"))
}

/// Whether all that is there are characters that a text has.
fn is_text(block: &Block) -> bool {
    let len = block.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let text = block.get(..len).unwrap_or_default();
    let is_of_text = |character: char| {
        !character.is_control() || matches!(character, '\n' | '\r' | '\t' | '\u{c}')
    };
    let mut chunks = text.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        // The block may end inside a character.
        let is_cut = chunks.peek().is_none() && len == block.len();
        if !chunk.valid().chars().all(is_of_text) || !(chunk.invalid().is_empty() || is_cut) {
            return false;
        }
    }
    len > 0
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    fn kind(start: &[u8]) -> Option<&'static str> {
        let mut block = [0; 512];
        block[..start.len()].copy_from_slice(start);
        kind_of(&block)
    }

    #[test]
    fn what_is_given_instead_of_an_archive_is_named() {
        assert_eq!(kind(b"{\"error\": \"no such layer\"}\n"), Some("text"));
        assert_eq!(kind("é".repeat(256).as_bytes()), Some("text"));
        assert_eq!(kind(&["x", &"é".repeat(256)].concat().as_bytes()[..512]), Some("text"));
        assert_eq!(kind(b"PK\x03\x04..."), Some("a zip archive"));
        for other in [&b""[..], b"a\0b", b"\x1b[31m", b"caf\xe9!", b"\xff"] {
            assert_eq!(kind(other), None, "{other:?}");
        }
    }
}
