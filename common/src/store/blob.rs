//! Blobs: written without a name until they are whole, checked as they are read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::dir::{Dir, Links};
use super::{Error, Store};
use crate::cleanup::{self, Guard};
use crate::compression::MaxSize;
use crate::digest::{Algorithm, DiffId, Digest, Hasher, Hashing};
use crate::layer::verify::{self, Verifier};
use crate::oci::Descriptor;

/// Large enough that hashing, not system calls, sets the pace.
const BUFFER_LEN_BYTES: usize = 128 * 1024;

/// How much of a blob is read at a time, and how many such parts may wait to be written.
const PART_LEN_BYTES: usize = 256 * 1024;
const PARTS: usize = 4;

/// A blob on its way into the store. Dropped without [`BlobWriter::commit`], it was never there.
#[derive(Debug)]
pub struct BlobWriter<'s> {
    store: &'s Store,
    /// Where it goes.
    blobs: &'s Dir,
    writer: BufWriter<Hashing<File>>,
    temporary: Temporary,
}

/// What the bytes are called until they are whole.
#[derive(Debug)]
enum Temporary {
    /// Nothing (`O_TMPFILE`): a crash leaves no trace.
    Nameless,
    /// A hidden name in the layout, where the file system knows no nameless files.
    Named(String, Guard),
}

impl<'s> BlobWriter<'s> {
    pub(super) fn new(
        store: &'s Store,
        blobs: &'s Dir,
        algorithm: Algorithm,
    ) -> Result<Self, Error> {
        let (file, temporary) = temporary(&store.dir)?;
        let writer =
            BufWriter::with_capacity(BUFFER_LEN_BYTES, Hashing::with_algorithm(file, algorithm));
        Ok(Self { store, blobs, writer, temporary })
    }

    /// Puts the blob in its place, synced to the disk; its digest and length in bytes.
    /// A blob that is there already is left alone.
    ///
    /// # Errors
    /// A disk that is full or fails.
    pub fn commit(self) -> Result<(Digest, u64), Error> {
        let dir = self.store.path();
        let hashing =
            self.writer.into_inner().map_err(|error| Error::io(dir)(error.into_error()))?;
        let (file, digest, len_bytes) = hashing.finish();
        place(self.store, self.blobs, &file, self.temporary, &digest, len_bytes)?;
        Ok((digest, len_bytes))
    }
}

impl BlobWriter<'_> {
    /// As [`BlobWriter::commit`], for a layer that was made here, uncompressed: it needs no
    /// check before it is used.
    ///
    /// # Errors
    /// As [`BlobWriter::commit`].
    pub fn commit_layer(self) -> Result<(Digest, u64), Error> {
        let (digest, len_bytes) = self.commit()?;
        verify::remember(&digest, &DiffId(digest.clone()));
        Ok((digest, len_bytes))
    }
}

/// Puts the file of a whole blob in its place, synced to the disk.
fn place(
    store: &Store,
    blobs: &Dir,
    file: &File,
    temporary: Temporary,
    digest: &Digest,
    len_bytes: u64,
) -> Result<(), Error> {
    if blobs.len_of(digest.hex(), Links::Refuse) == Some(len_bytes) {
        return Ok(());
    }
    file.sync_data().map_err(Error::io(store.path()))?;
    let placed = match temporary {
        Temporary::Nameless => link(file, len_bytes, &store.dir, blobs, digest.hex()),
        Temporary::Named(name, guard) => {
            let renamed = store.dir.rename_into(&name, blobs, digest.hex());
            if renamed.is_ok() {
                guard.forget();
            }
            renamed
        }
    };
    placed.map_err(Error::io(store.blob_path(digest)))
}

