//! The threads through which a layer goes.
//!
//! The caller's thread reads, hashes what it reads, and inflates it; one thread
//! computes the DiffID; one parses the archive and makes the tree, with a fourth for
//! small files (see `small.rs`). Chunks are shared, not copied, and there is a fixed
//! number of them, so that memory does not grow with the layer.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::engine::Engine;
use super::{Applied, Error, Expected, Options};
use crate::compression::{Decoder, Format};
use crate::digest::{Algorithm, DiffId, Digest, Hasher};
use crate::root::Root;
use crate::tar;

/// How much is inflated before it is passed on.
const CHUNK_LEN_BYTES: usize = 256 << 10;

/// How many chunks wait for each of the two threads.
const CHUNKS_WAITING: usize = 6;

/// Applies a layer, and says what it was.
pub(super) fn run(
    root: &Root,
    layer: impl Read,
    options: &Options,
    expected: &Expected,
) -> Result<Applied, Error> {
    let algorithm = |digest: Option<&Digest>| digest.map_or(Algorithm::Sha256, Digest::algorithm);
    let outer = algorithm(expected.digest.as_ref());
    let inner = algorithm(expected.diff_id.as_ref().map(|id| &id.0));
    let counted = Rc::new(Cell::new(true));
    let source = Source {
        stream: layer,
        hasher: Hasher::new(outer),
        len_bytes: 0,
        hashes: Rc::clone(&counted),
    };
    let growth = options.max_size.growth(expected.stored_bytes);
    let mut decoder = Decoder::new(source, growth).map_err(Error::Compression)?;
    let format = decoder.format();
    // Hashed once where the stream is the archive.
    let is_archive = format == Format::None && outer == inner;
    counted.set(!is_archive);
    // A digest shows better than a marker that nothing is missing.
    let whole = match (&expected.digest, &expected.diff_id) {
        (None, None) => options.whole,
        _ => tar::Whole::ByDigest,
    };

    thread::scope(|scope| {
        let (to_hash, hashed) = sync_channel::<Arc<Chunk>>(CHUNKS_WAITING);
        let (to_engine, chunks) = sync_channel(CHUNKS_WAITING);
        let hashing = spawn(scope, "diff-id", move || {
            let mut hasher = Hasher::new(inner);
            for chunk in hashed {
                hasher.update(chunk.bytes());
            }
            hasher.finish()
        })?;
        let applying = spawn(scope, "apply", move || {
            let mut reader = tar::Reader::buffered(Chunks::new(chunks), options.limits, whole);
            let mut engine = Engine::new(root, options);
            while let Some(entry) = reader.next_entry()? {
                engine.entry(&entry, &mut reader.content())?;
            }
            reader.finish()?;
            engine.finish()
        })?;
        let archive_len_bytes = inflate(&mut decoder, &to_hash, &to_engine);
        drop((to_hash, to_engine));
        let summary = join(applying)??;
        let diff_id = join(hashing)?;
        // The engine has seen the end, and no error before it.
        let source = decoder.finish().map_err(Error::Compression)?;
        let digest = if is_archive { diff_id.clone() } else { source.hasher.finish() };
        let len_bytes = source.len_bytes;
        let diff_id = DiffId(diff_id);
        Ok(Applied { digest, len_bytes, diff_id, archive_len_bytes, format, summary })
    })
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: &str,
    run: impl FnOnce() -> T + Send + 'scope,
) -> Result<thread::ScopedJoinHandle<'scope, T>, Error> {
    thread::Builder::new().name(name.into()).spawn_scoped(scope, run).map_err(Error::Thread)
}

fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> Result<T, Error> {
    handle.join().map_err(|_| Error::Thread(io::Error::other("a thread has panicked")))
}

/// Passes the archive on, chunk by chunk, until its end, an error, or until the
/// engine wants no more. Gives the number of bytes.
fn inflate(
    decoder: &mut impl Read,
    to_hash: &SyncSender<Arc<Chunk>>,
    to_engine: &SyncSender<io::Result<Arc<Chunk>>>,
) -> u64 {
    let mut passed = 0;
    let mut used: VecDeque<Arc<Chunk>> = VecDeque::new();
    loop {
        // The oldest chunk is free again once both threads are done with it.
        let mut chunk = match used.pop_front() {
            Some(chunk) if Arc::strong_count(&chunk) == 1 => chunk,
            Some(busy) => {
                used.push_front(busy);
                Arc::default()
            }
            None => Arc::default(),
        };
        let filled = match Arc::get_mut(&mut chunk) {
            Some(chunk) => chunk.fill(decoder),
            None => continue,
        };
        match filled {
            Ok(0) => return passed,
            Ok(len) => passed += len as u64,
            Err(error) => {
                let _ = to_engine.send(Err(error));
                return passed;
            }
        }
        if to_engine.send(Ok(Arc::clone(&chunk))).is_err() {
            return passed;
        }
        // A hashing thread that has gone shows when it is joined.
        let _ = to_hash.send(Arc::clone(&chunk));
        used.push_back(chunk);
    }
}

/// A piece of the archive.
#[derive(Debug, Default)]
struct Chunk {
    /// Of one length, once it was filled: what is to be overwritten needs no zeros.
    buffer: Vec<u8>,
    len: usize,
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Fills it as far as the stream goes.
    fn fill(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        self.buffer.resize(CHUNK_LEN_BYTES, 0);
        self.len = 0;
        while let Some(rest) = self.buffer.get_mut(self.len..).filter(|rest| !rest.is_empty()) {
            match stream.read(rest) {
                Ok(0) => break,
                Ok(len) => self.len += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.len)
    }
}

/// The stream as it comes, hashed and counted.
struct Source<R> {
    stream: R,
    hasher: Hasher,
    len_bytes: u64,
    hashes: Rc<Cell<bool>>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buffer)?;
        self.len_bytes += len as u64;
        if self.hashes.get() {
            self.hasher.update(buffer.get(..len).unwrap_or_default());
        }
        Ok(len)
    }
}

/// The archive as the engine's thread receives it.
struct Chunks {
    receiver: Receiver<io::Result<Arc<Chunk>>>,
    current: Arc<Chunk>,
    position: usize,
}

impl Chunks {
    fn new(receiver: Receiver<io::Result<Arc<Chunk>>>) -> Self {
        Self { receiver, current: Arc::default(), position: 0 }
    }
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.position >= self.current.len {
            self.position = 0;
            // Given back first, so that it can be filled again.
            self.current = Arc::default();
            match self.receiver.recv() {
                Ok(chunk) => self.current = chunk?,
                Err(_) => break,
            }
        }
        Ok(self.current.bytes().get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, len: usize) {
        self.position += len;
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), available.get(..len)) {
            to.copy_from_slice(from);
        }
        self.consume(len);
        Ok(len)
    }
}
