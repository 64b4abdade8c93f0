//! Files of the layout replaced, whole or not at all; and a reserve for a full disk.
//!
//! A new index needs room before the old one gives up its own, also if it is smaller. So
//! the store keeps a file with as much room as its index takes. A removal that finds the
//! disk full writes the new index there, and the room of the old one becomes the reserve.
//! Whoever adds a name sees to the reserve first: there is always a way back.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::dir::{Dir, Links};
use super::index::{Entries, MAX_INDEX_LEN_BYTES};
use super::layout::{BLOBS, INDEX_FILE, missing};
use super::{Error, Store, lock};
use crate::digest::Algorithm;
use crate::oci::{Descriptor, Index};

/// Only ever written under the index lock, so one name does for all.
pub(super) const NEW_FILE: &str = ".layerutils-index.json";
/// Nothing but room, of at least the index's length.
pub(super) const RESERVE: &str = ".layerutils-reserve";
const BUFFER_LEN_BYTES: usize = 128 * 1024;
/// The reserve grows by more than it must, so that it seldom does.
const RESERVE_UNIT_BYTES: u64 = 4096;

/// What an index is changed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// To add or move names.
    Add,
    /// To remove entries, for which there is always to be room.
    Remove,
}

impl Store {
    /// The index: what images there are, and their names.
    ///
    /// # Errors
    /// An index that is missing or no index.
    pub fn entries(&self) -> Result<Arc<Entries>, Error> {
        self.snapshot.entries(&self.dir)
    }

    /// The images of the index, with or without names; not those whose content cannot be
    /// checked.
    ///
    /// # Errors
    /// As [`Store::entries`]; an entry that is no descriptor.
    pub fn images(&self) -> Result<Vec<Descriptor>, Error> {
        let entries = self.entries()?;
        entries.known().map(|entry| entry.descriptor()).collect()
    }

    pub(super) fn read_entries(&self, links: Links) -> Result<Entries, Error> {
        let path = self.path().join(INDEX_FILE);
        let bytes = self.read(INDEX_FILE, MAX_INDEX_LEN_BYTES, links).map_err(Error::io(&path))?;
        Entries::parse(bytes).map_err(Error::document(&path))
    }

    /// Changes the index: `change` gets it as it is now, under a lock. If `change`
    /// fails, or changes nothing, nothing is written.
    ///
    /// # Errors
    /// Whatever `change` returns; an index that cannot be read or written.
    pub(super) fn update<T>(
        &self,
        purpose: Change,
        change: impl FnOnce(&mut Entries) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _lock = lock::index(&self.dir)?;
        let mut entries = self.read_entries(Links::Refuse)?;
        let result = change(&mut entries)?;
        if entries.is_changed() {
            self.replace_index(&entries, purpose)?;
        }
        Ok(result)
    }

    /// Writes the index of a store that is new.
    pub(super) fn write_first_index(&self) -> Result<(), Error> {
        let path = self.path().join(INDEX_FILE);
        let bytes = Index::new(Vec::new()).to_bytes().map_err(Error::document(&path))?;
        replace(&self.dir, INDEX_FILE, |file| file.write_all(&bytes)).map_err(Error::io(path))
    }

    fn replace_index(&self, entries: &Entries, purpose: Change) -> Result<(), Error> {
        let path = self.path().join(INDEX_FILE);
        let len_bytes = entries.len_bytes();
        if len_bytes > MAX_INDEX_LEN_BYTES {
            return Err(Error::io(path)(crate::document::too_large(MAX_INDEX_LEN_BYTES)));
        }
        let write = |file: &mut File| {
            let mut writer = BufWriter::with_capacity(BUFFER_LEN_BYTES, file);
            entries.write_to(&mut writer)?;
            writer.flush()
        };
        let written = match purpose {
            Change::Add => {
                self.sync_blobs()?;
                self.reserve(len_bytes).and_then(|()| replace(&self.dir, INDEX_FILE, write))
            }
            Change::Remove => match replace(&self.dir, INDEX_FILE, write) {
                Err(error) if is_full(&error) => {
                    self.write_to_reserve(len_bytes, write).map_err(|_| error)
                }
                written => written,
            },
        };
        written.map_err(Error::io(path))?;
        if purpose == Change::Remove {
            // The old index has just given up room enough; if another takes it, so be it.
            let _ = self.reserve(len_bytes);
        }
        Ok(())
    }

    /// Flushes the blobs' names: what the index will name must be on the disk before it does.
    fn sync_blobs(&self) -> Result<(), Error> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            match self.blob_dir(algorithm).and_then(Dir::sync) {
                Err(error) if missing(&error) => {}
                synced => synced.map_err(Error::io(self.path().join(BLOBS)))?,
            }
        }
        match self.dir.below(BLOBS).and_then(|blobs| blobs.sync()) {
            Err(error) if missing(&error) => Ok(()),
            synced => synced.map_err(Error::io(self.path().join(BLOBS))),
        }
    }

    /// Sees to a reserve for an index of `len_bytes`. File systems that cannot set room
    /// aside go without; a full disk is an error.
    fn reserve(&self, len_bytes: u64) -> io::Result<()> {
        if !self.keeps_reserve {
            return Ok(());
        }
        let file = match self.dir.own_file(RESERVE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.dir.create(RESERVE),
            Err(_) => self.dir.remove(RESERVE).and_then(|()| self.dir.create(RESERVE)),
            opened => opened,
        };
        let grown = file.and_then(|file| {
            if room_bytes(&file)? >= len_bytes {
                return Ok(());
            }
            let wanted = (len_bytes + len_bytes / 8).next_multiple_of(RESERVE_UNIT_BYTES);
            Ok(rustix::io::retry_on_intr(|| {
                rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, wanted)
            })?)
        });
        match grown {
            Err(error) if is_full(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes an index to the reserve, which takes the place of the old one.
    fn write_to_reserve(
        &self,
        len_bytes: u64,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = self.dir.own_file(RESERVE)?;
        if room_bytes(&file)? < len_bytes {
            return Err(Errno::NOSPC.into());
        }
        write(&mut file)?;
        file.set_len(len_bytes)?;
        file.sync_all()?;
        self.dir.rename(RESERVE, INDEX_FILE)?;
        self.dir.sync()
    }
}

/// How much can be written to a file without asking for more room, in bytes.
fn room_bytes(file: &File) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    Ok(metadata.len().min(metadata.blocks() * 512))
}

/// Replaces a file of the layout, whole or not at all. The index lock is held.
pub(super) fn replace(
    dir: &Dir,
    name: &str,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    // It may be what a writer that was killed left behind, or what somebody planted.
    dir.remove(NEW_FILE)?;
    let mut file = dir.create(NEW_FILE)?;
    let written = write(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| dir.rename(NEW_FILE, name))
        .and_then(|()| dir.sync());
    written.inspect_err(|_| {
        let _ = dir.remove(NEW_FILE);
    })
}

/// Whether an error is about a disk or a quota that is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
