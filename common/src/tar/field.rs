//! The fields of a header block: numbers in octal or base-256, and strings.
//!
//! The `tar` crate reads these too, but ignores the high bytes of a base-256
//! number, knows no sign, and takes a `+` for part of an octal number.

use super::Problem;

/// A number: octal digits between blanks, or base-256 where the first byte is
/// 0x80 (positive) or 0xff (negative). An empty field is 0, as all readers agree.
pub(super) fn number(field: &[u8], name: &'static str) -> Result<i64, Problem> {
    match field.split_first() {
        Some((0x80, rest)) => base_256(0, rest).ok_or(Problem::OutOfRange(name)),
        Some((0xff, rest)) => base_256(-1, rest).ok_or(Problem::OutOfRange(name)),
        _ => octal(field).ok_or(Problem::Malformed(name)),
    }
}

/// A number that cannot be negative.
pub(super) fn unsigned(field: &[u8], name: &'static str) -> Result<u64, Problem> {
    u64::try_from(number(field, name)?).map_err(|_| Problem::OutOfRange(name))
}

fn base_256(sign: i64, bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(sign, |value, &byte| value.checked_mul(256)?.checked_add(i64::from(byte)))
}

fn octal(field: &[u8]) -> Option<i64> {
    // GNU tar and Go read on past a NUL at the start; to everybody else it is the end. Where
    // there is nothing but zeros, they agree.
    if field.starts_with(b"\0") {
        return field.iter().all(|byte| b"\x000 ".contains(byte)).then_some(0);
    }
    let digits = string(field).trim_ascii();
    digits.iter().try_fold(0_i64, |value, &byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// The bytes before the first NUL.
pub(super) fn string(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{number, string, unsigned};
    use crate::tar::Problem;

    #[test]
    fn octal_is_read_between_blanks() {
        for field in ["0000644\0", "   644 \0", "644", "644\0\0", "644 \0", "644\0junk"] {
            assert_eq!(number(field.as_bytes(), "mode"), Ok(0o644), "{field:?}");
        }
        assert_eq!(number(b"\0\0\0", "mode"), Ok(0));
        assert_eq!(number(b"   ", "mode"), Ok(0));
        assert_eq!(number(b"\x00000000\0", "uid"), Ok(0));
        assert_eq!(number(b"77777777777\0", "size"), Ok(0o77_777_777_777));
    }

    #[test]
    fn what_is_not_octal_is_malformed() {
        for field in ["+644", "-1", "\x00644", "8", "0x10", "6 4", "64a", "6.4", "\u{e9}"] {
            assert_eq!(number(field.as_bytes(), "mode"), Err(Problem::Malformed("mode")));
        }
        assert_eq!(number(&[0x81, 0, 0, 0], "uid"), Err(Problem::Malformed("uid")));
    }

    #[test]
    fn base_256_has_a_sign_and_a_range() {
        assert_eq!(number(&[0x80, 0, 0, 1, 0], "size"), Ok(256));
        assert_eq!(number(&[0xff; 12], "mtime"), Ok(-1));
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xfe, 0], "mtime"), Ok(-512));
        assert_eq!(unsigned(&[0xff; 12], "size"), Err(Problem::OutOfRange("size")));
        // The `tar` crate reads this as 1.
        let high = [0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(number(&high, "size"), Err(Problem::OutOfRange("size")));
        let most = [0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(number(&most, "size"), Ok(i64::MAX));
    }

    #[test]
    fn strings_end_at_a_nul_or_at_the_field() {
        assert_eq!(string(b"abc\0def"), b"abc");
        assert_eq!(string(b"abc"), b"abc");
        assert_eq!(string(b"\0abc"), b"");
    }
}
