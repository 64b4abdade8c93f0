//! Tar archives as layers use them: entries, a reader and a writer.
//!
//! Follows POSIX pax(1) ("pax Interchange Format", "ustar Interchange Format"),
//! the GNU tar manual ("Basic Tar Format", "Sparse Formats") and image-spec
//! layer.md. The `tar` crate gives the layout of a header block and is an oracle
//! in the tests; framing, extended headers and sparse maps are ours, since a
//! layer comes from anywhere and two readers that frame it differently see two
//! different trees.
//!
//! What readers of the field disagree on is settled here:
//!
//! - a member that two of them would frame or name differently is refused, not
//!   guessed at: two different `x` headers in a row, an `L` name and a `path` record that
//!   differ, a global `size`, a sparse map or records that go on after their end;
//! - other global (`g`) records are checked and ignored, as docker and
//!   containerd do;
//! - links, directories, devices and pipes have no content whatever their size
//!   field says (Go, Python and libarchive agree, and so does POSIX, where a symbolic
//!   link has size 0 and no blocks follow the others; GNU tar skips the size of all
//!   but hard links and directories). A hard link whose size is followed by no header
//!   has content, as POSIX allows;
//! - `SCHILY.xattr.` names have `%3D` and `%25` for `=` and `%`, as GNU tar
//!   writes them; `LIBARCHIVE.xattr.` records are read too. An empty value is an
//!   attribute with an empty value. Textual ACLs (`SCHILY.acl.*`) and
//!   `RHT.security.selinux` are ignored: layers carry the binary attributes;
//! - a type that Linux cannot make or that no layer holds (multi-volume parts,
//!   dump directories, volume labels, vendor types) is refused by name.

mod content;
mod entry;
mod error;
mod field;
mod foreign;
mod header;
mod image;
mod limits;
mod member;
mod pax;
mod reader;
mod records;
mod source;
mod sparse;
#[cfg(test)]
pub(crate) mod testing;
mod writer;
mod xattr;

pub use content::Content;
pub use entry::{Entry, Kind, Xattrs};
pub use error::{Error, Problem};
pub use limits::Limits;
pub use reader::{Reader, Whole};
pub use sparse::Segment;
pub use writer::Writer;

/// Headers and content come in blocks of this many bytes.
pub(crate) const BLOCK_LEN: usize = 512;

/// What an archive ends with: two blocks of zeros.
pub(crate) const END_LEN: usize = 2 * BLOCK_LEN;

/// One block.
type Block = [u8; BLOCK_LEN];

/// How many bytes of padding follow `len_bytes` bytes of content.
const fn padding(len_bytes: u64) -> u64 {
    len_bytes.wrapping_neg() % BLOCK_LEN as u64
}
