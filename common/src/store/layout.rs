//! The layout on disk: opened, made, locked, its blobs found.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::blob::{BlobReader, BlobWriter};
use super::dir::{Dir, Links};
use super::snapshot::Snapshot;
use super::unmake::{Made, missing_dirs};
use super::{Error, Pruning, lock, write};
use crate::digest::{Algorithm, Digest};
use crate::document;
use crate::lock::Lock;
use crate::oci::{self, Descriptor, LAYOUT, MAX_DOCUMENT_LEN_BYTES};

pub(super) const LAYOUT_FILE: &str = "oci-layout";
pub(super) const INDEX_FILE: &str = "index.json";
pub(super) const BLOBS: &str = "blobs";
/// The most times that other processes may remove an empty store while it is created here.
const MAX_UNMADE: usize = 10;

/// An open store. See the module for what it promises.
#[derive(Debug)]
pub struct Store {
    pub(super) dir: Dir,
    sha256: OnceLock<Dir>,
    sha512: OnceLock<Dir>,
    /// The shared lock on blobs, from the first one that was added.
    pub(super) adding: OnceLock<Lock>,
    pub(super) snapshot: Snapshot,
    /// Whether room is kept for a smaller index, so that names can go from a full disk.
    pub(super) keeps_reserve: bool,
    /// Set if this process made the store.
    pub(super) made: Option<Made>,
}

