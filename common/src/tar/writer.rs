//! Writes an archive: the same entries give the same bytes, everywhere.
//!
//! A member is a ustar header; an extended header goes before it only where the
//! ustar fields cannot hold what the entry has, and then with nothing in it that
//! depends on who writes, where or when. The choices are those of Go's
//! `archive/tar` (which docker, containerd and umoci write with), so that equal
//! entries have equal digests, with one more: a size that octal cannot hold is
//! in base-256 in the header too, since a reader that knows no `size` record would
//! take the content for headers.

use std::io::{self, Read, Write};

use super::records::{self, Beyond};
use super::{BLOCK_LEN, Block, END_LEN, Entry, Error, Kind, Problem, padding};

/// Output is gathered up to this length: headers, padding and small files go
/// out together, and large ones are read at this length.
const BUFFER_LEN: usize = 256 << 10;

/// An archive being written.
#[derive(Debug)]
pub struct Writer<W> {
    stream: W,
    /// Of fixed length; `filled` bytes of it wait to be written.
    buffer: Vec<u8>,
    filled: usize,
    /// How long the archive is by now.
    len_bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(stream: W) -> Self {
        Self { stream, buffer: vec![0; BUFFER_LEN], filled: 0, len_bytes: 0 }
    }

    /// Writes one member: `content` must have as many bytes as the entry says.
    /// A directory gets the slash at the end of its name that readers expect.
    ///
    /// # Errors
    /// An entry that no archive can hold, before anything of it is written;
    /// content that fails or has another length, and a stream that fails, after
    /// which the archive is worthless.
    pub fn append(&mut self, entry: &Entry, content: impl Read) -> Result<(), Error> {
        self.begin(entry)?;
        self.copy(entry, content)?;
        self.pad(entry.len_bytes)
    }

    /// Writes one member whose content `pass` writes into the stream past this writer, all
    /// before it having been written; where that is not possible it says so, and the
    /// content is copied after all.
    ///
    /// # Errors
    /// Those of [`Writer::append`], and of `pass`.
    pub fn append_past<C: Read, E: From<Error>>(
        &mut self,
        entry: &Entry,
        content: &mut C,
        pass: impl FnOnce(&mut C) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.begin(entry)?;
        self.write_out()?;
        self.stream.flush().map_err(Error::Write)?;
        if pass(content)? {
            self.len_bytes += entry.len_bytes;
        } else {
            self.copy(entry, content)?;
        }
        Ok(self.pad(entry.len_bytes)?)
    }

    /// How long the archive is so far, in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Writes what comes before the content.
    fn begin(&mut self, entry: &Entry) -> Result<(), Error> {
        let with_slash;
        let path = if entry.kind == Kind::Directory && !entry.path.ends_with(b"/") {
            with_slash = [&entry.path[..], b"/"].concat();
            &with_slash
        } else {
            &entry.path
        };
        check(path, entry).map_err(|problem| unwritable(entry, problem))?;
        let (header, beyond) = header(path, entry);
        let records = records::body(path, entry, beyond);
        if !records.is_empty() {
            let block = records_header(path, records.len());
            self.put(&block)?;
            self.put(&records)?;
            self.pad(records.len() as u64)?;
        }
        self.put(&header)
    }

    /// Ends the archive with its two zero blocks and gives the stream back.
    ///
    /// # Errors
    /// A stream that fails.
    pub fn finish(mut self) -> Result<W, Error> {
        self.put(&[0; END_LEN])?;
        self.write_out()?;
        self.stream.flush().map_err(Error::Write)?;
        Ok(self.stream)
    }

