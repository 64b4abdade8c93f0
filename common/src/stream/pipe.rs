//! The pipe that an output writes to: made large, and filled with what a file holds
//! without a copy.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::pipe::{self, SpliceFlags};

use super::output;

/// How much a pipe may hold: with the 64 KiB that it begins with, whoever reads it and we
/// would wait for each other all the time. It is what the kernel gives to anybody
/// (`/proc/sys/fs/pipe-max-size`).
const LEN_BYTES: usize = 1 << 20;

/// The writing end of a pipe.
#[derive(Debug)]
pub struct Pipe {
    file: File,
    len_bytes: u64,
}

impl Pipe {
    /// The pipe that `file` is, if it is one.
    pub(super) fn of(file: &File) -> Option<Self> {
        let mut len_bytes = pipe::fcntl_getpipe_size(file).ok()?;
        // A pipe that stays small still works.
        if len_bytes < LEN_BYTES && pipe::fcntl_setpipe_size(file, LEN_BYTES).is_ok() {
            len_bytes = pipe::fcntl_getpipe_size(file).ok()?;
        }
        Some(Self { file: file.try_clone().ok()?, len_bytes: len_bytes as u64 })
    }

    /// How much it holds before somebody reads it.
    #[must_use]
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Passes on up to `len_bytes` of `file` from where that stands, and says how many it
    /// were: 0 at its end. What is in the pipe is still the file's own memory, and changes
    /// with it until it is read.
    ///
    /// # Errors
    /// What splice(2) says, of the pipe or of the file: some cannot be passed on.
    pub fn pass(&self, file: BorrowedFd<'_>, len_bytes: u64) -> io::Result<u64> {
        let len = usize::try_from(len_bytes).map_or(LEN_BYTES, |len| len.min(LEN_BYTES));
        loop {
            match pipe::splice(file, None, &self.file, None, len, SpliceFlags::empty()) {
                Ok(passed) => return Ok(passed as u64),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => {
                    let error = errno.into();
                    output::note_closed(&error);
                    return Err(error);
                }
            }
        }
    }

    /// How much of what was written has not been read; `None` where nobody will.
    #[must_use]
    pub fn unread_bytes(&self) -> Option<u64> {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::empty())];
        let polled = poll(&mut fds, PollTimeout::ZERO);
        let [fd] = fds;
        let is_closed = fd.revents().is_none_or(|events| events.contains(PollFlags::POLLERR));
        if polled.is_err() || is_closed {
            return None;
        }
        rustix::io::ioctl_fionread(&self.file).ok()
    }
}
