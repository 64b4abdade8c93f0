//! Reads an archive member by member, from any stream, in bounded memory.

use std::io::{self, BufRead, BufReader, Read, Seek};

use super::content::{Body, Content};
use super::foreign;
use super::header::{Dialect, Header, is_zero};
use super::image::Look;
use super::member::{self, Extensions, Stored};
use super::pax::{self, Extended};
use super::source::{Filled, Source};
use super::sparse::{AheadParser, Map, MapBuilder, PaxMap, push_gnu, push_gnu_block};
use super::{BLOCK_LEN, Block, Entry, Error, Kind, Limits, Problem, padding};

/// How much is read at once from a stream that has no buffer of its own.
const BUFFER_LEN: usize = 256 << 10;

/// An archive being read.
///
/// Members come from [`next_entry`](Self::next_entry), the content of the last
/// one from [`content`](Self::content); what is not read is skipped.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    limits: Limits,
    whole: Whole,
    state: State,
    entries: u64,
    /// The name of the current member, for messages.
    path: Vec<u8>,
    /// Where its first header is.
    start: u64,
    body: Body,
    look: Look,
}

/// The evidence that an archive is whole, and nothing was cut off its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whole {
    /// The end-of-archive marker alone: in a pipe, it is all that tells a complete layer
    /// from one whose writer died. An archive without it is an error.
    #[default]
    ByMarker,
    /// A digest that the caller verifies. umoci leaves the marker out, and the padding
    /// before it; docker, podman and skopeo read such layers.
    ByDigest,
    /// None: the user says so.
    Assumed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Members,
    Ended,
    Failed,
}

impl<R: Read> Reader<BufReader<R>> {
    /// Reads an archive from a stream without a buffer of its own.
    pub fn new(stream: R, limits: Limits, whole: Whole) -> Self {
        Self::buffered(BufReader::with_capacity(BUFFER_LEN, stream), limits, whole)
    }
}

impl<R: Read + Seek> Reader<BufReader<R>> {
    /// Goes over what is unread of the last member's content without reading it, in a
    /// stream of `stream_len_bytes` in all.
    ///
    /// # Errors
    /// A stream that fails, content that goes beyond the end of the stream.
    pub fn seek_over_content(&mut self, stream_len_bytes: u64) -> Result<(), Error> {
        let (stored, _) = self.body.left_in_archive();
        let end = self.source.offset().checked_add(stored);
        if end.is_none_or(|end| end > stream_len_bytes) {
            return Err(self.fail(Problem::Truncated));
        }
        let sought = self.source.seek_over(stored);
        sought.map_err(|source| self.read_error(source))?;
        self.body.pass_over();
        Ok(())
    }
}

impl<R: BufRead> Reader<R> {
    /// Reads an archive from a buffered stream, without a second buffer.
    pub fn buffered(stream: R, limits: Limits, whole: Whole) -> Self {
        Self {
            source: Source::new(stream),
            limits,
            whole,
            state: State::Members,
            entries: 0,
            path: Vec::new(),
            start: 0,
            body: Body::default(),
            // A stream with a digest is known to be a layer.
            look: if whole == Whole::ByDigest { Look::Over } else { Look::First },
        }
    }

    /// The same, of an archive that may be that of an image, or the middle of one.
    #[must_use]
    pub fn taking_any(self) -> Self {
        Self { look: Look::Over, ..self }
    }