impl Store {
    /// Opens a layout; nothing is written.
    ///
    /// # Errors
    /// Nothing there, something else there, or a later version of the layout.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let none = || match fs::metadata(dir) {
            Err(error) if missing(&error) => Error::Missing(dir.into()),
            _ => Error::NotALayout(dir.into()),
        };
        let opened = match Dir::open(dir) {
            Err(error) if missing(&error) => return Err(none()),
            opened => opened.map_err(Error::io(dir))?,
        };
        let store = Self::in_dir(opened);
        let path = dir.join(LAYOUT_FILE);
        let text = match store.read(LAYOUT_FILE, MAX_DOCUMENT_LEN_BYTES, Links::Follow) {
            Ok(text) => text,
            Err(error) if missing(&error) => return Err(none()),
            Err(error) => return Err(Error::io(path)(error)),
        };
        oci::check_layout(&text).map_err(Error::document(&path))?;
        Ok(store)
    }

    /// Opens a layout to add to it, and makes it where there is nothing yet.
    ///
    /// # Errors
    /// A folder that holds something else, or that cannot be written.
    pub fn create(dir: &Path) -> Result<Self, Error> {
        Self::create_with(dir, |dir| fs::create_dir_all(dir))
    }

    /// As [`Store::create`]; `make` creates a missing directory.
    pub(super) fn create_with(
        dir: &Path,
        make: impl Fn(&Path) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let mut attempts = 0..MAX_UNMADE;
        loop {
            match Self::try_create(dir, &make) {
                // Another process removed its empty store in the meantime.
                Err(Error::Io { source, .. }) if missing(&source) && attempts.next().is_some() => {}
                created => return created,
            }
        }
    }

    fn try_create(dir: &Path, make: &impl Fn(&Path) -> io::Result<()>) -> Result<Self, Error> {
        let missing_dirs = missing_dirs(dir);
        match Self::open(dir) {
            Err(Error::Missing(_)) => make(dir).map_err(Error::io(dir))?,
            Err(Error::NotALayout(_)) => {}
            opened => {
                let store = opened?;
                store.hold_blobs()?;
                return Ok(store);
            }
        }
        let mut store = Self::in_dir(Dir::open(dir).map_err(Error::io(dir))?);
        if !store.holds_only_ours().map_err(Error::io(dir))? {
            return Err(Error::NotALayout(dir.into()));
        }
        let _ = store.adding.set(lock::to_add(&store.dir)?);
        let lock = lock::index(&store.dir)?;
        store.make_blobs(Algorithm::Sha256)?;
        let is_there = |name| store.dir.has(name).map_err(Error::io(dir.join(name)));
        if !is_there(INDEX_FILE)? {
            store.write_first_index()?;
        }
        // Last: with it the folder is a layout.
        if !is_there(LAYOUT_FILE)? {
            write::replace(&store.dir, LAYOUT_FILE, |file| io::Write::write_all(file, LAYOUT))
                .map_err(Error::io(dir.join(LAYOUT_FILE)))?;
            drop(lock);
            store.made = Some(Made::new(missing_dirs));
        }
        Ok(store)
    }

    fn in_dir(dir: Dir) -> Self {
        Self {
            dir,
            sha256: OnceLock::new(),
            sha512: OnceLock::new(),
            adding: OnceLock::new(),
            snapshot: Snapshot::default(),
            keeps_reserve: false,
            made: None,
        }
    }

    /// The same store, which keeps room for the removal of names on a full disk.
    pub(super) fn with_reserve(mut self) -> Self {
        self.keeps_reserve = true;
        self
    }

    /// The layout's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the blob of this digest is, or would be, for messages and for tests: a path
    /// may pass links, and what is read behind the store's back is not checked.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path().join(BLOBS).join(digest.algorithm().name()).join(digest.hex())
    }

    /// The directory of the blobs that are named by digests of `algorithm`.
    pub(super) fn blob_dir(&self, algorithm: Algorithm) -> io::Result<&Dir> {
        self.blob_dir_by(algorithm, Dir::below)
    }

    /// As [`Store::blob_dir`], made where it is missing.
    pub(super) fn make_blobs(&self, algorithm: Algorithm) -> Result<&Dir, Error> {
        let path = || self.path().join(BLOBS);
        self.blob_dir_by(algorithm, Dir::make).map_err(|error| Error::io(path())(error))
    }

    fn blob_dir_by(
        &self,
        algorithm: Algorithm,
        open: fn(&Dir, &str) -> io::Result<Dir>,
    ) -> io::Result<&Dir> {
        let opened = match algorithm {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Sha512 => &self.sha512,
        };
        if let Some(dir) = opened.get() {
            return Ok(dir);
        }
        let dir = open(&open(&self.dir, BLOBS)?, algorithm.name())?;
        Ok(opened.get_or_init(|| dir))
    }

    /// Whether a blob of this digest and length is there. Its bytes are not read.
    #[must_use]
    pub fn contains(&self, blob: &Descriptor) -> bool {
        self.len_of(&blob.digest) == Some(blob.len_bytes)
    }

    /// The length in bytes of the blob of this digest, if it is there.
    #[must_use]
    pub fn len_of(&self, digest: &Digest) -> Option<u64> {
        self.blob_dir(digest.algorithm()).ok()?.len_of(digest.hex(), Links::Follow)
    }

    /// Opens a blob; what is read from it is checked.
    ///
    /// # Errors
    /// A blob that is missing, or has another length than the descriptor says.
    pub fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        match (self.blob_file(blob), blob.embedded()) {
            (Err(Error::NoBlob(_)), Some(bytes)) => {
                Ok(BlobReader::in_memory(Arc::from(bytes), blob))
            }
            (file, _) => Ok(BlobReader::new(Arc::new(file?), 0, blob)),
        }
    }

    /// The file of a blob, of the length that the descriptor says. Whoever reads it has to
    /// check it.
    ///
    /// # Errors
    /// As [`Store::blob`].
    pub fn blob_file(&self, blob: &Descriptor) -> Result<File, Error> {
        let opened = self
            .blob_dir(blob.digest.algorithm())
            .and_then(|dir| dir.file(blob.digest.hex(), Links::Follow))
            .and_then(|file| Ok((file.metadata()?.len(), file)));
        let (actual, file) = match opened {
            Ok(opened) => opened,
            Err(error) if missing(&error) => return Err(Error::NoBlob(blob.digest.clone())),
            Err(error) => return Err(Error::io(self.blob_path(&blob.digest))(error)),
        };
        if actual != blob.len_bytes {
            let (digest, expected) = (blob.digest.clone(), blob.len_bytes);
            return Err(Error::Size { digest, expected, actual });
        }
        Ok(file)
    }

    /// Reads a document (manifest, index, config), checked, bounded in length.
    ///
    /// # Errors
    /// As [`Store::blob`]; a document that is too long.
    pub fn document(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        read_checked(self.blob(blob)?, blob)
    }

    /// Starts a new blob, to be named as we name our own.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn writer(&self) -> Result<BlobWriter<'_>, Error> {
        self.writer_by(Algorithm::Sha256)
    }

    /// Starts a new blob, to be named by a digest of `algorithm`: what others made has
    /// to keep its name.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn writer_by(&self, algorithm: Algorithm) -> Result<BlobWriter<'_>, Error> {
        self.hold_blobs()?;
        BlobWriter::new(self, self.make_blobs(algorithm)?, algorithm)
    }

    /// Copies a blob that is checked as it is read, telling `seen` of each part.
    ///
    /// # Errors
    /// [`Error::Source`] for a blob that is damaged or cannot be read; a store that cannot
    /// be written.
    pub fn receive(&self, blob: BlobReader, seen: impl FnMut(u64)) -> Result<(), Error> {
        self.hold_blobs()?;
        let blobs = self.make_blobs(blob.expected().algorithm())?;
        super::blob::receive(self, blobs, blob, seen)
    }

    /// Adds a blob that is at hand; its digest and length in bytes.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<(Digest, u64), Error> {
        self.put_by(Algorithm::Sha256, bytes)
    }

    /// As [`Store::put`], named by a digest of `algorithm`.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub fn put_by(&self, algorithm: Algorithm, bytes: &[u8]) -> Result<(Digest, u64), Error> {
        let mut writer = self.writer_by(algorithm)?;
        io::Write::write_all(&mut writer, bytes).map_err(Error::io(self.path()))?;
        writer.commit()
    }

    /// Runs `look` while nobody adds blobs: waits for those who do, but not for ever. Who
    /// only looks at a store that cannot be written to, and so has no lock, need not wait.
    ///
    /// # Errors
    /// Whatever `look` returns; [`Error::Busy`]; a store that cannot be locked.
    pub(super) fn undisturbed<T>(
        &self,
        pruning: Pruning,
        look: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.adding.get() {
            // What this very store was adding must not keep it waiting for itself.
            Some(held) => {
                let looked = lock::upgrade(&self.dir, held).and_then(|()| look());
                lock::downgrade(&self.dir, held)?;
                looked
            }
            None => {
                let _lock = match pruning {
                    Pruning::Remove => Some(lock::to_remove(&self.dir)?),
                    Pruning::Tell => lock::to_tell(&self.dir)?,
                };
                look()
            }
        }
    }

    /// From here on, until the store is closed, nobody removes blobs.
    ///
    /// # Errors
    /// A store that is gone: the process that made it may have removed it.
    pub(super) fn hold_blobs(&self) -> Result<(), Error> {
        if self.adding.get().is_some() {
            return Ok(());
        }
        let held = lock::to_add(&self.dir)?;
        let is_there = self.dir.has(LAYOUT_FILE).and_then(|is_there| match is_there {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()),
        });
        is_there.map_err(Error::io(self.path().join(LAYOUT_FILE)))?;
        let _ = self.adding.set(held);
        Ok(())
    }

    /// Reads a file of the layout itself, bounded.
    pub(super) fn read(&self, name: &str, limit_bytes: u64, links: Links) -> io::Result<Vec<u8>> {
        document::read(self.dir.file(name, links)?, limit_bytes)
    }

    /// Whether an earlier [`Store::create`] was cut short here, or the folder is empty.
    fn holds_only_ours(&self) -> io::Result<bool> {
        let mut only_ours = true;
        self.dir.names(|name| {
            only_ours &= name == BLOBS || name == INDEX_FILE || is_hidden(&name);
        })?;
        Ok(only_ours)
    }
}

/// Reads a document to its end, bounded and checked.
pub(crate) fn read_checked(reader: BlobReader, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let name = || blob.digest.to_string();
    if blob.len_bytes > MAX_DOCUMENT_LEN_BYTES {
        return Err(Error::Document {
            name: name(),
            source: oci::Error::TooLong { what: "document" },
        });
    }
    document::read(reader, MAX_DOCUMENT_LEN_BYTES)
        .map_err(|source| Error::Io { path: name().into(), source })
}

fn is_hidden(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(".layerutils-")
}

/// Whether this is what a writer that was killed left behind: our prefix, but neither a
/// lock nor a file that the next writer takes.
pub(super) fn is_leftover(name: &OsStr) -> bool {
    is_hidden(name)
        && ![write::NEW_FILE, write::RESERVE, lock::INDEX, lock::BLOBS]
            .iter()
            .any(|ours| name == *ours)
}

pub(super) fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
