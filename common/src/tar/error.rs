//! What is wrong with an archive, and where.

use std::io;

use crate::human::count;
use crate::name::show;

/// An archive that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream under the archive failed.
    #[error("cannot read the archive at byte {offset}")]
    Read {
        /// Where, in the uncompressed stream.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The stream is something else.
    #[error("not a tar archive: it is {0}")]
    NotAnArchive(&'static str),
    /// The archive of an image, where a layer is expected.
    #[error("an archive of images, not a layer")]
    Image,
    /// A member, or the place where one should be, is not as it must be.
    #[error("{}{problem} (archive member at byte {offset})", prefix(path))]
    Member {
        /// Its name, as far as it is known.
        path: Vec<u8>,
        /// Where its first header is, in the uncompressed stream.
        offset: u64,
        /// What is wrong.
        problem: Problem,
    },
    /// An entry that no archive can hold.
    #[error("{}{problem}", prefix(path))]
    Unwritable {
        /// Its name.
        path: Vec<u8>,
        /// What is wrong.
        problem: Problem,
    },
    /// The content for an entry cannot be read.
    #[error("{}cannot read its content", prefix(path))]
    Content {
        /// The entry's name.
        path: Vec<u8>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}

fn prefix(path: &[u8]) -> String {
    if path.is_empty() { String::new() } else { format!("{}: ", show(path)) }
}

impl Error {
    /// The error as `Read` and `BufRead` must give it.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Read { source, .. } => source,
            Self::Member { problem: Problem::Truncated, .. } => {
                io::Error::new(io::ErrorKind::UnexpectedEof, self)
            }
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// What is wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The stream ends inside it.
    #[error("the archive is truncated")]
    Truncated,
    /// The stream ends where a member or the end-of-archive marker must be.
    #[error("the archive ends without its end-of-archive marker")]
    NoEnd,
    /// Not a header, or a damaged one.
    #[error("not a tar header: its checksum does not match")]
    Checksum,
    /// A field that does not parse.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A field beyond what Linux can represent.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A name or target without a byte.
    #[error("empty {0}")]
    Empty(&'static str),
    /// A name or target that ends early for whoever reads C strings.
    #[error("{0} contains a NUL byte")]
    Nul(&'static str),
    /// Two statements that readers resolve differently.
    #[error("ambiguous: {0}")]
    Ambiguous(&'static str),
    /// A type that is not ours to make.
    #[error("unsupported member type {}", TypeFlag(*.0))]
    Type(u8),
    /// A combination that no format knows.
    #[error("{0}")]
    Invalid(&'static str),
    /// A bound of [`Limits`](super::Limits).
    #[error("{what}: more than the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// Extended headers with nothing to extend.
    #[error("an extended header without a member")]
    Dangling,
    /// Less content than the entry says.
    #[error("content ends after {got} of {}", count(*.expected, "byte", "bytes"))]
    Short {
        /// Bytes there were.
        got: u64,
        /// Bytes there had to be.
        expected: u64,
    },
    /// More content than the entry says.
    #[error("content is longer than {}", count(*.expected, "byte", "bytes"))]
    Long {
        /// Bytes there had to be.
        expected: u64,
    },
}

/// A type flag, with its meaning where it is known.
struct TypeFlag(u8);

impl std::fmt::Display for TypeFlag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}'", show(&[self.0]))?;
        match self.0 {
            b'A' => f.write_str(" (Solaris access control list)"),
            b'D' => f.write_str(" (GNU dump directory)"),
            b'M' => f.write_str(" (continued from another volume)"),
            b'N' => f.write_str(" (old GNU long names)"),
            b'V' => f.write_str(" (GNU volume label)"),
            _ => Ok(()),
        }
    }
}
