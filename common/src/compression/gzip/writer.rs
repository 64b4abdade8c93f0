//! A gzip stream written in blocks that are deflated on all processors.
//!
//! Blocks go out to the workers in turn and come back in turn, so that the stream
//! does not depend on how many workers there are, nor on how fast each is. The
//! caller's thread does the writing. With one processor it does everything.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use flate2::{Compression, Crc};

use super::block::{BLOCK_LEN, Deflated, Deflater, Job};

/// No name and no time: neither is the layer's. The system is "unknown".
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The last block of deflate's own, with nothing in it, after the blocks of ours.
const EMPTY_LAST_BLOCK: [u8; 2] = [3, 0];

/// How many blocks a worker may be ahead of the writing.
const BLOCKS_AHEAD: usize = 3;

/// A gzip stream of one member.
pub(in crate::compression) struct GzipWriter<W> {
    stream: W,
    level: Compression,
    threads: usize,
    pool: Pool,
    /// Filled up to [`BLOCK_LEN`].
    block: Vec<u8>,
    before: Option<Arc<Vec<u8>>>,
    crc: Crc,
}

/// Who deflates.
enum Pool {
    /// The caller, as long as there is but one block, or one processor.
    Caller(Box<Deflater>),
    Workers(Workers),
}

impl<W: Write> GzipWriter<W> {
    /// Begins a stream with as many workers as there are processors.
    pub(in crate::compression) fn new(stream: W, level: Compression) -> io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(stream, level, threads)
    }

    pub(super) fn with_threads(
        mut stream: W,
        level: Compression,
        threads: usize,
    ) -> io::Result<Self> {
        stream.write_all(&HEADER)?;
        Ok(Self {
            stream,
            level,
            threads,
            pool: Pool::Caller(Box::new(Deflater::new(level))),
            block: Vec::with_capacity(BLOCK_LEN),
            before: None,
            crc: Crc::new(),
        })
    }

    pub(in crate::compression) fn get_mut(&mut self) -> &mut W {
        &mut self.stream
    }

    /// Writes what is left, the checksum and the length.
    pub(in crate::compression) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.submit()?;
        }
        if let Pool::Workers(workers) = &mut self.pool {
            while let Some(deflated) = workers.next()? {
                put(&mut self.stream, &mut self.crc, &deflated)?;
            }
        }
        self.stream.write_all(&EMPTY_LAST_BLOCK)?;
        self.stream.write_all(&self.crc.sum().to_le_bytes())?;
        self.stream.write_all(&self.crc.amount().to_le_bytes())?;
        self.stream.flush()?;
        Ok(self.stream)
    }

    /// Has the block deflated, and writes what has been by then.
    fn submit(&mut self) -> io::Result<()> {
        let is_first = self.before.is_none();
        let is_last = self.block.len() < BLOCK_LEN;
        // Threads are not worth their start for a single block.
        if is_first && !is_last && self.threads > 1 {
            self.pool = Pool::Workers(Workers::start(self.threads, self.level)?);
        }
        let empty = Vec::with_capacity(BLOCK_LEN);
        let block = Arc::new(std::mem::replace(&mut self.block, empty));
        let job = Job { before: self.before.replace(Arc::clone(&block)), block };
        match &mut self.pool {
            Pool::Caller(deflater) => put(&mut self.stream, &mut self.crc, &deflater.run(&job)?),
            Pool::Workers(workers) => {
                if workers.are_ahead() {
                    if let Some(deflated) = workers.next()? {
                        put(&mut self.stream, &mut self.crc, &deflated)?;
                    }
                }
                workers.submit(job)
            }
        }
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // Before more is taken in, so that an error is told of what was not.
        if self.block.len() == BLOCK_LEN {
            self.submit()?;
        }
        let len = buffer.len().min(BLOCK_LEN - self.block.len());
        self.block.extend_from_slice(buffer.get(..len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn put(stream: &mut impl Write, crc: &mut Crc, deflated: &Deflated) -> io::Result<()> {
    crc.combine(&deflated.crc);
    stream.write_all(&deflated.bytes)
}

/// Threads that deflate; they end when this is dropped.
struct Workers {
    workers: Vec<Worker>,
    /// How many blocks have gone out, and how many have come back.
    submitted: usize,
    returned: usize,
}

struct Worker {
    jobs: Sender<Job>,
    results: Receiver<io::Result<Deflated>>,
}

impl Workers {
    fn start(threads: usize, level: Compression) -> io::Result<Self> {
        let workers = (0..threads).map(|_| Worker::start(level)).collect::<io::Result<_>>()?;
        Ok(Self { workers, submitted: 0, returned: 0 })
    }

    fn are_ahead(&self) -> bool {
        self.submitted - self.returned >= self.workers.len() * BLOCKS_AHEAD
    }

    fn submit(&mut self, job: Job) -> io::Result<()> {
        let worker = self.workers.get(self.submitted % self.workers.len()).ok_or_else(gone)?;
        worker.jobs.send(job).map_err(|_| gone())?;
        self.submitted += 1;
        Ok(())
    }

    /// The next block in order, once it is there; `None` after the last one.
    fn next(&mut self) -> io::Result<Option<Deflated>> {
        if self.returned == self.submitted {
            return Ok(None);
        }
        let worker = self.workers.get(self.returned % self.workers.len()).ok_or_else(gone)?;
        self.returned += 1;
        worker.results.recv().map_err(|_| gone())?.map(Some)
    }
}

impl Worker {
    fn start(level: Compression) -> io::Result<Self> {
        let (jobs, received) = channel::<Job>();
        let (send, results) = channel();
        thread::Builder::new().name("gzip".into()).spawn(move || {
            let mut deflater = Deflater::new(level);
            for job in received {
                if send.send(deflater.run(&job)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { jobs, results })
    }
}

fn gone() -> io::Error {
    io::Error::other("a gzip thread has ended early")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::Compression;
    use flate2::read::GzDecoder;

    use super::{BLOCK_LEN, GzipWriter};

    fn sample(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Half of it random, half of it repeating.
            if state & 0x8000_0000 == 0 { b'a' } else { (state >> 16) as u8 }
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    fn compress(plain: &[u8], threads: usize, write_len: usize) -> Vec<u8> {
        let level = Compression::new(6);
        let mut writer = GzipWriter::with_threads(Vec::new(), level, threads).unwrap();
        for chunk in plain.chunks(write_len) {
            writer.write_all(chunk).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn every_length_around_a_block_reads_back() {
        for len in [0, 1, BLOCK_LEN - 1, BLOCK_LEN, BLOCK_LEN + 1, 2 * BLOCK_LEN, 5 * BLOCK_LEN + 7]
        {
            let plain = sample(len);
            let compressed = compress(&plain, 3, 50_000);
            let mut read = Vec::new();
            GzDecoder::new(&compressed[..]).read_to_end(&mut read).unwrap();
            assert!(read == plain, "{len}");
        }
    }

    #[test]
    fn the_bytes_depend_on_neither_threads_nor_write_lengths() {
        let plain = sample(7 * BLOCK_LEN + 11);
        let reference = compress(&plain, 1, plain.len());
        for (threads, write_len) in [(1, 1000), (2, 4096), (3, BLOCK_LEN), (8, 200_000)] {
            assert!(compress(&plain, threads, write_len) == reference, "{threads} {write_len}");
        }
        assert!(reference.len() < plain.len());
    }

    #[test]
    fn blocks_refer_to_what_is_before_them() {
        // Noise that repeats at a distance of 20 KiB: without the block before, each
        // block would hold it anew.
        let noise: Vec<u8> = sample(20 << 10).into_iter().filter(|&byte| byte != b'a').collect();
        let plain: Vec<u8> = noise.iter().copied().cycle().take(16 * BLOCK_LEN).collect();
        assert!(compress(&plain, 2, 1 << 20).len() < noise.len() + 16 * 2048);
    }

    #[test]
    fn a_stream_that_fails_is_an_error_and_ends_the_threads() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
                self.0 = self
                    .0
                    .checked_sub(buffer.len())
                    .ok_or_else(|| std::io::Error::from_raw_os_error(libc::ENOSPC))?;
                Ok(buffer.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut writer = GzipWriter::with_threads(Full(1000), Compression::new(1), 2).unwrap();
        let error = writer.write_all(&sample(64 * BLOCK_LEN)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }
}
