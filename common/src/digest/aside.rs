//! A digest computed beside the thread that has the bytes.

use std::mem;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use super::{Algorithm, Digest, Hasher};

/// How much is passed on at a time: waking a thread takes as long as hashing a little.
const CHUNK_LEN_BYTES: usize = 256 << 10;

/// How many chunks wait. With the one being filled and the one being hashed, they bound
/// the memory.
const CHUNKS_WAITING: usize = 4;

/// Hashes what it is given on a thread of its own, if it is much.
///
/// The bytes are copied, which takes a tenth of the time that hashing them does.
#[derive(Debug)]
pub struct AsideHasher {
    chunk: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// There is little so far; or no second processor, or no second thread to be had.
    Here(Hasher),
    There(Worker),
}

#[derive(Debug)]
struct Worker {
    chunks: SyncSender<Vec<u8>>,
    /// Chunks whose memory is free again.
    hashed: Receiver<Vec<u8>>,
    thread: JoinHandle<Hasher>,
}

impl AsideHasher {
    /// Starts a digest.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self { chunk: Vec::new(), state: State::Here(Hasher::new(algorithm)) }
    }

    /// Takes in more bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.chunk.len() == CHUNK_LEN_BYTES {
                self.pass_on();
            }
            self.chunk.reserve_exact(CHUNK_LEN_BYTES - self.chunk.len());
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_LEN_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
        }
    }

    /// The digest of all that was taken in.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut hasher = match self.state {
            State::Here(hasher) => hasher,
            State::There(worker) => worker.finish(),
        };
        hasher.update(&self.chunk);
        hasher.finish()
    }

    /// Has a full chunk hashed, and begins another.
    fn pass_on(&mut self) {
        if let State::Here(hasher) = &mut self.state {
            match Worker::start(hasher) {
                Some(worker) => self.state = State::There(worker),
                None => {
                    hasher.update(&self.chunk);
                    self.chunk.clear();
                }
            }
        }
        if let State::There(worker) = &mut self.state {
            let mut empty = worker.hashed.try_recv().unwrap_or_default();
            empty.clear();
            // It only ends when this does.
            let _ = worker.chunks.send(mem::replace(&mut self.chunk, empty));
        }
    }
}

impl Worker {
    /// Goes on from `hasher` where there is a processor for it.
    fn start(hasher: &Hasher) -> Option<Self> {
        thread::available_parallelism().ok().filter(|processors| processors.get() > 1)?;
        let (chunks, waiting) = sync_channel(CHUNKS_WAITING);
        let (emptied, hashed) = channel();
        let hasher = hasher.clone();
        let run = move || hash(hasher, &waiting, &emptied);
        let thread = thread::Builder::new().name("digest".into()).spawn(run).ok()?;
        Some(Self { chunks, hashed, thread })
    }

    fn finish(self) -> Hasher {
        drop(self.chunks);
        match self.thread.join() {
            Ok(hasher) => hasher,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn hash(mut hasher: Hasher, chunks: &Receiver<Vec<u8>>, emptied: &Sender<Vec<u8>>) -> Hasher {
    for chunk in chunks {
        hasher.update(&chunk);
        // Nobody waits for the last ones.
        let _ = emptied.send(chunk);
    }
    hasher
}

#[cfg(test)]
mod tests {
    use super::{AsideHasher, CHUNK_LEN_BYTES};
    use crate::digest::{Algorithm, Digest};

    #[test]
    fn digests_are_those_of_the_same_bytes_hashed_at_once() {
        for len in [0, 1, CHUNK_LEN_BYTES, CHUNK_LEN_BYTES + 1, 20 * CHUNK_LEN_BYTES + 7] {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 31 + at / 253) as u8).collect();
            for piece_len in [1 + len / 3, 5 * CHUNK_LEN_BYTES, 4099] {
                let mut hasher = AsideHasher::new(Algorithm::Sha256);
                bytes.chunks(piece_len).for_each(|piece| hasher.update(piece));
                assert_eq!(hasher.finish(), Digest::of(&bytes), "{len} {piece_len}");
            }
        }
    }
}
