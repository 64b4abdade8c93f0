//! Physical lines joined to logical ones: continuations, comments, CRLF, BOM.

use super::directive::Directives;
use super::error::{Error, Problem};

/// Larger files are refused: nothing written by people comes near it.
pub const MAX_LEN_BYTES: usize = 4 * 1024 * 1024;

/// An instruction's text, continuation lines joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Logical {
    /// Where it begins, from 1.
    pub(super) line: u32,
    pub(super) text: String,
}

/// The lines of a file, and how far they are read.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    /// The number of the line that was read last.
    number: u32,
    pub(super) directives: Directives,
    /// The last lines of instructions that have an empty line in them.
    pub(super) empty_continuations: Vec<u32>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEN_BYTES {
            return Err(Problem::TooLarge(MAX_LEN_BYTES).at(1));
        }
        let rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Ok(Self {
            rest,
            number: 0,
            directives: Directives::default(),
            empty_continuations: Vec::new(),
        })
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The next physical line, with its line feed.
    pub(super) fn physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let len =
            self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.number += 1;
        Some(line)
    }

    /// The next logical line that is not empty.
    pub(super) fn logical(&mut self) -> Result<Option<Logical>, Error> {
        while let Some(line) = self.physical() {
            let start = self.number;
            let line = trim_start(trim_line_end(line));
            self.directives.take(line).map_err(|problem| problem.at(start))?;
            let line = if line.starts_with(b"#") { b"" } else { line };
            let (line, mut continues) = self.split_continuation(line);
            if line.is_empty() && !continues {
                continue;
            }
            let mut text = line.to_vec();
            let mut has_empty = false;
            while continues {
                let Some(line) = self.physical() else { break };
                let line = trim_line_end(line);
                let stripped = trim_start(line);
                // Comments and empty lines between the parts of an instruction vanish.
                has_empty |= stripped.is_empty();
                if stripped.is_empty() || stripped.starts_with(b"#") {
                    continue;
                }
                let (line, more) = self.split_continuation(line);
                text.extend_from_slice(line);
                continues = more;
            }
            if has_empty {
                self.empty_continuations.push(self.number);
            }
            if trim_start(&text).is_empty() {
                continue;
            }
            return Ok(Some(Logical { line: start, text: to_text(&text) }));
        }
        Ok(None)
    }

    /// Cuts off an escape character that ends a line (blanks may follow it), unless
    /// it is itself escaped.
    fn split_continuation<'l>(&self, line: &'l [u8]) -> (&'l [u8], bool) {
        let escape = self.directives.escape as u8;
        let blanks = line.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let trimmed = line.get(..line.len() - blanks).unwrap_or(line);
        match trimmed.strip_suffix(&[escape]) {
            Some(before) if before.last() != Some(&escape) => (before, true),
            _ => (line, false),
        }
    }
}

/// Bytes as text. As in BuildKit, which hands all words on as JSON, each byte that is not UTF-8
/// becomes U+FFFD.
#[must_use]
pub fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let kept = line.iter().rev().skip_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    line.get(..kept).unwrap_or(line)
}

fn trim_start(line: &[u8]) -> &[u8] {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    line.get(line.iter().take_while(blank).count()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn logical(text: &str) -> Vec<(u32, String)> {
        let mut lines = Lines::new(text.as_bytes()).unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.logical().unwrap() {
            found.push((line.line, line.text));
        }
        found
    }

    fn joined(text: &str) -> Vec<String> {
        logical(text).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn continuations_are_joined_and_keep_their_blanks() {
        assert_eq!(joined("RUN a \\\n  b\\  \nc\nRUN d"), ["RUN a   bc", "RUN d"]);
        assert_eq!(joined("RUN a \\\r\n  b\r\n"), ["RUN a   b"]);
        assert_eq!(joined("RUN a\\\\\nRUN b"), ["RUN a\\\\", "RUN b"]);
        assert_eq!(joined("RUN a \\"), ["RUN a "]);
    }

    #[test]
    fn comments_and_empty_lines_vanish_also_inside_an_instruction() {
        assert_eq!(joined("# x\n\n  # y\nRUN a \\\n# z\n\n  b # c\n"), ["RUN a   b # c"]);
        assert_eq!(
            logical("\n\nRUN a\\\n b\n\nRUN c"),
            [(3, "RUN a b".to_owned()), (6, "RUN c".to_owned())]
        );
    }

    #[test]
    fn a_backquote_joins_where_the_directive_says_so() {
        assert_eq!(
            joined("# escape=`\nRUN a `\nb\nRUN c:\\\nRUN d"),
            ["RUN a b", "RUN c:\\", "RUN d"]
        );
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        assert_eq!(joined("\u{feff}# escape=`\nRUN a `\nb"), ["RUN a b"]);
    }

    #[test]
    fn bytes_of_another_encoding_are_replaced_one_by_one() {
        let mut lines = Lines::new(b"# \xe4\nRUN a\nRUN \xe2\x82 \xe4\xc3\xa4").unwrap();
        assert_eq!(lines.logical().unwrap().unwrap().text, "RUN a");
        let text = lines.logical().unwrap().unwrap().text;
        assert_eq!(text, "RUN \u{fffd}\u{fffd} \u{fffd}\u{e4}");
    }
}
