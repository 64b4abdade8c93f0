//! Entries for tests: a short way to write one, and a strategy for arbitrary ones.

use proptest::prelude::*;

use super::{Entry, Kind, Limits, Reader, Whole, Writer, Xattrs};
use crate::time::Timestamp;

/// A plain entry.
pub(crate) fn entry(path: &str, kind: Kind) -> Entry {
    Entry {
        path: path.into(),
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::EPOCH,
        len_bytes: 0,
        xattrs: Xattrs::new(),
    }
}

/// A file with content.
pub(super) fn file(path: &str, content: &[u8]) -> (Entry, Vec<u8>) {
    let len_bytes = content.len() as u64;
    (Entry { len_bytes, ..entry(path, Kind::File) }, content.to_vec())
}

/// The archive of some members.
pub(super) fn archive(members: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in members {
        writer.append(entry, &content[..]).unwrap();
    }
    writer.finish().unwrap()
}

/// Everything in an archive.
pub(super) fn read_all(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, super::Error> {
    let mut reader = Reader::buffered(archive, Limits::default(), Whole::ByMarker);
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        let read = std::io::Read::read_to_end(&mut reader.content(), &mut content);
        read.map_err(|source| super::Error::Content { path: entry.path.clone(), source })?;
        assert_eq!(content.len() as u64, entry.len_bytes);
        members.push((entry, content));
    }
    Ok(members)
}

/// The names in an archive.
pub(super) fn names(archive: &[u8]) -> Result<Vec<String>, super::Error> {
    let name = |(entry, _): (Entry, _)| String::from_utf8_lossy(&entry.path).into_owned();
    Ok(read_all(archive)?.into_iter().map(name).collect())
}

/// A name or target: mostly plain, sometimes long, sometimes any bytes.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(1_u8.., 1..300);
    prop_oneof![
        "[a-z]{1,8}(/[a-z .]{1,8}){0,3}x".prop_map(String::into_bytes),
        "[a-z]{1,60}(/[a-z]{1,60}){0,9}".prop_map(String::into_bytes),
        "\\PC{1,40}".prop_map(String::into_bytes),
        bytes,
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => Just(Kind::File),
        1 => Just(Kind::Directory),
        1 => Just(Kind::Fifo),
        1 => text().prop_map(|target| Kind::Symlink { target }),
        1 => text().prop_map(|target| Kind::HardLink { target }),
        1 => (0..0x1000_u32, 0..0x10_0000_u32)
            .prop_map(|(major, minor)| Kind::CharDevice { major, minor }),
        1 => (0..0x1000_u32, 0..0x10_0000_u32)
            .prop_map(|(major, minor)| Kind::BlockDevice { major, minor }),
    ]
}

fn mtime() -> impl Strategy<Value = Timestamp> {
    let seconds =
        prop_oneof![0..2_000_000_000_i64, -9_999_999_999..9_999_999_999_i64, any::<i64>()];
    let nanoseconds = prop_oneof![Just(0), 0..1_000_000_000_u32];
    (seconds, nanoseconds).prop_map(|(seconds, nanoseconds)| Timestamp { seconds, nanoseconds })
}

fn xattrs() -> impl Strategy<Value = Xattrs> {
    let name = prop_oneof!["user\\.[a-z%=235D]{1,8}", "security\\.[a-z]{1,8}"];
    let value = prop::collection::vec(any::<u8>(), 0..64);
    let some = prop::collection::btree_map(name.prop_map(String::into_bytes), value, 1..4);
    prop_oneof![3 => Just(Xattrs::new()), 1 => some]
}

/// Any member that an archive can hold.
pub(super) fn member() -> impl Strategy<Value = (Entry, Vec<u8>)> {
    let id = || prop_oneof![0..70_000_u32, 0..u32::MAX];
    let content = prop::collection::vec(any::<u8>(), 0..1600);
    (text(), kind(), 0..0o10_000_u32, id(), id(), mtime(), xattrs(), content).prop_map(
        |(mut path, kind, mode, uid, gid, mtime, xattrs, content)| {
            while path.last() == Some(&b'/') {
                path.pop();
            }
            if path.is_empty() || kind == Kind::Directory {
                path.push(if kind == Kind::Directory { b'/' } else { b'x' });
            }
            let content = if kind == Kind::File { content } else { Vec::new() };
            let len_bytes = content.len() as u64;
            (Entry { path, kind, mode, uid, gid, mtime, len_bytes, xattrs }, content)
        },
    )
}

/// One raw header with its body, as the `tar` crate lays it out: for what our
/// writer would never write.
pub(super) struct Raw {
    pub(super) header: ::tar::Header,
    pub(super) body: Vec<u8>,
}

impl Raw {
    /// A ustar header.
    pub(super) fn ustar(typeflag: u8, name: &str, body: &[u8]) -> Self {
        Self::with(::tar::Header::new_ustar(), typeflag, name, body)
    }

    /// A header of GNU's own format.
    pub(super) fn gnu(typeflag: u8, name: &str, body: &[u8]) -> Self {
        Self::with(::tar::Header::new_gnu(), typeflag, name, body)
    }

    /// An extended header of these records.
    pub(super) fn pax(typeflag: u8, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (keyword, value) in records {
            super::records::push_record(&mut body, keyword.as_bytes(), value);
        }
        Self::ustar(typeflag, "PaxHeaders.0/x", &body)
    }

    fn with(mut header: ::tar::Header, typeflag: u8, name: &str, body: &[u8]) -> Self {
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkflag = [typeflag];
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(body.len() as u64);
        Self { header, body: body.to_vec() }
    }

    /// The same with a field set.
    pub(super) fn set(mut self, change: impl FnOnce(&mut ::tar::Header)) -> Self {
        change(&mut self.header);
        self
    }

    /// The blocks.
    pub(super) fn bytes(mut self) -> Vec<u8> {
        self.header.set_cksum();
        let mut bytes = self.header.as_bytes().to_vec();
        bytes.extend_from_slice(&self.body);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }
}

/// An archive of raw members.
pub(super) fn raw(members: impl IntoIterator<Item = Raw>) -> Vec<u8> {
    let mut bytes: Vec<u8> = members.into_iter().flat_map(Raw::bytes).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// What is wrong with an archive that has one member.
pub(super) fn problem(archive: &[u8]) -> super::Problem {
    match read_all(archive) {
        Err(super::Error::Member { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}
