//! Bytes in JSON, which knows only text.
//!
//! A name is text nearly always. Where it is not UTF-8, its text has U+FFFD in
//! place of what is none, and the bytes themselves go beside it in base64.

use serde_json::{Map, Value};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

#[cfg(test)]
mod tests {
    use super::{base64, insert_name};
    use serde_json::Map;

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
}