    /// The next member, or `None` at the end of the archive.
    ///
    /// # Errors
    /// A stream that fails or ends too early, a member that is malformed or
    /// ambiguous, or a limit. Nothing can be read after an error.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        match self.state {
            State::Ended => return Ok(None),
            State::Failed => {
                return Err(self.fail(Problem::Invalid("the archive has failed already")));
            }
            State::Members => {}
        }
        // An early return leaves this as it is.
        self.state = State::Failed;
        self.skip_body()?;
        let entry = self.read_member()?;
        if entry.as_ref().is_some_and(|entry| self.look.is_image(entry)) {
            return Err(Error::Image);
        }
        self.state = if entry.is_some() { State::Members } else { State::Ended };
        Ok(entry)
    }

    /// The content of the last member, from where it was left.
    pub fn content(&mut self) -> Content<'_, R> {
        Content::new(&mut self.source, &mut self.body, &self.path, self.start)
    }

    /// Where in the uncompressed stream the first header of the last member is.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.start
    }

    /// Reads on to the end of the stream, past the end of the archive, and gives
    /// the stream back: a DiffID covers what trails the archive too.
    ///
    /// # Errors
    /// A stream that fails.
    pub fn finish(mut self) -> Result<R, Error> {
        let drained = self.source.skip(u64::MAX);
        drained.map_err(|source| self.read_error(source))?;
        Ok(self.source.into_inner())
    }

    fn read_member(&mut self) -> Result<Option<Entry>, Error> {
        self.path.clear();
        self.start = self.source.offset();
        let mut extensions = Extensions::default();
        let header = loop {
            let Some(header) = self.header(&extensions)? else { return Ok(None) };
            match header.typeflag() {
                // Solaris wrote `X` before POSIX settled on `x`.
                b'x' | b'X' => {
                    let body = self.metadata(&header, &mut extensions)?;
                    let extended = self.check(Extended::parse(&body))?;
                    self.check(extensions.set_pax(extended))?;
                }
                b'g' => {
                    let body = self.metadata(&header, &mut extensions)?;
                    self.check(pax::check_global(&body))?;
                }
                b'L' => {
                    let body = self.metadata(&header, &mut extensions)?;
                    self.check(extensions.set_long_name(&body))?;
                }
                b'K' => {
                    let body = self.metadata(&header, &mut extensions)?;
                    self.check(extensions.set_long_target(&body))?;
                }
                _ => break header,
            }
        };
        self.path = member::name(&header, &extensions);
        self.entries += 1;
        if self.entries > self.limits.entries {
            let limit = self.limits.entries;
            return Err(self.fail(Problem::Limit { what: "archive members", limit }));
        }
        let metadata_len = extensions.len_bytes;
        let (mut entry, stored) =
            self.check(member::assemble(&header, extensions, &self.limits))?;
        self.body = self.body_of(&header, &mut entry, &stored, metadata_len)?;
        Ok(Some(entry))
    }

    /// The next header; `None` at the end of the archive.
    fn header(&mut self, extensions: &Extensions) -> Result<Option<Header>, Error> {
        let is_first = self.source.offset() == 0;
        let mut block = [0; BLOCK_LEN];
        match self.block(&mut block)? {
            Filled::Whole if !is_zero(&block) => match Header::new(&block) {
                Err(problem) if is_first => Err(self.no_archive(&block, problem)),
                header => self.check(header).map(Some),
            },
            Filled::Part if !is_zero(&block) && is_first => {
                Err(self.no_archive(&block, Problem::Truncated))
            }
            Filled::Part if !is_zero(&block) => Err(self.fail(Problem::Truncated)),
            Filled::Nothing if is_first && self.whole == Whole::ByMarker => {
                Err(Error::NotAnArchive("empty"))
            }
            _ if extensions.any() => Err(self.fail(Problem::Dangling)),
            // One zero block ends an archive, as it does for GNU tar; POSIX wants two.
            Filled::Whole => Ok(None),
            Filled::Part | Filled::Nothing if self.whole == Whole::ByMarker => {
                Err(self.fail(Problem::NoEnd))
            }
            Filled::Part | Filled::Nothing => Ok(None),
        }
    }

    /// The error for an input that does not begin with a header.
    fn no_archive(&self, block: &Block, otherwise: Problem) -> Error {
        foreign::kind_of(block).map_or_else(|| self.fail(otherwise), Error::NotAnArchive)
    }

    /// The body of an extended header. No record applies to its size.
    fn metadata(&mut self, header: &Header, extensions: &mut Extensions) -> Result<Vec<u8>, Error> {
        let size = self.check(header.size())?;
        self.count_metadata(&mut extensions.len_bytes, size.saturating_add(BLOCK_LEN as u64))?;
        // As much as the limit allows, however large the caller made it, and only
        // as it arrives.
        let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(64 << 10));
        let mut left = size;
        while left > 0 {
            let fill = self.source.fill();
            let available = fill.map_err(|source| read_error(self.start, source))?;
            let len = available.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if len == 0 {
                return Err(self.fail(Problem::Truncated));
            }
            body.extend_from_slice(available.get(..len).unwrap_or_default());
            self.source.consume(len);
            left -= len as u64;
        }
        let padding = padding(size);
        if padding > 0 {
            let fill = self.source.fill();
            let after = fill.map_err(|source| read_error(self.start, source))?.first().copied();
            let goes_on = match header.typeflag() {
                // GNU tar and Python read a long name on to a NUL.
                b'L' | b'K' => !body.contains(&0) && after.is_some_and(|byte| byte != 0),
                // Python reads records on as long as there are some.
                _ => after.is_some_and(|byte| byte.is_ascii_digit()),
            };
            if goes_on {
                let problem = "an extended header that goes on after its end";
                return Err(self.fail(Problem::Ambiguous(problem)));
            }
        }
        self.skip(padding)?;
        Ok(body)
    }

    fn count_metadata(&self, total: &mut u64, more: u64) -> Result<(), Error> {
        *total = total.saturating_add(more);
        let limit = self.limits.metadata_bytes;
        if *total > limit {
            let what = "bytes of extended headers and sparse maps";
            return Err(self.fail(Problem::Limit { what, limit }));
        }
        Ok(())
    }

    /// Frames what follows the header, and reads the map of a sparse file.
    fn body_of(
        &mut self,
        header: &Header,
        entry: &mut Entry,
        stored: &Stored,
        metadata_len: u64,
    ) -> Result<Body, Error> {
        let sparse = self.check(stored.sparse.resolve(&self.limits))?;
        let regular = entry.kind == Kind::File;
        let map = match (header.typeflag(), sparse) {
            (b'S', None) => self.gnu_map(header, stored.size, metadata_len)?,
            (b'S', Some(_)) => {
                return Err(self.fail(Problem::Ambiguous("two maps of a sparse file")));
            }
            (_, _) if regular && header.has_gnu_map() => {
                return Err(self.fail(Problem::Ambiguous("a sparse map without a sparse file")));
            }
            (_, None) => {
                if matches!(entry.kind, Kind::HardLink { .. }) && !self.link_has_content(entry)? {
                    entry.len_bytes = 0;
                }
                return Ok(Body::plain(entry.len_bytes));
            }
            (_, Some(_)) if !regular => {
                return Err(self.fail(Problem::Invalid("a sparse map without a regular file")));
            }
            (_, Some(_)) if header.dialect() != Dialect::Ustar => {
                let problem = "a sparse map in records before a header that is not of POSIX";
                return Err(self.fail(Problem::Ambiguous(problem)));
            }
            (_, Some((len_bytes, PaxMap::Given(map)))) => {
                self.check(map.finish(len_bytes, stored.size))?
            }
            (_, Some((len_bytes, PaxMap::Ahead))) => {
                self.map_ahead(len_bytes, stored.size, metadata_len)?
            }
        };
        entry.len_bytes = map.len_bytes;
        Ok(Body::sparse(map))
    }

    /// Whether the size of a hard link is true.
    ///
    /// Many writers give a link the size of its file and no content; POSIX allows
    /// content. Only where no reader could take what follows for a header is it
    /// content: everywhere else all of them, Go's included, see a header.
    fn link_has_content(&mut self, entry: &Entry) -> Result<bool, Error> {
        if entry.len_bytes == 0 {
            return Ok(false);
        }
        let mut block = [0; BLOCK_LEN];
        match self.block(&mut block)? {
            Filled::Nothing => Ok(false),
            Filled::Part => Err(self.fail(Problem::Truncated)),
            Filled::Whole => {
                self.source.put_back(&block);
                Ok(!is_zero(&block) && Header::new(&block).is_err())
            }
        }
    }

    /// The map of the old GNU format: in the header, and in blocks after it that
    /// the size does not count.
    fn gnu_map(
        &mut self,
        header: &Header,
        stored_bytes: u64,
        mut metadata_len: u64,
    ) -> Result<Map, Error> {
        let Some(gnu) = header.gnu() else {
            return Err(self.fail(Problem::Type(header.typeflag())));
        };
        let mut map = MapBuilder::new(&self.limits);
        let mut more = self.check(push_gnu(&mut map, &gnu.sparse, gnu.isextended != [0]))?;
        while more {
            self.count_metadata(&mut metadata_len, BLOCK_LEN as u64)?;
            let block = self.whole_block()?;
            more = self.check(push_gnu_block(&mut map, &block))?;
        }
        let len_bytes = self.check(super::field::unsigned(&gnu.realsize, "real size"))?;
        self.check(map.finish(len_bytes, stored_bytes))
    }

    /// The map of PAX version 1.0: blocks before the data that the size counts.
    fn map_ahead(
        &mut self,
        len_bytes: u64,
        mut stored_bytes: u64,
        mut metadata_len: u64,
    ) -> Result<Map, Error> {
        let mut parser = AheadParser::new(&self.limits);
        loop {
            self.count_metadata(&mut metadata_len, BLOCK_LEN as u64)?;
            stored_bytes = self.check(
                stored_bytes.checked_sub(BLOCK_LEN as u64).ok_or(Problem::Malformed("sparse map")),
            )?;
            let block = self.whole_block()?;
            if self.check(parser.block(&block))? {
                break;
            }
        }
        self.check(parser.into_map().finish(len_bytes, stored_bytes))
    }

    fn skip_body(&mut self) -> Result<(), Error> {
        let (stored, padding) = self.body.left_in_archive();
        self.body = Body::default();
        self.skip(stored)?;
        // A Go writer that was not closed leaves the last padding out with the marker:
        // whether the archive may end here is decided where its next header should be.
        let skipped = self.source.skip(padding);
        skipped.map(drop).map_err(|source| self.read_error(source))
    }

    fn skip(&mut self, len: u64) -> Result<(), Error> {
        let skipped = self.source.skip(len).map_err(|source| self.read_error(source))?;
        if skipped == len { Ok(()) } else { Err(self.fail(Problem::Truncated)) }
    }

    fn block(&mut self, block: &mut Block) -> Result<Filled, Error> {
        self.source.block(block).map_err(|source| read_error(self.source.offset(), source))
    }

    fn whole_block(&mut self) -> Result<Block, Error> {
        let mut block = [0; BLOCK_LEN];
        match self.block(&mut block)? {
            Filled::Whole => Ok(block),
            Filled::Nothing | Filled::Part => Err(self.fail(Problem::Truncated)),
        }
    }

    fn check<T>(&self, result: Result<T, Problem>) -> Result<T, Error> {
        result.map_err(|problem| self.fail(problem))
    }

    fn fail(&self, problem: Problem) -> Error {
        Error::Member { path: self.path.clone(), offset: self.start, problem }
    }

    fn read_error(&self, source: io::Error) -> Error {
        read_error(self.source.offset(), source)
    }
}

fn read_error(offset: u64, source: io::Error) -> Error {
    Error::Read { offset, source }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "hostile_tests.rs"]
mod hostile_tests;
