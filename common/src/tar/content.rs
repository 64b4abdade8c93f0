//! The content of one member: its logical bytes, and its holes.

use std::io::{self, BufRead, Read};

use super::source::Source;
use super::sparse::Map;
use super::{Error, Problem, Segment, padding};

/// What a hole reads as, at most this much at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// How far the content of the current member has been read.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Logical bytes read, holes included, and in all.
    position: u64,
    len_bytes: u64,
    /// Bytes that the archive still holds, padding not included.
    stored_left: u64,
    padding: u64,
    sparse: Option<Sparse>,
    /// How many segments [`Content::next_segment`] has told of.
    told: usize,
}

#[derive(Debug)]
struct Sparse {
    segments: Vec<Segment>,
    /// The first segment that does not end at or before the position.
    next: usize,
}

/// What comes at the position, and for how many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Data(u64),
    Hole(u64),
}

impl Body {
    pub(super) fn plain(len_bytes: u64) -> Self {
        Self {
            position: 0,
            len_bytes,
            stored_left: len_bytes,
            padding: padding(len_bytes),
            sparse: None,
            told: 0,
        }
    }

    pub(super) fn sparse(map: Map) -> Self {
        Self {
            position: 0,
            len_bytes: map.len_bytes,
            stored_left: map.stored_bytes,
            padding: padding(map.stored_bytes),
            sparse: Some(Sparse { segments: map.segments, next: 0 }),
            told: 0,
        }
    }

    /// What lies between here and the next header: unread content, and padding.
    pub(super) fn left_in_archive(&self) -> (u64, u64) {
        (self.stored_left, self.padding)
    }

    /// Takes the content for read: only the padding is left.
    pub(super) fn pass_over(&mut self) {
        *self = Self { padding: self.padding, ..Self::default() };
    }

    fn segment(&self) -> Option<Segment> {
        self.sparse.as_ref().and_then(|sparse| sparse.segments.get(sparse.next).copied())
    }

    fn run(&self) -> Run {
        if self.sparse.is_none() {
            return Run::Data(self.len_bytes - self.position);
        }
        match self.segment() {
            Some(segment) if segment.offset <= self.position => {
                Run::Data(segment.offset + segment.len_bytes - self.position)
            }
            Some(segment) => Run::Hole(segment.offset - self.position),
            None => Run::Hole(self.len_bytes - self.position),
        }
    }

    /// Goes `len` bytes on, within the run.
    fn advance(&mut self, len: u64, stored: bool) {
        self.position += len;
        if stored {
            self.stored_left -= len;
        }
        let end = self.segment().map(|segment| segment.offset + segment.len_bytes);
        if let (Some(sparse), true) = (&mut self.sparse, end == Some(self.position)) {
            sparse.next += 1;
        }
    }
}

/// The content of a member, holes read as zeros.
///
/// As a [`BufRead`] it lends the reader's own buffer, so that content goes from
/// there to a file without another copy. Its errors are those of `Read`; a
/// truncated archive is [`io::ErrorKind::UnexpectedEof`] with an [`Error`] inside.
#[derive(Debug)]
pub struct Content<'a, R> {
    source: &'a mut Source<R>,
    body: &'a mut Body,
    path: &'a [u8],
    start: u64,
}

impl<'a, R: BufRead> Content<'a, R> {
    pub(super) fn new(
        source: &'a mut Source<R>,
        body: &'a mut Body,
        path: &'a [u8],
        start: u64,
    ) -> Self {
        Self { source, body, path, start }
    }

    /// Logical bytes that are still to be read.
    #[must_use]
    pub fn left_bytes(&self) -> u64 {
        self.body.len_bytes - self.body.position
    }

    /// Whether the archive stores this file with a map of its holes.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.body.sparse.is_some()
    }

    /// Goes to the next segment of data, past what is unread of the last one that
    /// this gave, and past the hole between. `None` where only a hole is left, or
    /// nothing. What is read next is the segment, then the hole after it: take no
    /// more than [`Segment::len_bytes`].
    ///
    /// A file that is not sparse is one segment.
    ///
    /// # Errors
    /// Those of reading.
    pub fn next_segment(&mut self) -> io::Result<Option<Segment>> {
        let next = |body: &Body| body.sparse.as_ref().map_or(0, |sparse| sparse.next);
        if let (Run::Data(left), true) = (self.body.run(), self.body.told > next(self.body)) {
            let skipped = self.source.skip(left)?;
            self.body.advance(skipped, true);
            if skipped < left {
                return Err(self.truncated());
            }
        }
        if let (Run::Hole(len), true) = (self.body.run(), self.body.segment().is_some()) {
            self.body.advance(len, false);
        }
        Ok(match self.body.run() {
            Run::Data(0) | Run::Hole(_) => None,
            Run::Data(len_bytes) => {
                self.body.told = next(self.body) + 1;
                Some(Segment { offset: self.body.position, len_bytes })
            }
        })
    }

    fn truncated(&self) -> io::Error {
        let (path, offset) = (self.path.to_vec(), self.start);
        Error::Member { path, offset, problem: Problem::Truncated }.into_io()
    }
}

/// As much of `available` as `len` bytes.
fn at_most(available: usize, len: u64) -> usize {
    usize::try_from(len).map_or(available, |len| len.min(available))
}

impl<R: BufRead> BufRead for Content<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.body.run() {
            Run::Data(0) | Run::Hole(0) => Ok(&[]),
            Run::Hole(len) => Ok(ZEROS.get(..at_most(ZEROS.len(), len)).unwrap_or_default()),
            Run::Data(len) => {
                if self.source.fill()?.is_empty() {
                    return Err(self.truncated());
                }
                let available = self.source.fill()?;
                Ok(available.get(..at_most(available.len(), len)).unwrap_or_default())
            }
        }
    }

    fn consume(&mut self, len: usize) {
        match self.body.run() {
            Run::Hole(left) => self.body.advance(left.min(len as u64), false),
            Run::Data(left) => {
                let len = at_most(len, left);
                self.source.consume(len);
                self.body.advance(len as u64, true);
            }
        }
    }
}

impl<R: BufRead> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.body.run() {
            Run::Data(0) | Run::Hole(0) => Ok(0),
            Run::Hole(left) => {
                let len = at_most(buffer.len(), left);
                buffer.get_mut(..len).unwrap_or_default().fill(0);
                self.body.advance(len as u64, false);
                Ok(len)
            }
            Run::Data(left) => {
                let len = at_most(buffer.len(), left);
                let len = self.source.read(buffer.get_mut(..len).unwrap_or_default())?;
                if len == 0 {
                    return Err(self.truncated());
                }
                self.body.advance(len as u64, true);
                Ok(len)
            }
        }
    }
}
