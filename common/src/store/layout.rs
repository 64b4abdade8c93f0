//! The layout on disk: opened, made, locked, its index replaced.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nix::fcntl::Flock;

use super::blob::{BlobReader, BlobWriter};
use super::{Error, lock};
use crate::digest::{Algorithm, Digest};
use crate::oci::{self, Descriptor, Document, Index, LAYOUT, MAX_DOCUMENT_LEN_BYTES};

const LAYOUT_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";
/// Only ever written under the index lock, so one name does for all.
const NEW_INDEX_FILE: &str = ".layerutils-index.json";
/// An open store. See the module for what it promises.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// The shared lock on blobs, from the first one that was added.
    adding: OnceLock<Flock<File>>,
}

impl Store {
    /// Opens a layout; nothing is written.
    ///
    /// # Errors
    /// Nothing there, something else there, or a later version of the layout.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(LAYOUT_FILE);
        let text = match read_document(&path) {
            Ok(text) => text,
            Err(error) if missing(&error) => {
                return Err(match fs::metadata(dir) {
                    Err(error) if missing(&error) => Error::Missing(dir.into()),
                    _ => Error::NotALayout(dir.into()),
                });
            }
            Err(error) => return Err(Error::io(path)(error)),
        };
        let malformed =
            |source| Error::Document { name: crate::name::show_path(&path).to_string(), source };
        oci::check_layout(&text).map_err(malformed)?;
        Ok(Self { dir: dir.into(), adding: OnceLock::new() })
    }

    /// Opens a layout to add to it, and makes it where there is nothing yet.
    ///
    /// # Errors
    /// A folder that holds something else, or that cannot be written.
    pub fn create(dir: &Path) -> Result<Self, Error> {
        match Self::open(dir) {
            Err(Error::Missing(_)) => fs::create_dir_all(dir).map_err(Error::io(dir))?,
            Err(Error::NotALayout(_)) if holds_only_ours(dir).map_err(Error::io(dir))? => {}
            opened => {
                return opened.and_then(|store| {
                    store.hold_blobs()?;
                    Ok(store)
                });
            }
        }
        let store = Self { dir: dir.into(), adding: OnceLock::new() };
        store.hold_blobs()?;
        let _lock = lock::index(dir)?;
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(Error::io(&blobs))?;
        if !is_there(&dir.join(INDEX_FILE))? {
            store.replace_index(&Index::new(Vec::new()))?;
        }
        // Last: with it the folder is a layout.
        let path = dir.join(LAYOUT_FILE);
        if !is_there(&path)? {
            store.replace(LAYOUT_FILE, LAYOUT).map_err(Error::io(path))?;
        }
        Ok(store)
    }

    /// The layout's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Where the blob of this digest is, or would be. Who reads the file behind the
    /// store's back has to check it too.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.dir.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    /// Whether a blob of this digest and length is there. Its bytes are not read.
    #[must_use]
    pub fn contains(&self, blob: &Descriptor) -> bool {
        fs::metadata(self.blob_path(&blob.digest))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == blob.len_bytes)
    }

    /// Opens a blob; what is read from it is checked.
    ///
    /// # Errors
    /// A blob that is missing, or has another length than the descriptor says.
    pub fn blob(&self, blob: &Descriptor) -> Result<BlobReader, Error> {
        Ok(BlobReader::new(Arc::new(self.blob_file(blob)?), 0, blob))
    }

    /// The file of a blob, of the length that the descriptor says.
    pub(crate) fn blob_file(&self, blob: &Descriptor) -> Result<File, Error> {
        let path = self.blob_path(&blob.digest);
        let opened = open_regular(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (actual, file) = match opened {
            Ok(opened) => opened,
            Err(error) if missing(&error) => return Err(Error::NoBlob(blob.digest.clone())),
            Err(error) => return Err(Error::io(path)(error)),
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
        self.prepare(algorithm)?;
        BlobWriter::new(self, algorithm)
    }

    /// Copies a blob that is checked as it is read, telling `seen` of each part.
    ///
    /// # Errors
    /// [`Error::Source`] for a blob that is damaged or cannot be read; a store that cannot
    /// be written.
    pub fn receive(&self, blob: BlobReader, seen: impl FnMut(u64)) -> Result<(), Error> {
        self.prepare(blob.expected().algorithm())?;
        super::blob::receive(self, blob, seen)
    }

    fn prepare(&self, algorithm: Algorithm) -> Result<(), Error> {
        self.hold_blobs()?;
        let folder = self.dir.join("blobs").join(algorithm.name());
        fs::create_dir_all(&folder).map_err(Error::io(folder))
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
        writer.write_all(bytes).map_err(Error::io(&self.dir))?;
        writer.commit()
    }

    /// The index: what images there are, and their names.
    ///
    /// # Errors
    /// An index that is missing or no index.
    pub fn index(&self) -> Result<Index, Error> {
        let path = self.dir.join(INDEX_FILE);
        let bytes = read_document(&path).map_err(Error::io(&path))?;
        let document =
            |source| Error::Document { name: crate::name::show_path(&path).to_string(), source };
        match Document::parse(&bytes, oci::media_type::INDEX).map_err(document)? {
            Document::Index(index) => Ok(*index),
            Document::Manifest(_) => Err(Error::NotALayout(self.dir.clone())),
        }
    }

    /// Changes the index: `change` gets it as it is now, under a lock. If `change`
    /// fails, or changes nothing, nothing is written.
    ///
    /// # Errors
    /// Whatever `change` returns; an index that cannot be read or written.
    pub fn update<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Index) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = lock::index(&self.dir)?;
        let before = self.index()?;
        let mut index = before.clone();
        let result = change(&mut index)?;
        if index != before {
            self.replace_index(&index)?;
        }
        Ok(result)
    }

    /// Runs `remove` while nobody adds blobs: waits for those who do, but not for ever.
    ///
    /// # Errors
    /// Whatever `remove` returns; [`Error::Busy`]; a store that cannot be locked.
    pub fn exclusively<T, E: From<Error>>(
        &self,
        remove: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match self.adding.get() {
            // What this very store was adding must not keep it waiting for itself.
            Some(held) => {
                let removed =
                    lock::upgrade(&self.dir, held).map_err(E::from).and_then(|()| remove());
                lock::downgrade(&self.dir, held)?;
                removed
            }
            None => {
                let _lock = lock::to_remove(&self.dir)?;
                remove()
            }
        }
    }

    /// From here on, until the store is closed, nobody removes blobs.
    pub(super) fn hold_blobs(&self) -> Result<(), Error> {
        if self.adding.get().is_none() {
            let _ = self.adding.set(lock::to_add(&self.dir)?);
        }
        Ok(())
    }

    fn replace_index(&self, index: &Index) -> Result<(), Error> {
        let path = self.dir.join(INDEX_FILE);
        let document =
            |source| Error::Document { name: crate::name::show_path(&path).to_string(), source };
        let bytes = index.to_bytes().map_err(document)?;
        // What the index will name must be on the disk before it does.
        for folder in ["blobs", "blobs/sha256", "blobs/sha512"] {
            let folder = self.dir.join(folder);
            match sync_folder(&folder) {
                Err(error) if missing(&error) => {}
                synced => synced.map_err(Error::io(folder))?,
            }
        }
        self.replace(INDEX_FILE, &bytes).map_err(Error::io(path))
    }

    /// Replaces a file of the layout, whole or not at all. The index lock is held.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.dir.join(NEW_INDEX_FILE);
        let written = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o644).open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, self.dir.join(name))?;
            sync_folder(&self.dir)
        };
        written().inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })
    }
}

