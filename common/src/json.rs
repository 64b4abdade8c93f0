//! Names and text in JSON, and JSON as tools print it.
//!
//! What is printed may end on a terminal or in a log, piped or not: characters that could
//! drive a terminal or reorder a line are written as `\uXXXX`, which to a program is the
//! same text.
//!
//! A name is text nearly always. Where it is not UTF-8, its text has U+FFFD in
//! place of what is none, and the bytes themselves go beside it in base64.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::terminal::is_unsafe;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `value` on one line, without its end.
///
/// # Errors
/// A map with keys that are no text.
pub fn line(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(escaped)
}

/// `value` on lines of their own, indented, without the last one's end.
///
/// # Errors
/// As [`line()`].
pub fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(escaped)
}

/// Escapes characters in strings that JSON itself would leave. Of the control characters
/// below U+0020 there are only the newlines between its values.
pub(crate) fn escaped(json: String) -> String {
    let is_safe = |character: char| character == '\n' || !is_unsafe(character);
    if json.chars().all(is_safe) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_safe(character) {
            text.push(character);
        } else {
            // All of them have four digits. Writing to a string does not fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        }
    }
    text
}

/// Adds `name` under `key`, and as `KEY_base64` too where it is not UTF-8.
pub fn insert_name(object: &mut Map<String, Value>, key: &str, name: &[u8]) {
    let text = String::from_utf8_lossy(name);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        object.insert(format!("{key}_base64"), base64(name).into());
    }
    object.insert(key.to_owned(), text.into());
}

/// Base64 with padding (RFC 4648, section 4).
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, index| {
            bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0))
        });
        for index in 0..4_usize {
            let sextet = (bits >> (18 - 6 * index)) & 0x3f;
            let character = ALPHABET.get(sextet as usize).filter(|_| index <= chunk.len());
            text.push(character.map_or('=', |&byte| byte.into()));
        }
    }
    text
}

/// The bytes of base64 as in RFC 4648, section 4, with the padding optional: bsdtar leaves it out.
#[must_use]
pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|&byte| byte != b'=').map_or(0, |last| last + 1);
    let (digits, padding) = text.split_at(end);
    if padding.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut decoded = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &digit in group {
            bits = bits << 6 | sextet(digit)?;
        }
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        decoded.extend(bytes.iter().skip(1).take(group.len() * 6 / 8));
    }
    Some(decoded)
}

fn sextet(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::{base64, from_base64, insert_name, line, pretty};
    use serde_json::{Map, json};

    #[test]
    fn what_drives_a_terminal_is_escaped_and_reads_back() {
        let text: String = (0..0x300).chain(0x2000..0x2100).filter_map(char::from_u32).collect();
        let value = json!({ "\u{9b}key": [text] });
        for printed in [line(&value).unwrap(), pretty(&value).unwrap()] {
            let is_safe = |character| character == '\n' || !crate::terminal::is_unsafe(character);
            assert!(printed.chars().all(is_safe), "{printed}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
        }
        assert_eq!(line(&json!("\u{202e}\u{7f}é\n")).unwrap(), "\"\\u202e\\u007fé\\n\"");
    }

    #[test]
    fn base64_matches_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn names_that_are_not_text_come_twice() {
        let mut object = Map::new();
        insert_name(&mut object, "path", "é".as_bytes());
        assert_eq!(object.len(), 1);
        insert_name(&mut object, "path", b"\xff");
        assert_eq!(object["path"], "\u{fffd}");
        assert_eq!(object["path_base64"], "/w==");
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9vYg==", b"foob")]
        {
            assert_eq!(from_base64(text.as_bytes()).as_deref(), Some(bytes), "{text}");
        }
        for bad in ["Z", "Zg===", "Z=g=", "Zm9v\n", "Zm9vZ"] {
            assert_eq!(from_base64(bad.as_bytes()), None, "{bad}");
        }
    }
}
