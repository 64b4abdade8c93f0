//! The layers to be merged: read once for what they hold, and again, member by
//! member, for the content that is left.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

use super::Error;
use crate::compression::{Decoder, Format, Growth, MaxSize};
use crate::stream::Input;
use crate::tar::{Entry, Limits, Reader, Whole};

/// More than a member's headers are, unless a name is very long.
const HEADERS_LEN_BYTES: u64 = 4 << 10;

/// As much as is read at a time.
const BUFFER_LEN_BYTES: u64 = 128 << 10;

/// A layer that can be read at any place, uncompressed.
#[derive(Debug)]
pub struct Source {
    label: String,
    file: File,
    /// What its content may grow to: holes count, since they are written as zeros.
    growth: Growth,
    whole: Whole,
}

impl Source {
    /// Makes a layer readable at any place: a plain archive in a file is so already,
    /// any other is copied, decompressed, to a temporary file without a name.
    ///
    /// # Errors
    /// A layer that cannot be read, or no place for it.
    pub fn new(input: Input, max_size: MaxSize, whole: Whole) -> Result<Self, Error> {
        let (label, stored_bytes) = (input.label(), input.len_bytes());
        Self::of_file(label, input.into_file(), stored_bytes, max_size, whole)
    }

    /// As [`Source::new`], of an open file that has `stored_bytes`, or of a pipe.
    ///
    /// # Errors
    /// A layer that cannot be read, or no place for it.
    pub fn of_file(
        label: String,
        mut file: File,
        stored_bytes: Option<u64>,
        max_size: MaxSize,
        whole: Whole,
    ) -> Result<Self, Error> {
        let growth = max_size.growth(stored_bytes);
        let failed = |source| Error::Read { layer: label.clone(), source };
        if stored_bytes.is_some() && is_plain(&mut file).map_err(failed)? {
            return Ok(Self { label, file, growth, whole });
        }
        let copy = |file: File| {
            let mut copy = tempfile::tempfile()?;
            let mut decoder = Decoder::new(file, growth)?;
            io::copy(&mut decoder, &mut copy)?;
            let growth = decoder.growth().afresh();
            decoder.finish()?;
            Ok((copy, growth))
        };
        let (file, growth) = copy(file).map_err(failed)?;
        Ok(Self { label, file, growth, whole })
    }

    /// Makes an uncompressed archive that comes as a stream readable at any place: it is
    /// copied to a temporary file without a name. The caller verifies its digest.
    ///
    /// # Errors
    /// A stream that fails, or no place for it.
    pub fn of_stream(label: String, stream: &mut impl Read, growth: Growth) -> Result<Self, Error> {
        let copy = |stream| {
            let mut file = tempfile::tempfile()?;
            io::copy(stream, &mut file)?;
            Ok(file)
        };
        match copy(stream) {
            Ok(file) => Ok(Self::of_copy(label, file, growth)),
            Err(source) => Err(Error::Read { layer: label, source }),
        }
    }

    /// An uncompressed archive that the caller has copied to a file, and verified.
    #[must_use]
    pub fn of_copy(label: String, file: File, growth: Growth) -> Self {
        Self { label, file, growth, whole: Whole::ByDigest }
    }

    /// The layer as messages name it.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The limit on what is written of it, with nothing counted yet.
    pub(super) fn growth(&self) -> Growth {
        self.growth.afresh()
    }

    /// All members, from the first.
    pub(super) fn members(&self) -> Result<Reader<BufReader<&File>>, Error> {
        self.seek(0)?;
        Ok(Reader::new(&self.file, Limits::default(), self.whole))
    }

    /// The member whose headers begin at `position`, with `len_bytes` of content.
    pub(super) fn member(
        &self,
        position: u64,
        len_bytes: u64,
    ) -> Result<(Reader<BufReader<&File>>, Option<Entry>), Error> {
        self.seek(position)?;
        let capacity = (len_bytes + HEADERS_LEN_BYTES).min(BUFFER_LEN_BYTES);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let stream = BufReader::with_capacity(capacity, &self.file);
        let mut reader = Reader::buffered(stream, Limits::default(), self.whole).taking_any();
        let entry = reader
            .next_entry()
            .map_err(|source| Error::Archive { layer: self.label.clone(), source })?;
        Ok((reader, entry))
    }

    /// The same, of a handle of its own: both read at one place in the file.
    ///
    /// # Errors
    /// A layer that cannot be read there.
    pub(crate) fn own_member(
        &self,
        position: u64,
        len_bytes: u64,
    ) -> Result<Reader<BufReader<File>>, Error> {
        let failed = |source| Error::Read { layer: self.label.clone(), source };
        self.seek(position)?;
        let file = self.file.try_clone().map_err(failed)?;
        let capacity = (len_bytes + HEADERS_LEN_BYTES).min(BUFFER_LEN_BYTES);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let stream = BufReader::with_capacity(capacity, file);
        let mut reader = Reader::buffered(stream, Limits::default(), self.whole);
        let read = reader.next_entry();
        read.map_err(|source| Error::Archive { layer: self.label.clone(), source })?;
        Ok(reader)
    }

    fn seek(&self, position: u64) -> Result<(), Error> {
        let sought = (&self.file).seek(SeekFrom::Start(position));
        sought.map(drop).map_err(|source| Error::Read { layer: self.label.clone(), source })
    }
}

fn is_plain(file: &mut File) -> io::Result<bool> {
    let mut start = [0; 16];
    let mut filled = 0;
    while let Some(room) = start.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read(room)? {
            0 => break,
            len => filled += len,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(Format::detect(start.get(..filled).unwrap_or_default()) == Format::None)
}
