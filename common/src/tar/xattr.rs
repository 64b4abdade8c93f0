//! Extended attributes in records: `SCHILY.xattr.` as star and GNU tar write
//! them, and `LIBARCHIVE.xattr.` as bsdtar does beside them.

use super::{Problem, Xattrs};
use crate::json::from_base64;

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
    let value = from_base64(value).ok_or(malformed)?;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode_gnu, encode_gnu};

    #[test]
    fn names_are_escaped_only_where_they_must_be() {
        assert_eq!(encode_gnu(b"user.50%"), b"SCHILY.xattr.user.50%");
        assert_eq!(encode_gnu(b"user.a=b"), b"SCHILY.xattr.user.a%3Db");
        assert_eq!(encode_gnu(b"user.%25%3D"), b"SCHILY.xattr.user.%2525%253D");
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
