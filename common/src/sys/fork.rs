//! fork(2), for processes that are known to have one thread.

use std::io;

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

/// Proof that this process has one thread, and starts no other.
///
/// After fork(2) in a process with threads, a lock that another thread held stays
/// locked for ever in the child; with one thread there is no such lock.
#[derive(Debug)]
pub struct SingleThread(());

impl SingleThread {
    /// Checks that there is one thread.
    ///
    /// The caller promises to start none while it holds the proof.
    ///
    /// # Errors
    /// There are more, or /proc does not tell.
    pub fn check() -> io::Result<Self> {
        let threads = std::fs::read_dir("/proc/self/task")?.count();
        if threads == 1 {
            Ok(Self(()))
        } else {
            Err(io::Error::other(format!("{threads} threads where there should be one")))
        }
    }

    /// Forks: the new process gets `None`, this one the new one's id.
    ///
    /// # Errors
    /// No process can be made.
    pub fn fork(&self) -> io::Result<Option<Pid>> {
        // SAFETY: there is one thread (see `check`), so the child's memory is
        // consistent and it may run any code.
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Parent { child } => Ok(Some(child)),
            ForkResult::Child => Ok(None),
        }
    }
}

/// Takes the status of one child that has ended, if one has.
///
/// # Errors
/// There are no children.
pub fn reap() -> io::Result<Option<(Pid, WaitStatus)>> {
    let status = waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL))?;
    Ok(status.pid().map(|pid| (pid, status)))
}
