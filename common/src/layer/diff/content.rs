//! The content of a file: opened when first read, or read beforehand, and the same
//! file from its first byte to its last, or an error.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::Error;
use super::stack::Place;
use crate::layer::inode::{self, Inode};
use crate::stream::Pipe;
use crate::tar;

/// A file that is to be read once.
#[derive(Debug)]
pub(super) struct FileContent {
    place: Place,
    label: Vec<u8>,
    /// What the file was when its metadata were read, where that is known.
    expected: Option<Inode>,
    len_bytes: u64,
    state: State,
    /// Why reading failed: what passes through `io::Error` loses its path.
    failure: Option<Error>,
}

#[derive(Debug)]
enum State {
    Unopened,
    Open {
        file: File,
        at_open: Option<Inode>,
        read_bytes: u64,
    },
    /// All of it was read: what is left of it is in this part of these bytes.
    Held {
        bytes: Arc<Vec<u8>>,
        left: Range<usize>,
    },
    Finished,
}

impl FileContent {
    /// The content at `place`, of `len_bytes` bytes. `expected` are its metadata;
    /// `None` where those that count are another inode's.
    pub(super) fn new(
        place: Place,
        label: Vec<u8>,
        expected: Option<Inode>,
        len_bytes: u64,
    ) -> Self {
        // There is nothing to read of an empty file, nor a half of it to get.
        let is_empty = len_bytes == 0 && expected.is_some();
        let state = if is_empty { State::Finished } else { State::Unopened };
        Self { place, label, expected, len_bytes, state, failure: None }
    }

    /// How long it is to be.
    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Whether both keep the same directory open.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.place.directory().as_raw_fd() == other.place.directory().as_raw_fd()
    }

    /// Reads all of it to the end of `bytes`, and closes it. Where that fails, whoever
    /// reads it is told, and `bytes` are as they were.
    pub(super) fn read_ahead(&mut self, bytes: &mut Vec<u8>) -> Range<usize> {
        let start = bytes.len();
        bytes.resize(start + usize::try_from(self.len_bytes).unwrap_or(0), 0);
        let room = bytes.get_mut(start..).unwrap_or_default();
        // The read after the last says whether it is what it was.
        let read = fill(self, room).and_then(|_| self.read_some(&mut [0]));
        if let Err(failure) = read {
            self.failure = Some(failure);
            bytes.truncate(start);
        }
        start..bytes.len()
    }

    /// From now on it is read from `bytes`, where [`FileContent::read_ahead`] put it.
    pub(super) fn hold(&mut self, bytes: Arc<Vec<u8>>, part: Range<usize>) {
        self.state = State::Held { bytes, left: part };
    }

    /// Why reading failed, if it did.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            match &mut self.state {
                State::Unopened => self.open()?,
                State::Open { file, at_open, read_bytes } => {
                    // The last bytes and what comes after them: nothing, if the
                    // file is still what it was.
                    let left = self.len_bytes - *read_bytes;
                    if left > 0 {
                        let len = usize::try_from(left)
                            .map_or(buffer.len(), |left| buffer.len().min(left));
                        let buffer = buffer.get_mut(..len).unwrap_or_default();
                        match file.read(buffer) {
                            Ok(0) if !buffer.is_empty() => return Err(self.unstable()),
                            Ok(len) => {
                                *read_bytes += len as u64;
                                return Ok(len);
                            }
                            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                            Err(error) => return Err(Error::read(self.label.clone(), error)),
                        }
                        continue;
                    }
                    let before = self.expected.or(*at_open);
                    check(file, before, self.len_bytes, &self.label)?;
                    self.state = State::Finished;
                }
                State::Held { bytes, left } => {
                    let from = bytes.get(left.clone()).unwrap_or_default();
                    let len = from.len().min(buffer.len());
                    if let (Some(to), Some(from)) = (buffer.get_mut(..len), from.get(..len)) {
                        to.copy_from_slice(from);
                    }
                    left.start += len;
                    return Ok(len);
                }
                State::Finished => return Ok(0),
            }
        }
    }

    fn open(&mut self) -> Result<(), Error> {
        let failed = |errno: Errno| Error::read(self.label.clone(), errno);
        let fd = inode::open_file(self.place.directory(), self.place.name());
        let fd: OwnedFd = fd.map_err(failed)?;
        let at_open = match self.expected {
            Some(_) => None,
            None => Some(inode::inode(fd.as_fd(), b"").map_err(failed)?),
        };
        if at_open.is_some_and(|found| found.kind != FileType::RegularFile) {
            return Err(self.unstable());
        }
        self.state = State::Open { file: fd.into(), at_open, read_bytes: 0 };
        Ok(())
    }

    /// Whether nothing of it was read, beforehand neither.
    pub(super) fn is_unread(&self) -> bool {
        matches!(self.state, State::Unopened)
    }

    /// Passes all of it into a pipe; whether it is the same file to its end, the result
    /// will tell. `None` if it can only be read.
    pub(super) fn pass(&mut self, pipe: &Pipe) -> Result<Option<Passed>, Error> {
        self.open()?;
        let State::Open { file, at_open, .. } = &self.state else { return Ok(None) };
        let mut left = self.len_bytes;
        while left > 0 {
            match pipe.pass(file.as_fd(), left) {
                Ok(0) => return Err(self.unstable()),
                Ok(len) => left -= len.min(left),
                Err(error) => {
                    return match error.kind() {
                        io::ErrorKind::BrokenPipe | io::ErrorKind::WouldBlock => {
                            Err(tar::Error::Write(error).into())
                        }
                        // Reading works, or tells of what is wrong.
                        _ if left == self.len_bytes => Ok(None),
                        _ => Err(Error::read(self.label.clone(), error)),
                    };
                }
            }
        }
        let before = self.expected.or(*at_open);
        let state = std::mem::replace(&mut self.state, State::Finished);
        let State::Open { file, .. } = state else { return Ok(None) };
        Ok(Some(Passed { file, before, len_bytes: self.len_bytes, label: self.label.clone() }))
    }

    fn unstable(&self) -> Error {
        Error::Unstable { path: self.label.clone() }
    }
}

