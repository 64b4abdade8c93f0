//! Files of the cache that are read on every build: numbers and byte strings one
//! after the other, a magic in front and a checksum behind. What is not whole, or
//! of another version, is not there.

use std::io;
use std::path::Path;

use crate::cache;
use crate::digest::Digest;
use crate::document;

/// Length of the checksum, in hexadecimal.
const SUM_LEN: usize = 64;

/// The longest of them: some millions of files.
const MAX_LEN_BYTES: u64 = 1 << 30;

/// Appends a byte string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

/// Bytes that are taken from the front.
#[derive(Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl Cursor<'_> {
    /// An array.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    /// A number.
    pub fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let len = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes.to_vec())
    }
}

/// Writes a file that appears whole or not at all.
///
/// # Errors
/// A place that cannot be written.
pub fn write_summed(path: &Path, magic: &[u8; 8], body: &[u8]) -> io::Result<()> {
    cache::write(path, &[magic, body, Digest::of(body).hex().as_bytes()])
}

/// The body of a file that [`write_summed`] wrote.
#[must_use]
pub fn read_summed(path: &Path, magic: &[u8; 8]) -> Option<Vec<u8>> {
    let mut bytes = document::found(path, MAX_LEN_BYTES).ok()?;
    let body = bytes.strip_prefix(magic)?;
    let (body, sum) = body.split_at_checked(body.len().checked_sub(SUM_LEN)?)?;
    if Digest::of(body).hex().as_bytes() != sum {
        return None;
    }
    let len = body.len();
    bytes.drain(..magic.len());
    bytes.truncate(len);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{read_summed, write_summed};

    #[test]
    fn only_whole_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        write_summed(&path, b"magic--1", b"body").unwrap();
        assert_eq!(read_summed(&path, b"magic--1").unwrap(), b"body");
        assert_eq!(read_summed(&path, b"magic--2"), None);
        let whole = std::fs::read(&path).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(read_summed(&path, b"magic--1"), None);
        }
    }
}
