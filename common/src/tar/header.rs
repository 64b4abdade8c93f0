//! One header block: its checksum, its dialect, its raw fields.

use super::field::{self, string};
use super::{Block, Problem};

/// What the magic of a header says about the fields after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// No magic: nothing but the old fields.
    V7,
    /// POSIX: a prefix of the name follows.
    Ustar,
    /// GNU before POSIX: sparse fields follow.
    Gnu,
}

/// A header block whose checksum has been found right.
pub(super) struct Header {
    layout: ::tar::Header,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Header").field("type", &char::from(self.typeflag())).finish_non_exhaustive()
    }
}

/// Whether `block` is one of those that end an archive.
pub(super) fn is_zero(block: &Block) -> bool {
    block.iter().all(|&byte| byte == 0)
}

impl Header {
    /// Takes a block for a header.
    pub(super) fn new(block: &Block) -> Result<Self, Problem> {
        let mut layout = ::tar::Header::new_old();
        layout.as_mut_bytes().copy_from_slice(block);
        let stored = field::number(&layout.as_old().cksum, "checksum");
        // Some old writers summed signed bytes, and every reader accepts both.
        let (unsigned, signed) = sums(block, &layout.as_old().cksum);
        match stored {
            Ok(sum) if sum == unsigned || sum == signed => Self { layout }.check_prefix(),
            _ => Err(Problem::Checksum),
        }
    }

    /// Readers differ on a prefix where there should be none: Python takes it for
    /// part of the name everywhere, Go in a GNU header if it cannot be the times
    /// that belong there (its own writer was wrong before 1.8), the others nowhere.
    /// Headers of Go's writer are read as docker reads them, and no others are.
    fn check_prefix(self) -> Result<Self, Problem> {
        let clear = match self.dialect() {
            Dialect::Ustar => true,
            Dialect::Gnu => !self.has_no_times() || self.go_prefix().is_some(),
            Dialect::V7 => string(self.prefix()).is_empty(),
        };
        let problem = Problem::Ambiguous("a prefix to the name in a header that has none");
        if clear { Ok(self) } else { Err(problem) }
    }

    /// Whether what is in the place of GNU's times is none.
    fn has_no_times(&self) -> bool {
        let is_time = |range| {
            let time = self.prefix().get(range);
            time.is_some_and(|time| field::number(time, "time of access").is_ok())
        };
        !is_time(0..12) || !is_time(12..24)
    }

    /// The prefix that Go before 1.8 put into a GNU header: the directories of a name that
    /// is too long for its field, with nothing but zeros after it.
    fn go_prefix(&self) -> Option<&[u8]> {
        if self.dialect() != Dialect::Gnu || !self.has_no_times() {
            return None;
        }
        let field = self.layout.as_old().pad.get(88..).unwrap_or_default();
        let prefix = string(field);
        let is_text = prefix.iter().all(|byte| (b' '..0x7f).contains(byte));
        let is_alone = field.iter().skip(prefix.len()).all(|&byte| byte == 0);
        // A name that its field holds has no prefix.
        let name = string(&self.layout.as_old().name);
        let is_long = prefix.len() + 1 + name.len() > self.layout.as_old().name.len();
        (!prefix.is_empty() && is_text && is_alone && is_long).then_some(prefix)
    }

    /// The prefix of the name follows the device numbers: bytes 345 to 499 of the block.
    fn prefix(&self) -> &[u8] {
        self.layout.as_old().pad.get(88..243).unwrap_or_default()
    }

    pub(super) fn dialect(&self) -> Dialect {
        // The version after the magic is not compared: Perl's Archive::Tar
        // writes a blank there, and all readers take it for ustar.
        let pad = &self.layout.as_old().pad;
        if pad.starts_with(b"ustar\0") {
            Dialect::Ustar
        } else if self.layout.as_gnu().is_some() {
            Dialect::Gnu
        } else {
            Dialect::V7
        }
    }

    pub(super) fn typeflag(&self) -> u8 {
        let [flag] = self.layout.as_old().linkflag;
        flag
    }