/// Copies `blob` into the store. It is hashed once, where it is read; that and the writing
/// go on at the same time.
pub(super) fn receive(
    store: &Store,
    blobs: &Dir,
    mut blob: BlobReader,
    mut seen: impl FnMut(u64),
) -> Result<(), Error> {
    let dir = store.path();
    let (mut file, temporary) = temporary(&store.dir)?;
    let (digest, len_bytes) = (blob.expected.clone(), blob.len_bytes);
    let source = |source| Error::Source { digest: digest.clone(), source };
    if len_bytes <= PART_LEN_BYTES as u64 {
        // No work for two.
        let mut whole = Vec::new();
        blob.read_to_end(&mut whole).map_err(source)?;
        file.write_all(&whole).map_err(Error::io(dir))?;
        seen(len_bytes);
        return place(store, blobs, &file, temporary, &digest, len_bytes);
    }
    let (full, parts) = std::sync::mpsc::sync_channel::<Vec<u8>>(PARTS);
    let (empty, used) = std::sync::mpsc::channel::<Vec<u8>>();
    std::thread::scope(|scope| {
        let read = move || -> io::Result<()> {
            loop {
                let mut part = used.try_recv().unwrap_or_default();
                part.resize(PART_LEN_BYTES, 0);
                let len = blob.read(&mut part)?;
                part.truncate(len);
                // Nobody takes it if it could not be written.
                if len == 0 || full.send(part).is_err() {
                    return Ok(());
                }
            }
        };
        let thread = std::thread::Builder::new().name("blob".into());
        let reading = thread.spawn_scoped(scope, read).map_err(Error::io(dir))?;
        let written = parts.into_iter().try_for_each(|part| {
            file.write_all(&part)?;
            seen(part.len() as u64);
            let _ = empty.send(part);
            Ok(())
        });
        match (reading.join(), written) {
            (_, Err(error)) => Err(Error::io(dir)(error)),
            (Ok(Err(error)), _) => Err(source(error)),
            (Ok(Ok(())), Ok(())) => place(store, blobs, &file, temporary, &digest, len_bytes),
            (Err(panic), _) => std::panic::resume_unwind(panic),
        }
    })
}

impl Write for BlobWriter<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn temporary(dir: &Dir) -> Result<(File, Temporary), Error> {
    match dir.nameless() {
        Some(file) => Ok((file, Temporary::Nameless)),
        None => named(dir).map_err(Error::io(dir.path())),
    }
}

fn named(dir: &Dir) -> io::Result<(File, Temporary)> {
    let (name, file) = hidden(|name| dir.create(name))?;
    let (folder, leftover) = (dir.try_clone()?, name.clone());
    let guard = cleanup::register(move || {
        let _ = folder.remove(leftover.as_str());
    });
    Ok((file, Temporary::Named(name, guard)))
}

/// Makes something under a hidden name that nothing has yet.
fn hidden<T>(make: impl Fn(&str) -> io::Result<T>) -> io::Result<(String, T)> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".layerutils-{}-{number}", std::process::id());
        match make(&name) {
            // Left by a process that had our number, perhaps on another machine.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (name, made)),
        }
    }
}

/// Gives a nameless file its name. A blob of the right length is the same blob; one of
/// another length is damaged, and is replaced, and so is a link.
pub(super) fn link(
    file: &File,
    len_bytes: u64,
    dir: &Dir,
    blobs: &Dir,
    name: &str,
) -> io::Result<()> {
    match blobs.link(file, name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if blobs.len_of(name, Links::Refuse) == Some(len_bytes) {
                return Ok(());
            }
            let (aside, ()) = hidden(|aside| dir.link(file, aside))?;
            dir.rename_into(&aside, blobs, name).inspect_err(|_| {
                let _ = dir.remove(aside.as_str());
            })
        }
        linked => linked,
    }
}

/// A blob that is checked against its descriptor as it is read: the read that would
/// give out its last byte fails instead if length or digest are wrong.
#[derive(Debug)]
pub struct BlobReader {
    bytes: Bytes,
    position: u64,
    len_bytes: u64,
    expected: Digest,
    hasher: Option<Hasher>,
    verifier: Option<Verifier>,
    max_size: MaxSize,
}

/// Where a blob's bytes are.
enum Bytes {
    /// In a file, from a byte on: other blobs may lie in the same file.
    File(Arc<File>, u64),
    Memory(Arc<[u8]>),
    /// Somewhere that gives them once, in order.
    Stream(Box<dyn Read + Send>),
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File(..) => "File",
            Self::Memory(_) => "Memory",
            Self::Stream(_) => "Stream",
        })
    }
}

