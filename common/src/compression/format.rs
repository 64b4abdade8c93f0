//! The formats, and how each begins.

use std::fmt;
use std::io::{self, Read};
use std::ops::RangeInclusive;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Not at all.
    None,
    /// gzip, also as estargz.
    Gzip,
    /// Zstandard, also as zstd:chunked.
    Zstd,
    /// xz; read only.
    Xz,
    /// bzip2; read only.
    Bzip2,
}

/// How many bytes [`Format::detect`] wants.
pub(super) const MAGIC_LEN: usize = 10;

impl Format {
    /// The name, as options and messages have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// The levels it is written at, from quick to small; none if it has none, or is
    /// only read.
    #[must_use]
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::Gzip => Some(1..=9),
            Self::Zstd => Some(1..=19),
            Self::None | Self::Xz | Self::Bzip2 => None,
        }
    }

    /// The format of a stream that begins with `start`. What is none of them is
    /// taken for a plain stream.
    #[must_use]
    pub fn detect(start: &[u8]) -> Self {
        match start {
            // The method is always deflate.
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // A block or the end of the stream follows: a tar archive may well
            // begin with a file named BZh9.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => {
                Self::Bzip2
            }
            _ => Self::None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads as much of a stream's beginning as there is, up to what tells formats apart.
pub(super) fn read_magic(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(MAGIC_LEN);
    stream.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn formats_are_told_by_their_magic() {
        for (start, format) in [
            (&b"\x1f\x8b\x08\0"[..], Format::Gzip),
            (b"\x1f\x8b\x00\0", Format::None),
            (b"\x28\xb5\x2f\xfd", Format::Zstd),
            (b"\x53\x2a\x4d\x18\x04", Format::Zstd),
            (b"\xfd7zXZ\0\0\x04", Format::Xz),
            (b"BZh91AY&SY", Format::Bzip2),
            (b"BZh9\x17\x72\x45\x38\x50\x90", Format::Bzip2),
            (b"BZh9-notes.txt", Format::None),
            (b"usr/bin/", Format::None),
            (b"\x1f", Format::None),
            (b"", Format::None),
        ] {
            assert_eq!(Format::detect(start), format, "{start:?}");
        }
    }
}
