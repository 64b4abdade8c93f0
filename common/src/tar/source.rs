//! The stream under an archive, in blocks, with the position in it.

use std::io::{self, BufRead, BufReader, Read, Seek};

use super::{BLOCK_LEN, Block};

/// How much of a block there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    /// All of it.
    Whole,
    /// Nothing: the stream ended before it.
    Nothing,
    /// The stream ended inside it.
    Part,
}

/// A buffered stream that counts, and takes one block back.
#[derive(Debug)]
pub(super) struct Source<R> {
    inner: R,
    offset: u64,
    returned: Block,
    /// How much of `returned` is still to be given again, from its end.
    returned_len: usize,
}

impl<R: Read + Seek> Source<BufReader<R>> {
    /// Goes `len` bytes on, however many there are.
    pub(super) fn seek_over(&mut self, len: u64) -> io::Result<()> {
        let returned = len.min(self.returned_len as u64);
        self.consume(usize::try_from(returned).unwrap_or(usize::MAX));
        let left = i64::try_from(len - returned).map_err(io::Error::other)?;
        self.inner.seek_relative(left)?;
        self.offset += len - returned;
        Ok(())
    }
}

impl<R: BufRead> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, offset: 0, returned: [0; BLOCK_LEN], returned_len: 0 }
    }

    /// Bytes consumed so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What is buffered, more where nothing is; empty at the end of the stream.
    pub(super) fn fill(&mut self) -> io::Result<&[u8]> {
        if self.returned_len > 0 {
            let start = BLOCK_LEN - self.returned_len;
            return Ok(self.returned.get(start..).unwrap_or_default());
        }
        loop {
            match self.inner.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                // Asked twice, as the borrow of a loop's body cannot be returned;
                // the second answer comes from the buffer.
                Ok(_) => break,
            }
        }
        self.inner.fill_buf()
    }

    /// Marks `len` bytes of what [`fill`](Self::fill) gave as used.
    pub(super) fn consume(&mut self, len: usize) {
        self.offset += len as u64;
        if self.returned_len > 0 {
            self.returned_len = self.returned_len.saturating_sub(len);
        } else {
            self.inner.consume(len);
        }
    }

    /// Reads past our buffer where there is nothing in it: a large read goes
    /// straight to the stream below.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.returned_len > 0 {
            let available = self.fill()?;
            let len = available.len().min(buffer.len());
            for (to, from) in buffer.iter_mut().zip(available) {
                *to = *from;
            }
            self.consume(len);
            return Ok(len);
        }
        loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(len) => {
                    self.offset += len as u64;
                    return Ok(len);
                }
            }
        }
    }

    /// Reads one block.
    pub(super) fn block(&mut self, block: &mut Block) -> io::Result<Filled> {
        let mut rest = block.as_mut_slice();
        while !rest.is_empty() {
            let available = self.fill()?;
            let len = available.len().min(rest.len());
            if len == 0 {
                let nothing = rest.len() == BLOCK_LEN;
                return Ok(if nothing { Filled::Nothing } else { Filled::Part });
            }
            let (now, later) = rest.split_at_mut(len);
            now.copy_from_slice(available.get(..len).unwrap_or_default());
            rest = later;
            self.consume(len);
        }
        Ok(Filled::Whole)
    }

    /// Gives a block back, to be read again.
    pub(super) fn put_back(&mut self, block: &Block) {
        debug_assert_eq!(self.returned_len, 0, "one block is taken back at most");
        self.returned = *block;
        self.returned_len = BLOCK_LEN;
        self.offset -= BLOCK_LEN as u64;
    }

    /// Discards `len` bytes, and says how many there were.
    pub(super) fn skip(&mut self, len: u64) -> io::Result<u64> {
        let mut left = len;
        while left > 0 {
            let available = self.fill()?.len() as u64;
            if available == 0 {
                break;
            }
            let step = available.min(left);
            self.consume(usize::try_from(step).unwrap_or(usize::MAX));
            left -= step;
        }
        Ok(len - left)
    }

    pub(super) fn into_inner(self) -> R {
        self.inner
    }
}
