//! Where the bytes of a file are: on the host, in a layer, or in memory.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, OnceLock};

use common::compression::{Decoder, Format, Growth};
use common::digest::{Algorithm, Digest, Hasher};
use common::image::Layer;
use common::root::Root;
use common::store::Store;
use common::tar;

/// A regular file of a tree.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) len_bytes: u64,
    pub(crate) content: Content,
    /// Of its content; asked for with [`File::digest`].
    pub(crate) digest: Arc<OnceLock<Digest>>,
}

/// Where a file's bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A path below a directory of the host.
    Host { root: Arc<HostRoot>, path: Vec<u8> },
    /// A member of an archive, by the position of its first header.
    Member { archive: Arc<Archive>, position: u64 },
    /// Given in the Containerfile.
    Bytes(Arc<[u8]>),
}

/// A directory of the host that paths cannot leave.
#[derive(Debug)]
pub(crate) struct HostRoot(pub(crate) Root);

/// A plain tar archive that members are read from at any position.
#[derive(Debug)]
pub(crate) struct Archive {
    file: OnceLock<fs::File>,
    layer: Option<(Arc<Store>, Layer, Growth)>,
}

impl Archive {
    /// An archive that is open, not compressed.
    pub(crate) fn new(file: fs::File) -> Self {
        Self { file: OnceLock::from(file), layer: None }
    }

    /// A layer, opened when it is first read from: as it is if it is plain, else
    /// through a copy in a file without a name.
    pub(crate) fn of_layer(store: Arc<Store>, layer: Layer, growth: Growth) -> Self {
        Self { file: OnceLock::new(), layer: Some((store, layer, growth)) }
    }

    fn file(&self) -> io::Result<&fs::File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let Some((store, layer, growth)) = &self.layer else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let blob = store.blob(&layer.descriptor).map_err(io::Error::other)?;
        let file = spool(Decoder::new(blob, growth.clone())?)?;
        Ok(self.file.get_or_init(|| file))
    }

    /// The content of the member whose first header is at `position`.
    fn member(&self, position: u64) -> io::Result<impl Read + use<>> {
        let stream = At { file: self.file()?.try_clone()?, position };
        let limits = tar::Limits::default();
        let mut reader = tar::Reader::new(stream, limits, tar::Whole::ByDigest);
        reader.next_entry().map_err(io::Error::other)?;
        Ok(MemberContent(reader))
    }
}

/// Copies a stream to a file that has no name.
pub(crate) fn spool(mut stream: impl Read) -> io::Result<fs::File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut stream, &mut file)?;
    Ok(file)
}

/// Whether a blob can be read from without a copy.
pub(crate) fn is_plain(start: &[u8]) -> bool {
    Format::detect(start) == Format::None
}

struct MemberContent(tar::Reader<io::BufReader<At>>);

impl Read for MemberContent {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.content().read(buffer)
    }
}

/// Reads a file from a position, whatever its other readers do.
#[derive(Debug)]
pub(crate) struct At {
    pub(crate) file: fs::File,
    pub(crate) position: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(buffer, self.position)?;
        self.position += len as u64;
        Ok(len)
    }
}

impl File {
    /// A file whose bytes are at hand.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self {
            len_bytes: bytes.len() as u64,
            content: Content::Bytes(bytes.into()),
            digest: Arc::new(OnceLock::from(Digest::of(bytes))),
        }
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(match &self.content {
            Content::Host { root, path } => {
                let file = root.0.open_file(path).map_err(io::Error::from)?;
                Box::new(fs::File::from(file))
            }
            Content::Member { archive, position } => Box::new(archive.member(*position)?),
            Content::Bytes(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
        })
    }

    /// The digest of the content, computed at most once.
    ///
    /// # Errors
    /// A file that cannot be read, or is no longer as long as it was.
    pub(crate) fn digest(&self) -> io::Result<Digest> {
        if let Some(digest) = self.digest.get() {
            return Ok(digest.clone());
        }
        let mut reader = self.open()?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut buffer = vec![0; 128 * 1024];
        let mut len_bytes = 0;
        loop {
            let len = reader.read(&mut buffer)?;
            if len == 0 {
                break;
            }
            hasher.update(buffer.get(..len).unwrap_or_default());
            len_bytes += len as u64;
        }
        if len_bytes != self.len_bytes {
            return Err(changed());
        }
        Ok(self.digest.get_or_init(|| hasher.finish()).clone())
    }

    /// Reads the content; where its digest is known, a content that no longer has
    /// it is an error at its end.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub(crate) fn read(&self) -> io::Result<Box<dyn Read>> {
        let reader = self.open()?;
        match self.digest.get() {
            None => Ok(reader),
            Some(digest) => Ok(Box::new(Checked {
                reader,
                hasher: Some(Hasher::new(digest.algorithm())),
                expected: digest.clone(),
            })),
        }
    }

    /// The whole content of a file that should be small (`/etc/passwd`).
    ///
    /// # Errors
    /// A file that cannot be read, or is longer than `limit_bytes`.
    pub(crate) fn small(&self, limit_bytes: u64) -> io::Result<Vec<u8>> {
        if self.len_bytes > limit_bytes {
            return Err(io::Error::other(format!("larger than {limit_bytes} bytes")));
        }
        let mut bytes = Vec::new();
        self.read()?.take(limit_bytes).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

fn changed() -> io::Error {
    io::Error::other("changed while it was read")
}

/// A reader that fails at the end if the content is not what it was.
struct Checked {
    reader: Box<dyn Read>,
    hasher: Option<Hasher>,
    expected: Digest,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        if len > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(buffer.get(..len).unwrap_or_default());
            }
        } else if !buffer.is_empty() {
            if let Some(hasher) = self.hasher.take() {
                if hasher.finish() != self.expected {
                    return Err(changed());
                }
            }
        }
        Ok(len)
    }
}