/// A file that is in a pipe.
#[derive(Debug)]
pub(super) struct Passed {
    file: File,
    before: Option<Inode>,
    len_bytes: u64,
    label: Vec<u8>,
}

impl Passed {
    /// Whether it is what it was, now that it is out of the pipe.
    pub(super) fn check(&self) -> Result<(), Error> {
        check(&self.file, self.before, self.len_bytes, &self.label)
    }
}

/// Whether a file is what it was when it was first looked at.
fn check(file: &File, before: Option<Inode>, len_bytes: u64, label: &[u8]) -> Result<(), Error> {
    let now =
        inode::inode(file.as_fd(), b"").map_err(|errno| Error::read(label.to_vec(), errno))?;
    if before.is_none_or(|before| is_other(&before, &now)) || now.len_bytes != len_bytes {
        return Err(Error::Unstable { path: label.to_vec() });
    }
    Ok(())
}

/// Whether a file was replaced or written to. A name more or less, which also
/// sets its ctime, changes nothing of its content; nor does the permission to read it,
/// which its owner has to be lent.
fn is_other(before: &Inode, now: &Inode) -> bool {
    before.id != now.id
        || before.len_bytes != now.len_bytes
        || before.mtime != now.mtime
        || (before.ctime != now.ctime && before.links == now.links && before.mode & 0o400 != 0)
}

impl Read for FileContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(failure) = &self.failure {
            return Err(io::Error::other(failure.to_string()));
        }
        self.read_some(buffer).map_err(|failure| {
            let error = io::Error::other(failure.to_string());
            self.failure = Some(failure);
            error
        })
    }
}

/// Whether two files of the same length hold the same bytes; they are read through
/// `left` and `right`, which are of the same length too.
///
/// # Errors
/// What keeps either from being read.
pub(super) fn are_equal(
    one: &mut FileContent,
    other: &mut FileContent,
    left: &mut [u8],
    right: &mut [u8],
) -> Result<bool, Error> {
    loop {
        let len = fill(one, left)?;
        if fill(other, right)? != len {
            return Ok(false);
        }
        if left.get(..len) != right.get(..len) {
            return Ok(false);
        }
        if len < left.len() {
            return Ok(true);
        }
    }
}

fn fill(content: &mut FileContent, buffer: &mut [u8]) -> Result<usize, Error> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match content.read_some(room)? {
            0 => break,
            len => filled += len,
        }
    }
    Ok(filled)
}