    fn copy(&mut self, entry: &Entry, mut content: impl Read) -> Result<(), Error> {
        let expected = entry.len_bytes;
        let mut left = expected;
        while left > 0 {
            if self.filled == self.buffer.len() {
                self.write_out()?;
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let len = usize::try_from(left).map_or(room.len(), |left| left.min(room.len()));
            let len = read(&mut content, room.get_mut(..len).unwrap_or_default())
                .map_err(|source| Error::Content { path: entry.path.clone(), source })?;
            if len == 0 {
                return Err(unwritable(entry, Problem::Short { got: expected - left, expected }));
            }
            self.filled += len;
            self.len_bytes += len as u64;
            left -= len as u64;
        }
        match read(&mut content, &mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(unwritable(entry, Problem::Long { expected })),
            Err(source) => Err(Error::Content { path: entry.path.clone(), source }),
        }
    }

    fn pad(&mut self, len_bytes: u64) -> Result<(), Error> {
        let zeros = [0; BLOCK_LEN];
        let len = usize::try_from(padding(len_bytes)).unwrap_or(0);
        self.put(zeros.get(..len).unwrap_or_default())
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.filled == self.buffer.len() {
                self.write_out()?;
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            for (to, from) in room.iter_mut().zip(now) {
                *to = *from;
            }
            self.filled += now.len();
            self.len_bytes += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<(), Error> {
        let filled = self.buffer.get(..self.filled).unwrap_or_default();
        self.stream.write_all(filled).map_err(Error::Write)?;
        self.filled = 0;
        Ok(())
    }
}

fn read(content: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match content.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn unwritable(entry: &Entry, problem: Problem) -> Error {
    Error::Unwritable { path: entry.path.clone(), problem }
}

/// What our own reader would refuse is not written.
fn check(path: &[u8], entry: &Entry) -> Result<(), Problem> {
    check_text(path, "name")?;
    let has_slash = path.ends_with(b"/");
    if has_slash && entry.kind != Kind::Directory {
        return Err(Problem::Invalid("a slash at the end of a name that is not a directory's"));
    }
    if entry.len_bytes > 0 && entry.kind != Kind::File {
        return Err(Problem::Invalid("content where there can be none"));
    }
    if i64::try_from(entry.len_bytes).is_err() {
        return Err(Problem::OutOfRange("size"));
    }
    if entry.mode > 0o7777 {
        return Err(Problem::OutOfRange("mode"));
    }
    if entry.uid == u32::MAX {
        return Err(Problem::OutOfRange("uid"));
    }
    if entry.gid == u32::MAX {
        return Err(Problem::OutOfRange("gid"));
    }
    if entry.mtime.nanoseconds > 999_999_999 {
        return Err(Problem::OutOfRange("mtime"));
    }
    for name in entry.xattrs.keys() {
        check_text(name, "extended attribute name")?;
    }
    match &entry.kind {
        Kind::Symlink { target } | Kind::HardLink { target } => check_text(target, "link target"),
        Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
            match (*major, *minor) {
                (0..=0xfff, 0..=0xf_ffff) => Ok(()),
                (0..=0xfff, _) => Err(Problem::OutOfRange("device minor number")),
                _ => Err(Problem::OutOfRange("device major number")),
            }
        }
        Kind::File | Kind::Directory | Kind::Fifo => Ok(()),
    }
}

fn check_text(text: &[u8], what: &'static str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty(what));
    }
    if text.contains(&0) { Err(Problem::Nul(what)) } else { Ok(()) }
}

/// The header of an entry, and what did not fit.
fn header(path: &[u8], entry: &Entry) -> (Block, Beyond) {
    let (typeflag, target) = match &entry.kind {
        Kind::File => (b'0', None),
        Kind::HardLink { target } => (b'1', Some(target)),
        Kind::Symlink { target } => (b'2', Some(target)),
        Kind::CharDevice { .. } => (b'3', None),
        Kind::BlockDevice { .. } => (b'4', None),
        Kind::Directory => (b'5', None),
        Kind::Fifo => (b'6', None),
    };
    let split = split(path);
    let mut beyond = Beyond {
        path: split.is_none(),
        target: target.is_some_and(|target| !fits(target, 100)),
        size: entry.len_bytes > octal_limit(12),
        uid: u64::from(entry.uid) > octal_limit(8),
        gid: u64::from(entry.gid) > octal_limit(8),
        mtime: entry.mtime.nanoseconds != 0
            || !u64::try_from(entry.mtime.seconds).is_ok_and(|time| time <= octal_limit(12)),
    };
    let needs_records = beyond.target
        || beyond.size
        || beyond.uid
        || beyond.gid
        || beyond.mtime
        || !entry.xattrs.is_empty();
    // Where there is an extended header anyway, it holds a long name too.
    beyond.path |= needs_records && path.len() > 100;
    let (prefix, name) = if beyond.path { (&[][..], path) } else { split.unwrap_or_default() };

    let mut header = blank(typeflag);
    if let Some(ustar) = header.as_ustar_mut() {
        put_string(&mut ustar.name, name);
        put_string(&mut ustar.prefix, prefix);
        put_string(&mut ustar.linkname, target.map(Vec::as_slice).unwrap_or_default());
        put_octal(&mut ustar.mode, u64::from(entry.mode));
        put_octal(&mut ustar.uid, u64::from(entry.uid));
        put_octal(&mut ustar.gid, u64::from(entry.gid));
        put_octal(&mut ustar.mtime, u64::try_from(entry.mtime.seconds).unwrap_or(0));
        if beyond.size {
            put_base_256(&mut ustar.size, entry.len_bytes);
        } else {
            put_octal(&mut ustar.size, entry.len_bytes);
        }
        let (major, minor) = match entry.kind {
            Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
                (major, minor)
            }
            _ => (0, 0),
        };
        put_octal(&mut ustar.dev_major, u64::from(major));
        put_octal(&mut ustar.dev_minor, u64::from(minor));
    }
    (seal(header), beyond)
}

/// The header of an extended header: nothing but the name and length varies.
fn records_header(path: &[u8], len_bytes: usize) -> Block {
    let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let directory = path.get(..path.len() - base.len()).unwrap_or_default();
    let mut name = [directory, b"PaxHeaders.0/", base].concat();
    name.retain(u8::is_ascii);
    name.truncate(100);
    let end = name.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    let mut header = blank(b'x');
    if let Some(ustar) = header.as_ustar_mut() {
        put_string(&mut ustar.name, name.get(..end).unwrap_or_default());
        put_octal(&mut ustar.size, len_bytes as u64);
    }
    seal(header)
}

/// A ustar header with nothing in it, every number that all types have 0.
fn blank(typeflag: u8) -> ::tar::Header {
    let mut header = ::tar::Header::new_ustar();
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.typeflag = [typeflag];
        for field in [&mut ustar.mode, &mut ustar.uid, &mut ustar.gid] {
            put_octal(field, 0);
        }
        for field in [&mut ustar.size, &mut ustar.mtime] {
            put_octal(field, 0);
        }
    }
    header
}