/// Reads a document to its end, bounded and checked.
pub(crate) fn read_checked(mut reader: BlobReader, blob: &Descriptor) -> Result<Vec<u8>, Error> {
    let name = || blob.digest.to_string();
    if blob.len_bytes > MAX_DOCUMENT_LEN_BYTES {
        return Err(Error::Document {
            name: name(),
            source: oci::Error::TooLong { what: "document" },
        });
    }
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|source| Error::Io { path: name().into(), source })?;
    Ok(bytes)
}

/// A folder in which an earlier [`Store::create`] was cut short, or an empty one.
fn holds_only_ours(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let ours = name == "blobs"
            || name == INDEX_FILE
            || name.to_string_lossy().starts_with(".layerutils-");
        if !ours {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether this is what a writer that was killed left behind: our prefix, but no lock.
pub(super) fn is_leftover(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(".layerutils-")
        && ![NEW_INDEX_FILE, lock::INDEX, lock::BLOBS].contains(&name.as_ref())
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_there(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io(path))
}

/// Opens a regular file; a FIFO or device planted in its place must not make us wait.
fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

fn read_document(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than may be there, so that too much is seen as too much.
    open_regular(path)?.take(MAX_DOCUMENT_LEN_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems cannot sync a folder, and need not.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        synced => synced,
    }
}
