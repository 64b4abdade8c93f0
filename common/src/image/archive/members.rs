//! The members of an archive in a file: where each lies, links resolved.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt as _;

use super::bytes::Kept;
use crate::image::Error;
use crate::tar::{self, Entry, Kind};

/// A docker archive has three members a layer, and a layout one a blob.
const MAX_MEMBERS: usize = 100_000;
/// All names and link targets together.
const MAX_NAMES_LEN_BYTES: usize = 16 * 1024 * 1024;
/// Enough for a header with its extensions, and little to throw away at the next member.
const BUFFER_LEN_BYTES: usize = 2048;
/// Of a stream, everything is read.
const STREAM_BUFFER_LEN_BYTES: usize = 256 * 1024;
/// Links to links.
const MAX_LINKS: usize = 16;

/// Consecutive bytes of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) start: u64,
    pub(super) len_bytes: u64,
}

impl Section {
    pub(super) fn reader(self, file: &File) -> impl Read + '_ {
        At { file, position: self.start }.take(self.len_bytes)
    }
}

#[derive(Debug)]
enum Member {
    File(Section),
    /// Another member's name, normalised.
    Link(Vec<u8>),
}

/// What an archive holds, by normalised name; of several with one name the last.
#[derive(Debug, Default)]
pub(super) struct Members {
    found: HashMap<Vec<u8>, Member>,
    /// All names and link targets together.
    names_len: usize,
}

impl Members {
    /// Finds the members by their headers; their content is not read.
    pub(super) fn of(file: &File) -> Result<Self, Error> {
        let reading = |source| Error::Io { what: "archive".into(), source };
        let len_bytes = file.metadata().map_err(reading)?.len();
        if len_bytes == 0 {
            return Err(Error::NotAnArchive("it is empty".into()));
        }
        let mut members = Self::default();
        let mut position = 0;
        loop {
            // A reader of its own for every member: it frames strictly, and what
            // lies between two headers is stepped over instead of read.
            let consumed = Cell::new(0);
            let at = BufReader::with_capacity(BUFFER_LEN_BYTES, At { file, position });
            let counted = Counted { inner: at, consumed: &consumed };
            let limits = tar::Limits::default();
            // What is used of it has a digest, and what is cut off is missed.
            let mut reader = tar::Reader::buffered(counted, limits, tar::Whole::ByDigest);
            let Some(entry) = reader.next_entry().map_err(Error::Tar)? else { break };
            let sparse = reader.content().is_sparse();
            let start = position + consumed.get();
            let content = Section { start, len_bytes: entry.len_bytes };
            let end = start.saturating_add(entry.len_bytes);
            if end > len_bytes {
                return Err(Error::Truncated { member: entry.path });
            }
            position = end.next_multiple_of(512);
            members.add(entry, content, sparse)?;
        }
        Ok(members)
    }

    /// As [`Members::of`], of a stream that is read to its end once; `ended` is told when
    /// the archive in it ends. With them what is kept of them, and where the last one ends.
    pub(super) fn of_stream(
        stream: impl Read,
        ended: impl FnOnce(),
    ) -> Result<(Self, Kept, u64), Error> {
        let (mut members, mut kept, mut end) = (Self::default(), Kept::default(), 0);
        let consumed = Cell::new(0);
        let inner = BufReader::with_capacity(STREAM_BUFFER_LEN_BYTES, stream);
        let counted = Counted { inner, consumed: &consumed };
        let mut reader =
            tar::Reader::buffered(counted, tar::Limits::default(), tar::Whole::ByDigest);
        while let Some(entry) = reader.next_entry().map_err(Error::Tar)? {
            let sparse = reader.content().is_sparse();
            let content = Section { start: consumed.get(), len_bytes: entry.len_bytes };
            let is_file = matches!(entry.kind, Kind::File);
            let path = entry.path.clone();
            members.add(entry, content, sparse)?;
            if is_file {
                let reading =
                    |source| Error::Io { what: crate::name::show(&path).to_string(), source };
                kept.take(content, reader.content()).map_err(reading)?;
                end = content.start.saturating_add(content.len_bytes);
            }
        }
        ended();
        if consumed.get() == 0 {
            return Err(Error::NotAnArchive("it is empty".into()));
        }
        // One that holds nothing is not waited for: it may have no end.
        if !members.found.is_empty() {
            reader.finish().map_err(Error::Tar)?;
        }
        Ok((members, kept, end))
    }