impl Bytes {
    /// `position` is where the last read ended.
    fn read_at(&mut self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.read(buffer),
            Self::File(file, start) => file.read_at(buffer, *start + position),
            Self::Memory(bytes) => {
                let position = usize::try_from(position).unwrap_or(usize::MAX);
                bytes.get(position..).unwrap_or_default().read(buffer)
            }
        }
    }
}

impl BlobReader {
    /// Reads the blob of `descriptor` from `file`, where it begins at byte `start`.
    #[must_use]
    pub fn new(file: Arc<File>, start: u64, descriptor: &Descriptor) -> Self {
        Self::of(Bytes::File(file, start), descriptor)
    }

    /// Reads the blob of `descriptor` from memory.
    #[must_use]
    pub fn in_memory(bytes: Arc<[u8]>, descriptor: &Descriptor) -> Self {
        Self::of(Bytes::Memory(bytes), descriptor)
    }

    /// Reads the blob of `descriptor` from a stream that begins with it. No more is
    /// read than it may have.
    #[must_use]
    pub fn streamed(stream: impl Read + Send + 'static, descriptor: &Descriptor) -> Self {
        Self::of(Bytes::Stream(Box::new(stream)), descriptor)
    }

    fn of(bytes: Bytes, descriptor: &Descriptor) -> Self {
        let expected = descriptor.digest.clone();
        let hasher = Some(Hasher::new(expected.algorithm()));
        let len_bytes = descriptor.len_bytes;
        Self {
            bytes,
            position: 0,
            len_bytes,
            expected,
            hasher,
            verifier: None,
            max_size: MaxSize::default(),
        }
    }

    /// The blob as a layer that may grow to `max_size`, for a check that comes next.
    #[must_use]
    pub fn growing_to(self, max_size: MaxSize) -> Self {
        Self { max_size, ..self }
    }

    /// Checks the blob as a layer too, unless it is known to be one with this DiffID: see
    /// [`verify`]. The last read then fails if it is not.
    #[must_use]
    pub fn verified(mut self, diff_id: &DiffId) -> Self {
        if !verify::is_known(&self.expected, diff_id) {
            let growth = self.max_size.growth(Some(self.len_bytes));
            let verifier = Verifier::new(self.expected.clone(), diff_id.clone(), growth);
            self.verifier = Some(verifier);
        }
        self
    }

    /// Reads the blob to its end, to check it, as a layer with this DiffID if one is given.
    ///
    /// # Errors
    /// [`Error::Source`] for a blob that is damaged, or not that layer.
    pub fn check_as(self, diff_id: Option<&DiffId>) -> Result<(), Error> {
        let digest = self.expected.clone();
        let mut reader = match diff_id {
            Some(diff_id) => self.verified(diff_id),
            None => self,
        };
        let mut part = vec![0; PART_LEN_BYTES];
        loop {
            match reader.read(&mut part) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(source) => return Err(Error::Source { digest, source }),
            }
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    pub(super) fn expected(&self) -> &Digest {
        &self.expected
    }

    fn check(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        let actual = hasher.finish();
        if actual != self.expected {
            let error = Error::Digest { expected: self.expected.clone(), actual };
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(self.verifier.take().map_or(Ok(()), Verifier::finish)?)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len_bytes - self.position).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if left == 0 {
            return self.check().map(|()| 0);
        }
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let len = self.bytes.read_at(part, self.position)?;
        if len == 0 && wanted > 0 {
            let error = Error::Size {
                digest: self.expected.clone(),
                expected: self.len_bytes,
                actual: self.position,
            };
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
        }
        let read = part.get(..len).unwrap_or_default();
        if let Some(hasher) = &mut self.hasher {
            hasher.update(read);
        }
        if let Some(verifier) = &mut self.verifier {
            verifier.update(read)?;
        }
        self.position += len as u64;
        if self.position == self.len_bytes {
            self.check()?;
        }
        Ok(len)
    }
}
