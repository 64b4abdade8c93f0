//! Where an archive's bytes are: in a plain tar file, or in a compressed one, which is
//! inflated to disk only when more than its documents is wanted.
//!
//! A compressed archive is read once to find its members. What looks like a document is
//! kept in memory, so that manifests and configs are at hand although no layer has been
//! written anywhere: a small archive may inflate to more than a disk holds.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use super::members::{At, Members, Section};
use crate::compression::{Decoder, Format, MaxSize};
use crate::image::Error;
use crate::oci::MAX_DOCUMENT_LEN_BYTES;
use crate::stream::Input;

/// Enough to tell what a member is compressed with.
const START_LEN_BYTES: u64 = 16;
/// All documents of one archive that are kept in memory.
const MAX_KEPT_LEN_BYTES: usize = 64 << 20;

/// An archive's bytes, members being sections of the uncompressed stream.
#[derive(Debug)]
pub(super) enum Bytes {
    Plain(Arc<File>),
    Packed(Packed),
}

/// A compressed archive.
#[derive(Debug)]
pub(super) struct Packed {
    /// The archive as it is.
    stored: File,
    /// Where its last member ends, uncompressed.
    end: u64,
    kept: Kept,
    inflated: Mutex<Option<Arc<File>>>,
}

/// What is kept of a stream's members, by where their content begins: whole documents, and
/// the first bytes of everything else.
#[derive(Debug, Default)]
pub(super) struct Kept {
    starts: HashMap<u64, Vec<u8>>,
    len_bytes: usize,
}

impl Kept {
    /// Keeps what there is to keep of a member.
    pub(super) fn take(&mut self, section: Section, mut content: impl Read) -> io::Result<()> {
        let mut start = Vec::new();
        content.by_ref().take(START_LEN_BYTES).read_to_end(&mut start)?;
        let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
        let len_bytes = usize::try_from(section.len_bytes).unwrap_or(usize::MAX);
        let kept_len = self.len_bytes.saturating_add(len_bytes);
        if matches!(first, Some(b'{' | b'['))
            && section.len_bytes <= MAX_DOCUMENT_LEN_BYTES
            && kept_len <= MAX_KEPT_LEN_BYTES
        {
            content.read_to_end(&mut start)?;
            self.len_bytes = kept_len;
        }
        self.starts.insert(section.start, start);
        Ok(())
    }
}

impl Bytes {
    /// Finds out what `input` is, and its members. One that cannot be read twice is copied
    /// as it comes, compressed or not, up to the archive's end.
    pub(super) fn of(input: Input) -> Result<(Self, Members), Error> {
        let label = input.label();
        let reading = |source| Error::Io { what: label.clone(), source };
        let stored_bytes = input.len_bytes();
        let mut file = input.into_file();
        let growth = MaxSize::default().growth(stored_bytes);
        if stored_bytes.is_some() && file.stream_position().map_err(reading)? == 0 {
            let start = start(At::new(&file, 0)).map_err(reading)?;
            if Format::detect(&start) == Format::None {
                let members = Members::of(&file)?;
                return Ok((Self::Plain(Arc::new(file)), members));
            }
            let decoder = Decoder::new(At::new(&file, 0), growth).map_err(reading)?;
            let (members, kept, end) = Members::of_stream(decoder, || {})?;
            return Ok((Self::packed(file, end, kept), members));
        }
        let copy = tempfile::tempfile().map_err(reading)?;
        let ended = std::cell::Cell::new(false);
        let copied = Copied { from: file, to: &copy, ended: &ended };
        let decoder = Decoder::new(copied, growth).map_err(reading)?;
        let format = decoder.format();
        let (members, kept, end) = Members::of_stream(decoder, || ended.set(true))?;
        let bytes = match format {
            Format::None => Self::Plain(Arc::new(copy)),
            _ => Self::packed(copy, end, kept),
        };
        Ok((bytes, members))
    }

    fn packed(stored: File, end: u64, kept: Kept) -> Self {
        Self::Packed(Packed { stored, end, kept, inflated: Mutex::default() })
    }

    /// The whole member, if it lies in memory.
    pub(super) fn kept(&self, section: Section) -> Option<&[u8]> {
        let Self::Packed(packed) = self else { return None };
        let kept = packed.kept.starts.get(&section.start)?;
        (kept.len() as u64 == section.len_bytes).then_some(kept)
    }

    /// The first bytes of a member.
    pub(super) fn start(&self, section: Section) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(file) => start(section.reader(file)),
            Self::Packed(packed) => {
                let kept = packed.kept.starts.get(&section.start).map(Vec::as_slice);
                start(kept.unwrap_or_default())
            }
        }
    }

    /// The archive as a plain tar file from byte 0 on.
    pub(super) fn file(&self) -> io::Result<Arc<File>> {
        match self {
            Self::Plain(file) => Ok(Arc::clone(file)),
            Self::Packed(packed) => packed.inflate(),
        }
    }
}

impl Packed {
    fn inflate(&self) -> io::Result<Arc<File>> {
        let mut inflated = self.inflated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*inflated {
            return Ok(Arc::clone(file));
        }
        let growth = MaxSize::default().growth(Some(self.stored.metadata()?.len()));
        let plain = Decoder::new(At::new(&self.stored, 0), growth)?;
        let mut copy = tempfile::tempfile()?;
        if io::copy(&mut plain.take(self.end), &mut copy)? < self.end {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Arc::clone(inflated.insert(Arc::new(copy))))
    }
}

fn start(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(START_LEN_BYTES).read_to_end(&mut start)?;
    Ok(start)
}

/// A stream that is copied while it is read, until the archive in it has ended.
struct Copied<'c> {
    from: File,
    to: &'c File,
    ended: &'c std::cell::Cell<bool>,
}

impl Read for Copied<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(buffer)?;
        if !self.ended.get() {
            self.to.write_all(buffer.get(..len).unwrap_or_default())?;
        }
        Ok(len)
    }
}
