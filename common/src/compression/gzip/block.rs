//! One block of a gzip stream, deflated on its own.
//!
//! As pigz does it: a block knows the 32 KiB before it, and ends at a byte, so
//! that blocks can be made in any order and be one stream when put together.

use std::io;
use std::sync::Arc;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// How much goes into a block. It decides the compressed bytes.
pub(super) const BLOCK_LEN: usize = 128 << 10;

/// How far back deflate can refer.
const WINDOW_LEN: usize = 32 << 10;

/// A block to deflate.
#[derive(Debug)]
pub(super) struct Job {
    /// The block before it, for what it may refer to.
    pub(super) before: Option<Arc<Vec<u8>>>,
    pub(super) block: Arc<Vec<u8>>,
}

/// A block deflated.
#[derive(Debug)]
pub(super) struct Deflated {
    pub(super) bytes: Vec<u8>,
    /// Of the block itself.
    pub(super) crc: Crc,
}

/// Deflates blocks, one after the other or each on its own: the result is the same.
pub(super) struct Deflater {
    compress: Compress,
}

impl Deflater {
    pub(super) fn new(level: Compression) -> Self {
        Self { compress: Compress::new(level, false) }
    }

    pub(super) fn run(&mut self, job: &Job) -> io::Result<Deflated> {
        self.compress.reset();
        if let Some(before) = &job.before {
            let window = before.get(before.len().saturating_sub(WINDOW_LEN)..).unwrap_or_default();
            self.compress.set_dictionary(window).map_err(io::Error::other)?;
        }
        let mut crc = Crc::new();
        crc.update(&job.block);
        let mut bytes = Vec::with_capacity(job.block.len() / 2 + 1024);
        loop {
            let used = usize::try_from(self.compress.total_in()).unwrap_or(usize::MAX);
            let rest = job.block.get(used..).unwrap_or_default();
            let status = self.compress.compress_vec(rest, &mut bytes, FlushCompress::Sync);
            // Room left over means that all is out.
            match status.map_err(io::Error::other)? {
                Status::Ok | Status::BufError if bytes.len() == bytes.capacity() => {
                    bytes.reserve(job.block.len() / 4 + 1024);
                }
                _ => return Ok(Deflated { bytes, crc }),
            }
        }
    }
}