/// Fills in the checksum: six digits, a NUL and a blank, as POSIX has it.
fn seal(mut header: ::tar::Header) -> Block {
    header.as_old_mut().cksum = *b"        ";
    let sum: u64 = header.as_bytes().iter().copied().map(u64::from).sum();
    let [digits @ .., _] = &mut header.as_old_mut().cksum;
    put_octal(digits, sum);
    *header.as_bytes()
}

/// A name that the ustar fields hold, in prefix and name.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if fits(path, 100) {
        return Some((&[], path));
    }
    if !path.is_ascii() {
        return None;
    }
    // The prefix is as long as it can be; the slash between is not stored, and a
    // slash at the end belongs to the name.
    let searched = path.len().min(156);
    let searched = if searched == path.len() { searched - 1 } else { searched };
    let slash = path.get(..searched)?.iter().rposition(|&byte| byte == b'/')?;
    let (prefix, name) = (path.get(..slash)?, path.get(slash + 1..)?);
    (!prefix.is_empty() && !name.is_empty() && name.len() <= 100).then_some((prefix, name))
}

/// POSIX has nothing but ASCII in a header.
fn fits(text: &[u8], len: usize) -> bool {
    text.len() <= len && text.is_ascii()
}

/// What is in the header for readers that do not know extended headers.
fn put_string(field: &mut [u8], text: &[u8]) {
    let ascii = text.iter().copied().filter(u8::is_ascii);
    for (to, from) in field.iter_mut().zip(ascii) {
        *to = from;
    }
}

/// Digits with leading zeros and a NUL at the end; 0 for what does not fit.
fn put_octal(field: &mut [u8], number: u64) {
    let number = if number > octal_limit(field.len()) { 0 } else { number };
    let Some((end, digits)) = field.split_last_mut() else { return };
    *end = 0;
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left & 7) as u8;
        left >>= 3;
    }
}

fn put_base_256(field: &mut [u8], number: u64) {
    field.fill(0);
    for (to, from) in field.iter_mut().rev().zip(number.to_le_bytes()) {
        *to = from;
    }
    if let Some(first) = field.first_mut() {
        *first = 0x80;
    }
}

/// The largest number that a field of `len` bytes holds in octal.
const fn octal_limit(len: usize) -> u64 {
    (1 << (3 * (len - 1))) - 1
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