    fn add(&mut self, entry: Entry, content: Section, sparse: bool) -> Result<(), Error> {
        let name = normalise(&entry.path);
        self.names_len += entry.path.len();
        let member = match entry.kind {
            Kind::File if sparse => {
                let path = crate::name::show(&entry.path);
                return Err(Error::NotAnArchive(format!("{path}: a sparse member")));
            }
            Kind::File => Member::File(content),
            Kind::Symlink { target } => {
                self.names_len += target.len();
                Member::Link(beside(&name, &target))
            }
            Kind::HardLink { target } => {
                self.names_len += target.len();
                Member::Link(normalise(&target))
            }
            _ => return Ok(()),
        };
        self.found.insert(name, member);
        if self.found.len() > MAX_MEMBERS || self.names_len > MAX_NAMES_LEN_BYTES {
            return Err(Error::NotAnArchive("too many members".into()));
        }
        Ok(())
    }

    /// The file of this name, links followed within the archive.
    pub(super) fn get(&self, name: &[u8]) -> Option<Section> {
        let mut name = normalise(name);
        for _ in 0..MAX_LINKS {
            match self.found.get(&name)? {
                Member::File(section) => return Some(*section),
                Member::Link(target) => name.clone_from(target),
            }
        }
        None
    }
}

/// The name without `.`, `..` and superfluous slashes; nothing is above the top.
fn normalise(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

/// What a symbolic link at `name` to `target` means.
fn beside(name: &[u8], target: &[u8]) -> Vec<u8> {
    match name.iter().rposition(|&byte| byte == b'/') {
        Some(slash) if !target.starts_with(b"/") => {
            let folder = name.get(..slash).unwrap_or_default();
            normalise(&[folder, b"/", target].concat())
        }
        _ => normalise(target),
    }
}

/// A file read from a position of its own.
#[derive(Debug)]
pub(super) struct At<'f> {
    file: &'f File,
    position: u64,
}

impl<'f> At<'f> {
    pub(super) fn new(file: &'f File, position: u64) -> Self {
        Self { file, position }
    }
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(buffer, self.position)?;
        self.position += len as u64;
        Ok(len)
    }
}

/// Counts what has been consumed, which the buffer's own position does not tell.
#[derive(Debug)]
struct Counted<'c, R> {
    inner: R,
    consumed: &'c Cell<u64>,
}

impl<R: BufRead> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.consumed.set(self.consumed.get() + len as u64);
        Ok(len)
    }
}

impl<R: BufRead> BufRead for Counted<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, len: usize) {
        self.inner.consume(len);
        self.consumed.set(self.consumed.get() + len as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::{Members, beside, normalise};
    use std::io::Write as _;

    #[test]
    fn names_cannot_leave_the_archive() {
        assert_eq!(normalise(b"./a//b/../c"), b"a/c");
        assert_eq!(normalise(b"/../../x"), b"x");
        assert_eq!(beside(b"2/layer.tar", b"../1/layer.tar"), b"1/layer.tar");
        assert_eq!(beside(b"layer.tar", b"x/y"), b"x/y");
    }

    #[test]
    fn links_are_followed_and_the_last_of_a_name_counts() {
        let mut builder = ::tar::Builder::new(Vec::new());
        let mut add = |name: &str, kind, link: Option<&str>, content: &[u8]| {
            let mut header = ::tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            match link {
                Some(target) => builder.append_link(&mut header, name, target).unwrap(),
                None => builder.append_data(&mut header, name, content).unwrap(),
            }
        };
        use ::tar::EntryType::{Link, Regular, Symlink};
        let long = format!("{}/layer.tar", "d".repeat(150));
        add("a", Regular, None, b"old");
        add("a", Regular, None, b"new!");
        add(&long, Regular, None, &[7; 1000]);
        add("2/layer.tar", Symlink, Some(&format!("../{long}")), b"");
        add("3/layer.tar", Link, Some("2/layer.tar"), b"");
        add("loop", Symlink, Some("loop"), b"");
        add("z", Regular, None, b"z");
        let archive = builder.into_inner().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&archive).unwrap();
        let members = Members::of(&file).unwrap();
        let read = |name: &[u8]| {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut members.get(name)?.reader(&file), &mut bytes).unwrap();
            Some(bytes)
        };
        assert_eq!(read(b"a").unwrap(), b"new!");
        assert_eq!(read(b"3/layer.tar").unwrap(), [7; 1000]);
        assert_eq!(read(b"./z").unwrap(), b"z");
        assert_eq!(read(b"loop"), None);
        file.set_len(1538).unwrap();
        assert!(Members::of(&file).is_err());
    }
}
