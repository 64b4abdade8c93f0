//! The check of a blob whose bytes pass by.

use std::io::{self, Read};
use std::mem;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use super::{Error, remember, verify};
use crate::compression::Growth;
use crate::digest::{DiffId, Digest};

/// How much is passed on at a time. A blob that is no longer is checked without a thread.
const CHUNK_LEN_BYTES: usize = 256 << 10;

/// How many chunks wait: with those in use on both sides, they bound the memory.
const CHUNKS_WAITING: usize = 4;

/// Checks a layer whose blob is shown to it from the first byte to the last.
#[derive(Debug)]
pub struct Verifier {
    blob: Digest,
    diff_id: DiffId,
    growth: Growth,
    chunk: Vec<u8>,
    worker: Option<Worker>,
}

#[derive(Debug)]
struct Worker {
    chunks: SyncSender<Vec<u8>>,
    /// Chunks whose memory is free again.
    read: Receiver<Vec<u8>>,
    thread: JoinHandle<Result<(), Error>>,
}

impl Verifier {
    /// Begins the check that `blob` is a layer with this DiffID that grows no further.
    #[must_use]
    pub fn new(blob: Digest, diff_id: DiffId, growth: Growth) -> Self {
        Self { blob, diff_id, growth, chunk: Vec::new(), worker: None }
    }

    /// Takes in the next bytes of the blob. The verdict comes at the end, when the blob's
    /// digest is known too: damage on the way is not to be taken for a bad layer.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.chunk.len() == CHUNK_LEN_BYTES {
                self.pass_on()?;
            }
            self.chunk.reserve_exact(CHUNK_LEN_BYTES - self.chunk.len());
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_LEN_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Waits for the verdict, and remembers a good one.
    ///
    /// # Errors
    /// The blob is not a layer with this DiffID.
    pub fn finish(mut self) -> Result<(), Error> {
        match self.worker.take() {
            None => verify(&*self.chunk, &self.blob, &self.diff_id, self.growth)?,
            Some(worker) => worker.finish(mem::take(&mut self.chunk))?,
        }
        remember(&self.blob, &self.diff_id);
        Ok(())
    }

    /// Gives a full chunk to the thread that checks, and begins another.
    fn pass_on(&mut self) -> Result<(), Error> {
        let worker = match &mut self.worker {
            Some(worker) => worker,
            none => none.insert(Worker::start(&self.blob, &self.diff_id, self.growth.clone())?),
        };
        let mut empty = worker.read.try_recv().unwrap_or_default();
        empty.clear();
        // Nobody takes it once the verdict is reached.
        let _ = worker.chunks.send(mem::replace(&mut self.chunk, empty));
        Ok(())
    }
}

impl Worker {
    fn start(blob: &Digest, diff_id: &DiffId, growth: Growth) -> Result<Self, Error> {
        let (chunks, waiting) = sync_channel(CHUNKS_WAITING);
        let (emptied, read) = channel();
        let (blob, diff_id) = (blob.clone(), diff_id.clone());
        let stream = Chunks { waiting, emptied, chunk: Vec::new(), position: 0 };
        let run = move || verify(stream, &blob, &diff_id, growth);
        let thread = thread::Builder::new().name("verify".into()).spawn(run);
        Ok(Self { chunks, read, thread: thread.map_err(Error::Thread)? })
    }

    fn finish(self, last: Vec<u8>) -> Result<(), Error> {
        let _ = self.chunks.send(last);
        drop(self.chunks);
        match self.thread.join() {
            Ok(verdict) => verdict,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// The blob as the thread reads it.
struct Chunks {
    waiting: Receiver<Vec<u8>>,
    emptied: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    position: usize,
}

impl Read for Chunks {
    fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
        if self.position == self.chunk.len() {
            // The other side ends when all is read; nothing comes after that.
            let Ok(next) = self.waiting.recv() else { return Ok(0) };
            let _ = self.emptied.send(mem::replace(&mut self.chunk, next));
            self.position = 0;
        }
        let left = self.chunk.get(self.position..).unwrap_or_default();
        let len = io::Write::write(&mut buffer, left)?;
        self.position += len;
        Ok(len)
    }
}
