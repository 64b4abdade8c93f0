//! The index as it was read last: tools that are given many names read it once.
//!
//! The file is held open, so that no other can have its inode number; whether it is still
//! the index, and as it was, is asked before each use.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::Error;
use super::dir::{Dir, Links};
use super::index::{Entries, MAX_INDEX_LEN_BYTES};
use super::layout::INDEX_FILE;
use crate::document;

/// The index that was read last.
#[derive(Debug, Default)]
pub(super) struct Snapshot(Mutex<Option<Read>>);

#[derive(Debug)]
struct Read {
    _file: File,
    version: Version,
    entries: Arc<Entries>,
}

/// The version of a file's content.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    file: (u64, u64),
    len_bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            file: (metadata.dev(), metadata.ino()),
            len_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Snapshot {
    /// The entries of the index in `dir` as it is now.
    pub(super) fn entries(&self, dir: &Dir) -> Result<Arc<Entries>, Error> {
        let path = || dir.path().join(INDEX_FILE);
        let failed = |error| Error::io(path())(error);
        let file = dir.file(INDEX_FILE, Links::Follow).map_err(failed)?;
        let version = Version::of(&file).map_err(failed)?;
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = last.as_ref().filter(|read| read.version == version) {
            read.entries.expect_questions();
            return Ok(Arc::clone(&read.entries));
        }
        let bytes = document::read(&file, MAX_INDEX_LEN_BYTES).map_err(failed)?;
        let entries = Arc::new(Entries::parse(bytes).map_err(Error::document(&path()))?);
        *last = Some(Read { _file: file, version, entries: Arc::clone(&entries) });
        Ok(entries)
    }
}
