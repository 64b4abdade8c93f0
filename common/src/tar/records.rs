//! Extended header records, as the writer emits them.

use super::xattr;
use super::{Entry, Kind};
use crate::time::Timestamp;

/// Appends `LEN KEYWORD=VALUE\n`, where LEN counts its own digits.
pub(super) fn push_record(body: &mut Vec<u8>, keyword: &[u8], value: &[u8]) {
    let rest = keyword.len() + value.len() + 3;
    let mut len = rest + digits(rest);
    if digits(len) > digits(rest) {
        len += 1;
    }
    body.extend_from_slice(len.to_string().as_bytes());
    body.push(b' ');
    body.extend_from_slice(keyword);
    body.push(b'=');
    body.extend_from_slice(value);
    body.push(b'\n');
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Which of an entry's properties its header cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beyond {
    pub(super) path: bool,
    pub(super) target: bool,
    pub(super) size: bool,
    pub(super) uid: bool,
    pub(super) gid: bool,
    pub(super) mtime: bool,
}

/// The body of the extended header, sorted by keyword; empty where none is needed.
pub(super) fn body(path: &[u8], entry: &Entry, beyond: Beyond) -> Vec<u8> {
    let mut body = Vec::new();
    let mut xattrs: Vec<_> =
        entry.xattrs.iter().map(|(name, value)| (xattr::encode_gnu(name), value)).collect();
    xattrs.sort();
    for (keyword, value) in xattrs {
        push_record(&mut body, &keyword, value);
    }
    if beyond.gid {
        push_record(&mut body, b"gid", entry.gid.to_string().as_bytes());
    }
    let target = match &entry.kind {
        Kind::Symlink { target } | Kind::HardLink { target } if beyond.target => Some(target),
        _ => None,
    };
    let path = beyond.path.then_some(path);
    // POSIX has records in UTF-8 unless they say otherwise; libarchive and Python
    // would convert, or warn about, names that are not.
    let is_binary = |text: &[u8]| std::str::from_utf8(text).is_err();
    if path.is_some_and(is_binary) || target.is_some_and(|target| is_binary(target)) {
        push_record(&mut body, b"hdrcharset", b"BINARY");
    }
    if let Some(target) = target {
        push_record(&mut body, b"linkpath", target);
    }
    if beyond.mtime {
        push_record(&mut body, b"mtime", time(entry.mtime).as_bytes());
    }
    if let Some(path) = path {
        push_record(&mut body, b"path", path);
    }
    if beyond.size {
        push_record(&mut body, b"size", entry.len_bytes.to_string().as_bytes());
    }
    if beyond.uid {
        push_record(&mut body, b"uid", entry.uid.to_string().as_bytes());
    }
    body
}

/// Seconds and as many digits of a fraction as there are.
fn time(time: Timestamp) -> String {
    let (sign, seconds, nanoseconds) = match (time.seconds, time.nanoseconds) {
        (seconds, 0) => return seconds.to_string(),
        // Rounded down, so that -5.5 is -6 and half a second more.
        (seconds @ i64::MIN..0, nanoseconds) => {
            ("-", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds)
        }
        (seconds, nanoseconds) => ("", seconds.unsigned_abs(), nanoseconds),
    };
    let text = format!("{sign}{seconds}.{nanoseconds:09}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{push_record, time};
    use crate::time::Timestamp;

    #[test]
    fn a_record_counts_its_own_length() {
        for value_len in 0..1100 {
            let mut body = Vec::new();
            push_record(&mut body, b"k", &vec![b'v'; value_len]);
            let text = String::from_utf8(body.clone()).unwrap();
            let (len, _) = text.split_once(' ').unwrap();
            assert_eq!(len.parse::<usize>().unwrap(), body.len());
        }
    }

    #[test]
    fn times_are_written_with_the_digits_they_have() {
        let text = |seconds, nanoseconds| time(Timestamp { seconds, nanoseconds });
        assert_eq!(text(12, 0), "12");
        assert_eq!(text(12, 500_000_000), "12.5");
        assert_eq!(text(12, 1), "12.000000001");
        assert_eq!(text(-6, 500_000_000), "-5.5");
        assert_eq!(text(-1, 999_999_999), "-0.000000001");
        assert_eq!(text(-5, 0), "-5");
        assert_eq!(text(i64::MIN, 0), "-9223372036854775808");
    }
}
