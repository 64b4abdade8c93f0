//! Locks of open files, by flock(2). The kernel releases them when a process dies.

use std::fs::File;
use std::io;
use std::ops::Deref;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

/// The way in which a file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With others who share it.
    Shared,
    /// Alone.
    Exclusive,
}

impl Mode {
    fn waiting(self) -> FlockOperation {
        match self {
            Self::Shared => FlockOperation::LockShared,
            Self::Exclusive => FlockOperation::LockExclusive,
        }
    }

    fn at_once(self) -> FlockOperation {
        match self {
            Self::Shared => FlockOperation::NonBlockingLockShared,
            Self::Exclusive => FlockOperation::NonBlockingLockExclusive,
        }
    }
}

/// A locked file, which is unlocked and closed when it is dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Locks `file`, and waits for others.
    ///
    /// # Errors
    /// A file system without locks.
    pub fn wait(file: File, mode: Mode) -> io::Result<Self> {
        retry_on_intr(|| flock(&file, mode.waiting()))?;
        Ok(Self(file))
    }

    /// Locks `file`, or closes it and returns `None` if others hold it.
    ///
    /// # Errors
    /// As [`Lock::wait`].
    pub fn attempt(file: File, mode: Mode) -> io::Result<Option<Self>> {
        Ok(at_once(&file, mode)?.then_some(Self(file)))
    }

    /// Changes the way in which the file is locked, and returns false if others are in the
    /// way: then the lock may be lost.
    ///
    /// # Errors
    /// As [`Lock::wait`].
    pub fn change(&self, mode: Mode) -> io::Result<bool> {
        at_once(&self.0, mode)
    }

    /// As [`Lock::change`], and waits for others.
    ///
    /// # Errors
    /// As [`Lock::wait`].
    pub fn change_waiting(&self, mode: Mode) -> io::Result<()> {
        Ok(retry_on_intr(|| flock(&self.0, mode.waiting()))?)
    }
}

fn at_once(file: &File, mode: Mode) -> io::Result<bool> {
    match retry_on_intr(|| flock(file, mode.at_once())) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

impl Deref for Lock {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The kernel unlocks a file when its last descriptor is closed, and a child that was
        // forked meanwhile may still have one.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
