//! Extended attributes in records: `SCHILY.xattr.` as star and GNU tar write
//! them, and `LIBARCHIVE.xattr.` as bsdtar does beside them.

use super::{Problem, Xattrs};

/// The record keyword for an attribute. GNU tar's escapes are used only where
/// the name could not be read back without them, so that readers which know no
/// escapes (Go's) see most names as they are.
pub(super) fn encode_gnu(name: &[u8]) -> Vec<u8> {
    let mut keyword = b"SCHILY.xattr.".to_vec();
    for (index, &byte) in name.iter().enumerate() {
        let after = name.get(index + 1..).unwrap_or_default();
        match byte {
            b'=' => keyword.extend_from_slice(b"%3D"),
            b'%' if after.starts_with(b"3D") || after.starts_with(b"25") => {
                keyword.extend_from_slice(b"%25");
            }
            _ => keyword.push(byte),
        }
    }
    keyword
}

/// The name in a `SCHILY.xattr.` keyword: `%3D` is `=` and `%25` is `%`.
pub(super) fn decode_gnu(mut name: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(name.len());
    while let Some((&byte, rest)) = name.split_first() {
        let (byte, rest) = match (byte, rest) {
            (b'%', [b'3', b'D', rest @ ..]) => (b'=', rest),
            (b'%', [b'2', b'5', rest @ ..]) => (b'%', rest),
            plain => plain,
        };
        decoded.push(byte);
        name = rest;
    }
    decoded
}

/// Adds a `LIBARCHIVE.xattr.` record: a percent-encoded name and a value in base64.
///
/// bsdtar writes each attribute in both forms with the same encoded name, so the
/// twin gives way to the name fully decoded. Its value counts, as it is the one
/// that the other readers know.
pub(super) fn merge_libarchive(
    xattrs: &mut Xattrs,
    name: &[u8],
    value: &[u8],
) -> Result<(), Problem> {
    let malformed = Problem::Malformed("LIBARCHIVE.xattr record");
    let decoded = percent_decode(name).ok_or_else(|| malformed.clone())?;
    let value = base64(value).ok_or(malformed)?;
    let value = xattrs.remove(&decode_gnu(name)).unwrap_or(value);
    xattrs.entry(decoded).or_insert(value);
    Ok(())
}

fn percent_decode(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    while let Some((&byte, rest)) = text.split_first() {
        text = rest;
        if byte == b'%' {
            let (&[high, low], rest) = text.split_first_chunk()?;
            let digit = |byte: u8| char::from(byte).to_digit(16);
            decoded.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
            text = rest;
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

/// Base64 of RFC 4648, section 4, with the padding optional: bsdtar leaves it out.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
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
    use proptest::prelude::*;

    use super::{base64, decode_gnu, encode_gnu};

    #[test]
    fn names_are_escaped_only_where_they_must_be() {
        assert_eq!(encode_gnu(b"user.50%"), b"SCHILY.xattr.user.50%");
        assert_eq!(encode_gnu(b"user.a=b"), b"SCHILY.xattr.user.a%3Db");
        assert_eq!(encode_gnu(b"user.%25%3D"), b"SCHILY.xattr.user.%2525%253D");
    }

    #[test]
    fn base64_matches_known_values() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zg", b"f"), ("Zm8", b"fo"), ("Zm9vYg==", b"foob")]
        {
            assert_eq!(base64(text.as_bytes()).as_deref(), Some(bytes), "{text}");
        }
        for bad in ["Z", "Zg===", "Z=g=", "Zm9v\n", "Zm9vZ"] {
            assert_eq!(base64(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn escaped_names_read_back(name in "[a-z.=%235D]{0,24}") {
            let keyword = encode_gnu(name.as_bytes());
            let encoded = keyword.strip_prefix(b"SCHILY.xattr.").unwrap();
            prop_assert!(!encoded.contains(&b'='));
            prop_assert_eq!(decode_gnu(encoded), name.as_bytes());
        }
    }
}