    /// The name, with the prefix where there is one.
    pub(super) fn path(&self) -> Vec<u8> {
        let old = self.layout.as_old();
        let name = string(&old.name);
        let prefix = match self.dialect() {
            Dialect::Ustar => string(self.prefix()),
            Dialect::Gnu => self.go_prefix().unwrap_or_default(),
            Dialect::V7 => b"",
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        let mut path = Vec::with_capacity(prefix.len() + 1 + name.len());
        path.extend_from_slice(prefix);
        path.push(b'/');
        path.extend_from_slice(name);
        path
    }

    pub(super) fn link_target(&self) -> &[u8] {
        string(&self.layout.as_old().linkname)
    }

    /// The length of what is stored after the header, unless a record overrides it.
    pub(super) fn size(&self) -> Result<u64, Problem> {
        field::unsigned(&self.layout.as_old().size, "size")
    }

    /// Permission bits: some writers put the file type beside them.
    pub(super) fn mode(&self) -> Result<u32, Problem> {
        let mode = field::unsigned(&self.layout.as_old().mode, "mode")?;
        u32::try_from(mode).map(|mode| mode & 0o7777).map_err(|_| Problem::OutOfRange("mode"))
    }

    pub(super) fn uid(&self) -> Result<u64, Problem> {
        field::unsigned(&self.layout.as_old().uid, "uid")
    }

    pub(super) fn gid(&self) -> Result<u64, Problem> {
        field::unsigned(&self.layout.as_old().gid, "gid")
    }

    /// Whole seconds.
    pub(super) fn mtime(&self) -> Result<i64, Problem> {
        field::number(&self.layout.as_old().mtime, "mtime")
    }

    /// Major and minor number. Both dialects that have them have them here.
    pub(super) fn device(&self) -> Result<(u64, u64), Problem> {
        if self.dialect() == Dialect::V7 {
            return Err(Problem::Invalid("a device without device numbers"));
        }
        let pad = &self.layout.as_old().pad;
        let major = field::unsigned(pad.get(72..80).unwrap_or_default(), "device major number")?;
        let minor = field::unsigned(pad.get(80..88).unwrap_or_default(), "device minor number")?;
        Ok((major, minor))
    }

    /// The sparse fields of the old GNU format.
    pub(super) fn gnu(&self) -> Option<&::tar::GnuHeader> {
        self.layout.as_gnu()
    }

    /// Whether those fields are in use: libarchive obeys them whatever the type.
    pub(super) fn has_gnu_map(&self) -> bool {
        self.go_prefix().is_none()
            && self.gnu().is_some_and(|gnu| {
                let [first, ..] = &gnu.sparse;
                !first.offset.starts_with(&[0]) || !gnu.realsize.starts_with(&[0])
            })
    }
}

/// The sums of all bytes, unsigned and signed, with the checksum field as blanks.
fn sums(block: &Block, checksum: &[u8]) -> (i64, i64) {
    let blanks = i64::from(b' ') * checksum.len() as i64;
    let unsigned = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let high = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte >= 0x80).count() as i64;
    let sum = i64::from(unsigned(block)) - i64::from(unsigned(checksum)) + blanks;
    (sum, sum - 256 * (high(block) - high(checksum)))
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Header};
    use crate::tar::Problem;

    fn block(header: &mut ::tar::Header) -> [u8; 512] {
        header.set_cksum();
        *header.as_bytes()
    }

    #[test]
    fn a_changed_bit_fails_the_checksum() {
        let mut good = block(&mut ::tar::Header::new_ustar());
        assert!(Header::new(&good).is_ok());
        good[5] ^= 1;
        assert_eq!(Header::new(&good).unwrap_err(), Problem::Checksum);
    }

    #[test]
    fn a_signed_checksum_is_accepted() {
        let mut header = ::tar::Header::new_ustar();
        header.as_old_mut().name[0] = 0xe9;
        let mut bytes = block(&mut header);
        let sum = header.cksum().unwrap() - 256;
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(Header::new(&bytes).is_ok());
    }

    #[test]
    fn the_prefix_belongs_to_ustar_alone() {
        let fill = |mut header: ::tar::Header, prefix: &[u8]| {
            header.as_old_mut().name[..4].copy_from_slice(b"name");
            header.as_old_mut().pad[88..88 + prefix.len()].copy_from_slice(prefix);
            Header::new(&block(&mut header))
        };
        let ustar = fill(::tar::Header::new_ustar(), b"pre").unwrap();
        assert_eq!((ustar.path().as_slice(), ustar.dialect()), (&b"pre/name"[..], Dialect::Ustar));
        let gnu = fill(::tar::Header::new_gnu(), b"14000000000 14000000000 ").unwrap();
        assert_eq!((gnu.path().as_slice(), gnu.dialect()), (&b"name"[..], Dialect::Gnu));
        let old = fill(::tar::Header::new_old(), b"").unwrap();
        assert_eq!((old.path().as_slice(), old.dialect()), (&b"name"[..], Dialect::V7));
        assert!(fill(::tar::Header::new_gnu(), b"pre").is_err());
        // Go before 1.8 wrote this, of a name that is longer than its field.
        let directories = "directory/".repeat(11);
        let go = fill(::tar::Header::new_gnu(), directories.trim_end_matches('/').as_bytes());
        let go = go.unwrap();
        assert_eq!(go.path(), [directories.as_bytes(), b"name"].concat());
        assert!(!go.has_gnu_map());
        let mut odd = directories.clone().into_bytes();
        odd[5] = 0xe9;
        assert!(fill(::tar::Header::new_gnu(), &odd).is_err());
        odd[5] = 0;
        assert!(fill(::tar::Header::new_gnu(), &odd).is_err());
        assert!(fill(::tar::Header::new_old(), b"pre").is_err());
    }
}
