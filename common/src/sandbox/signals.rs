//! Signals as things to be read, for processes that only pass them on.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::Error;
use super::error::Trying as _;

/// Every signal that can be blocked, blocked and readable.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
    /// Some child changed its state.
    Child,
    /// A signal to pass on.
    Other(Signal),
}

impl Signals {
    /// Blocks all signals; children inherit that, and must undo it before they exec.
    pub(super) fn block() -> Result<Self, Error> {
        let mut set = SigSet::all();
        // These tell of our own mistakes, and blocking them would only hide one.
        for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL] {
            set.remove(fault);
        }
        let signals = set.thread_set_mask().and_then(|()| {
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        });
        signals.map(Self).trying(|| "cannot receive signals".into())
    }

    /// The next signal, if there is one.
    pub(super) fn next(&self) -> Option<Arrived> {
        loop {
            return match self.0.read_signal() {
                Err(Errno::EINTR) => continue,
                Err(_) | Ok(None) => None,
                Ok(Some(info)) => {
                    match Signal::try_from(i32::try_from(info.ssi_signo).unwrap_or_default()) {
                        Ok(Signal::SIGCHLD) => Some(Arrived::Child),
                        Ok(signal) => Some(Arrived::Other(signal)),
                        // A real-time signal, which nix has no name for.
                        Err(_) => continue,
                    }
                }
            };
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
