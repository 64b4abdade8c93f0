//! The members of a layer without their contents, and the digest of each content: what
//! [`crate::layer::tree`] needs to know of it. Kept in a file, so that a layer is read
//! through once.

use std::io::{self, Read};
use std::path::Path;

use crate::codec::{Cursor, put_bytes, read_summed, write_summed};
use crate::compression::Growth;
use crate::digest::{Digest, Hashing};
use crate::tar::{self, Entry, Kind, Whole, Xattrs};
use crate::time::Timestamp;

/// Changes whenever the bytes of an index mean something else.
const MAGIC: &[u8; 8] = b"luindex1";

/// A member and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its headers.
    pub entry: Entry,
    /// Of its first header.
    pub position: u64,
    /// Of its content, if it is a file.
    pub digest: Option<Digest>,
}

/// Reads the members of an uncompressed archive, and gives the stream back. `growth`
/// counts the holes, too: a file's content is hashed and copied with them.
///
/// # Errors
/// A stream that fails, an archive that is malformed or grows too large.
pub fn scan<R: Read>(stream: R, mut growth: Growth, whole: Whole) -> io::Result<(Vec<Member>, R)> {
    // ADD unpacks archives of images as any other.
    let mut reader = tar::Reader::new(stream, tar::Limits::default(), whole).taking_any();
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(io::Error::other)? {
        growth.add(entry.len_bytes).map_err(io::Error::other)?;
        let position = reader.position();
        let digest = match entry.kind {
            Kind::File => {
                let mut hashing = Hashing::new(reader.content());
                io::copy(&mut hashing, &mut io::sink())?;
                Some(hashing.finish().1)
            }
            _ => None,
        };
        members.push(Member { entry, position, digest });
    }
    let stream = reader.finish().map_err(io::Error::other)?.into_inner();
    Ok((members, stream))
}

/// Keeps the members of a layer.
///
/// # Errors
/// A place that cannot be written.
pub fn save(path: &Path, members: &[Member]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for member in members {
        encode(&mut bytes, member);
    }
    write_summed(path, MAGIC, &bytes)
}

/// The members that [`save`] kept; `None` for anything but a whole index of ours.
#[must_use]
pub fn load(path: &Path) -> Option<Vec<Member>> {
    let bytes = read_summed(path, MAGIC)?;
    let mut rest = Cursor(&bytes);
    let mut members = Vec::new();
    while !rest.0.is_empty() {
        members.push(decode(&mut rest)?);
    }
    Some(members)
}

fn encode(out: &mut Vec<u8>, member: &Member) {
    let bytes = put_bytes;
    let entry = &member.entry;
    let (tag, major, minor, target): (u8, u32, u32, &[u8]) = match &entry.kind {
        Kind::File => (0, 0, 0, b""),
        Kind::Directory => (1, 0, 0, b""),
        Kind::Symlink { target } => (2, 0, 0, target),
        Kind::HardLink { target } => (3, 0, 0, target),
        Kind::CharDevice { major, minor } => (4, *major, *minor, b""),
        Kind::BlockDevice { major, minor } => (5, *major, *minor, b""),
        Kind::Fifo => (6, 0, 0, b""),
    };
    out.push(tag);
    for number in [major, minor, entry.mode, entry.uid, entry.gid, entry.mtime.nanoseconds] {
        out.extend(number.to_le_bytes());
    }
    out.extend(entry.mtime.seconds.to_le_bytes());
    out.extend(entry.len_bytes.to_le_bytes());
    out.extend(member.position.to_le_bytes());
    bytes(out, &entry.path);
    bytes(out, target);
    bytes(out, member.digest.as_ref().map(Digest::to_string).unwrap_or_default().as_bytes());
    out.extend((entry.xattrs.len() as u64).to_le_bytes());
    for (name, value) in &entry.xattrs {
        bytes(out, name);
        bytes(out, value);
    }
}

fn decode(rest: &mut Cursor<'_>) -> Option<Member> {
    let [tag] = rest.array()?;
    let mut numbers = [0; 6];
    for number in &mut numbers {
        *number = u32::from_le_bytes(rest.array()?);
    }
    let [major, minor, mode, uid, gid, nanoseconds] = numbers;
    let seconds = i64::from_le_bytes(rest.array()?);
    let len_bytes = rest.number()?;
    let position = rest.number()?;
    let path = rest.bytes()?;
    let target = rest.bytes()?;
    let digest = match rest.bytes()?.as_slice() {
        b"" => None,
        text => Some(std::str::from_utf8(text).ok()?.parse().ok()?),
    };
    let mut xattrs = Xattrs::new();
    for _ in 0..rest.number()? {
        xattrs.insert(rest.bytes()?, rest.bytes()?);
    }
    let kind = match tag {
        0 => Kind::File,
        1 => Kind::Directory,
        2 => Kind::Symlink { target },
        3 => Kind::HardLink { target },
        4 => Kind::CharDevice { major, minor },
        5 => Kind::BlockDevice { major, minor },
        6 => Kind::Fifo,
        _ => return None,
    };
    let mtime = Timestamp { seconds, nanoseconds };
    let entry = Entry { path, kind, mode, uid, gid, mtime, len_bytes, xattrs };
    Some(Member { entry, position, digest })
}

#[cfg(test)]
mod tests {
    use super::{Digest, Entry, Kind, Member, Timestamp, decode, encode};
    use crate::codec::Cursor;

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let entry = Entry {
            path: b"a/\xff".to_vec(),
            kind: Kind::CharDevice { major: 1, minor: 3 },
            mode: 0o4755,
            uid: 1,
            gid: u32::MAX - 1,
            mtime: Timestamp { seconds: -5, nanoseconds: 7 },
            len_bytes: 9,
            xattrs: [(b"user.x".to_vec(), b"\0".to_vec())].into(),
        };
        let member = Member { entry, position: 1 << 40, digest: Some(Digest::of(b"x")) };
        let mut bytes = Vec::new();
        encode(&mut bytes, &member);
        assert_eq!(decode(&mut Cursor(&bytes)).unwrap(), member);
        for len in 0..bytes.len() {
            assert_eq!(decode(&mut Cursor(&bytes[..len])), None);
        }
    }
}
