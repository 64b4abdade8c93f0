//! Signals that mean nothing to us and something to a command that runs on our behalf:
//! passed on from a handler, whatever thread gets them, and without their default action,
//! which would be our end.

use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{default_signal, signal_is_ignored};

/// The process that gets them, 0 for none.
static RECEIVER: AtomicI32 = AtomicI32::new(0);

/// Those of other signals that docker's client passes on and that are in use.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

extern "C" fn pass_on(signal: libc::c_int) {
    let before = Errno::last_raw();
    let receiver = RECEIVER.load(Ordering::SeqCst);
    // SAFETY: kill(2) and getpid(2) take no pointers and may be called from a handler.
    unsafe {
        if receiver > 0 {
            libc::kill(receiver, signal);
        }
        if signal == libc::SIGTSTP {
            // What whoever sent it waits for: we stop, too.
            libc::kill(libc::getpid(), libc::SIGSTOP);
        }
    }
    Errno::set_raw(before);
}

/// Passes them to the process `receiver` from now on, but for those that our caller
/// ignores.
pub fn start(receiver: i32) {
    RECEIVER.store(receiver, Ordering::SeqCst);
    let action = SigAction::new(SigHandler::Handler(pass_on), SaFlags::SA_RESTART, SigSet::empty());
    for signal in PASSED_ON.into_iter().filter(|signal| !signal_is_ignored(*signal)) {
        // SAFETY: the handler calls nothing that a handler may not call, touches an atomic
        // only, and leaves errno as it was.
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// Leaves them to their default action again.
pub fn stop() {
    for signal in PASSED_ON.into_iter().filter(|signal| !signal_is_ignored(*signal)) {
        default_signal(signal);
    }
    RECEIVER.store(0, Ordering::SeqCst);
}
