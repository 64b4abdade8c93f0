//! Extended header records (`x`): their framing, and what they say of a member.
//!
//! POSIX pax(1), "pax Extended Header": `LEN KEYWORD=VALUE\n`, where LEN counts
//! the whole record. The length alone frames a record, since a value may hold
//! any byte, and of records with one keyword the last counts.

use super::sparse::Records as SparseRecords;
use super::xattr;
use super::{Problem, Xattrs};
use crate::time::Timestamp;

/// What the records before a member say of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) dev_major: Option<u64>,
    pub(super) dev_minor: Option<u64>,
    pub(super) xattrs: Xattrs,
    pub(super) sparse: SparseRecords,
}

impl Extended {
    /// Reads all records of one extended header.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let mut extended = Self::default();
        let mut libarchive = Vec::new();
        for record in records(body) {
            let (keyword, value) = record?;
            if let Some(name) = keyword.strip_prefix(b"SCHILY.xattr.") {
                extended.xattrs.insert(xattr::decode_gnu(name), value.to_vec());
            } else if let Some(name) = keyword.strip_prefix(b"LIBARCHIVE.xattr.") {
                libarchive.push((name, value));
            } else if let Some(name) = keyword.strip_prefix(b"GNU.sparse.") {
                extended.sparse.record(name, value)?;
            } else {
                extended.standard(keyword, value)?;
            }
        }
        for (name, value) in libarchive {
            xattr::merge_libarchive(&mut extended.xattrs, name, value)?;
        }
        if extended.xattrs.contains_key(&[][..]) {
            return Err(Problem::Empty("extended attribute name"));
        }
        if extended.xattrs.keys().any(|name| name.contains(&0)) {
            return Err(Problem::Nul("extended attribute name"));
        }
        Ok(extended)
    }

    /// An empty value takes back what an earlier record said.
    fn standard(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), Problem> {
        match keyword {
            b"path" => self.path = text(value, "name")?,
            b"linkpath" => self.linkpath = text(value, "link target")?,
            b"size" => self.size = number(value, "size")?,
            b"uid" => self.uid = number(value, "uid")?,
            b"gid" => self.gid = number(value, "gid")?,
            b"mtime" if value.is_empty() => self.mtime = None,
            b"mtime" => self.mtime = Some(time(value).ok_or(Problem::Malformed("mtime"))?),
            b"SCHILY.devmajor" => self.dev_major = number(value, "device major number")?,
            b"SCHILY.devminor" => self.dev_minor = number(value, "device minor number")?,
            // Names and numbers are enough; whatever else there is (atime, ctime,
            // uname, gname, comment, hdrcharset, vendors' own) changes no layer.
            _ => {}
        }
        Ok(())
    }
}

/// Checks a global header, which applies to all that follows, and ignores it.
///
/// docker and containerd ignore them. A `size` or a sparse map in one would make
/// readers that honour it frame every later member otherwise.
pub(super) fn check_global(body: &[u8]) -> Result<(), Problem> {
    for record in records(body) {
        let (keyword, _) = record?;
        if keyword == b"size" || keyword.starts_with(b"GNU.sparse.") {
            return Err(Problem::Ambiguous("a global header that sets sizes"));
        }
    }
    Ok(())
}

/// Splits a header's body into keywords and values.
pub(super) fn records(
    body: &[u8],
) -> impl Iterator<Item = Result<(&[u8], &[u8]), Problem>> + use<'_> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match record(rest) {
            Some((keyword, value, after)) => {
                rest = after;
                Some(Ok((keyword, value)))
            }
            None => {
                rest = &[];
                Some(Err(Problem::Malformed("extended header record")))
            }
        }
    })
}

/// The first record: keyword, value, and what comes after it.
fn record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = body.iter().take(20).position(|&byte| byte == b' ')?;
    let len = usize::try_from(decimal(body.get(..blank)?)?).ok()?;
    let after = body.get(len..)?;
    let line = body.get(blank + 1..len)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|&byte| byte == b'=')?;
    let (keyword, value) = (line.get(..equals)?, line.get(equals + 1..)?);
    (!keyword.is_empty()).then_some((keyword, value, after))
}

/// Decimal digits and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

fn number(value: &[u8], name: &'static str) -> Result<Option<u64>, Problem> {
    if value.is_empty() {
        return Ok(None);
    }
    // Every reader takes these for signed 64-bit numbers.
    match decimal(value) {
        Some(number) if i64::try_from(number).is_ok() => Ok(Some(number)),
        Some(_) => Err(Problem::OutOfRange(name)),
        None => Err(Problem::Malformed(name)),
    }
}

fn text(value: &[u8], name: &'static str) -> Result<Option<Vec<u8>>, Problem> {
    if value.contains(&0) {
        return Err(Problem::Nul(name));
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

/// Seconds with an optional fraction, rounded down to a nanosecond.
fn time(value: &[u8]) -> Option<Timestamp> {
    let (negative, magnitude) = match value.strip_prefix(b"-") {
        Some(magnitude) => (true, magnitude),
        None => (false, value),
    };
    let mut parts = magnitude.splitn(2, |&byte| byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let mut nanoseconds =
        digits.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
    if !negative {
        return Some(Timestamp { seconds, nanoseconds });
    }
    let beyond = fraction.get(9..).unwrap_or_default();
    nanoseconds += u32::from(beyond.iter().any(|&digit| digit != b'0'));
    Some(if nanoseconds == 0 {
        Timestamp { seconds: -seconds, nanoseconds: 0 }
    } else {
        Timestamp { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds }
    })
}

#[cfg(test)]
#[path = "pax_tests.rs"]
mod tests;
