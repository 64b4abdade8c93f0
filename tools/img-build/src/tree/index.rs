//! The members of an archive without their contents, and the digest of each
//! content: what a tree needs to know of a layer. Kept in the cache by DiffID,
//! so that a layer is read through once.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::compression::{Decoder, Growth, MaxSize};
use common::digest::{Digest, Hashing};
use common::image::Layer;
use common::store::Store;
use common::tar::{self, Entry, Kind, Whole, Xattrs};
use common::time::Timestamp;

use super::Archive;
use super::content::{At, is_plain, spool};
use crate::codec::{Cursor, put_bytes, read_summed, write_summed};
use crate::error::Error;

/// Changes whenever the bytes of an index mean something else.
const MAGIC: &[u8; 8] = b"luindex1";

/// A member and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) entry: Entry,
    /// Of its first header.
    pub(crate) position: u64,
    /// Of its content, if it is a file.
    pub(crate) digest: Option<Digest>,
}

/// The members of an archive, and the archive to read their contents from.
pub(crate) type Scanned = (Vec<Member>, Arc<Archive>);

/// Where layers are read, and how far they may grow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) store: &'a Arc<Store>,
    /// Where derived data may be kept.
    pub(crate) cache: Option<&'a Path>,
    pub(crate) max_size: MaxSize,
}

/// The members of a layer, and the archive to read them from.
pub(crate) fn of_layer(reading: Reading<'_>, layer: &Layer) -> Result<Scanned, Error> {
    let Reading { store, cache, max_size } = reading;
    let growth = max_size.growth(Some(layer.descriptor.len_bytes));
    let failed = |source| Error::Layer { layer: layer.descriptor.digest.clone(), source };
    let path = cache.map(|dir| dir.join("names").join(layer.diff_id.0.hex()));
    let cached = path.as_deref().and_then(load);
    let members = match cached {
        Some(members) => members,
        None => {
            let blob = store.blob(&layer.descriptor)?;
            let inflated = Hashing::new(Decoder::new(blob, growth.clone()).map_err(failed)?);
            let (members, inflated) =
                scan(inflated, growth.clone(), Whole::ByDigest).map_err(failed)?;
            let (_, digest, _) = inflated.finish();
            if digest != layer.diff_id.0 {
                return Err(Error::DiffId { expected: layer.diff_id.clone(), actual: digest });
            }
            if let Some(path) = path {
                // A cache that cannot be written costs time only.
                let _ = save(&path, &members);
            }
            members
        }
    };
    let archive = match plain_file(store.blob_path(&layer.descriptor.digest)) {
        Some(file) => Archive::new(file),
        None => Archive::of_layer(Arc::clone(store), layer.clone(), growth),
    };
    Ok((members, Arc::new(archive)))
}

/// A blob that is a plain archive, open.
fn plain_file(path: PathBuf) -> Option<fs::File> {
    let file = fs::File::open(path).ok()?;
    let mut start = Vec::new();
    At { file: file.try_clone().ok()?, position: 0 }.take(16).read_to_end(&mut start).ok()?;
    is_plain(&start).then_some(file)
}

/// The members of a local archive (ADD), in any compression.
pub(crate) fn of_archive(stream: impl Read, growth: Growth) -> io::Result<Scanned> {
    let mut decoder = Decoder::new(stream, growth)?;
    let file = spool(&mut decoder)?;
    let growth = decoder.growth().afresh();
    // docker reads archives without a marker, and a context is the user's own.
    let (members, _) = scan(At { file: file.try_clone()?, position: 0 }, growth, Whole::Assumed)?;
    Ok((members, Arc::new(Archive::new(file))))
}

/// `growth` counts the holes, too: a file's content is hashed and copied with them.
fn scan<R: Read>(stream: R, mut growth: Growth, whole: Whole) -> io::Result<(Vec<Member>, R)> {
    let mut reader = tar::Reader::new(stream, tar::Limits::default(), whole);
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

fn save(path: &Path, members: &[Member]) -> io::Result<()> {
    let mut bytes = Vec::new();
    for member in members {
        encode(&mut bytes, member);
    }
    write_summed(path, MAGIC, &bytes)
}

/// `None` for anything but a whole index of ours: it is made again.
fn load(path: &Path) -> Option<Vec<Member>> {
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
