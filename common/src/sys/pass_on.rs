//! Signals that mean nothing to us and something to a command that runs on our behalf:
//! passed on from a handler, whatever thread gets them, and without their default action,
//! which would be our end.

use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::{default_signal, signal_is_ignored};

/// The most processes that get them at once: a handler can take no lock, so it has no list.
const MAX_RECEIVERS: usize = 64;

/// The processes that get them, 0 for none.
static RECEIVERS: [AtomicI32; MAX_RECEIVERS] = [const { AtomicI32::new(0) }; MAX_RECEIVERS];

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
    // SAFETY: kill(2) and getpid(2) take no pointers and may be called from a handler.
    unsafe {
        for receiver in &RECEIVERS {
            let receiver = receiver.load(Ordering::SeqCst);
            if receiver > 0 {
                libc::kill(receiver, signal);
            }
        }
        if signal == libc::SIGTSTP {
            // What whoever sent it waits for: we stop, too.
            libc::kill(libc::getpid(), libc::SIGSTOP);
        }
    }
    Errno::set_raw(before);
}

/// Passes them to the process `receiver`, too, from now on, but for those that our caller
/// ignores. The caller sees to it that neither this nor [`stop`] runs twice at once.
pub fn start(receiver: i32) {
    replace(0, receiver);
    let action = SigAction::new(SigHandler::Handler(pass_on), SaFlags::SA_RESTART, SigSet::empty());
    for signal in PASSED_ON.into_iter().filter(|signal| !signal_is_ignored(*signal)) {
        // SAFETY: the handler calls nothing that a handler may not call, touches atomics
        // only, and leaves errno as it was.
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// Passes them to `receiver` no more; without any receiver they have their default action.
pub fn stop(receiver: i32) {
    replace(receiver, 0);
    if RECEIVERS.iter().all(|receiver| receiver.load(Ordering::SeqCst) == 0) {
        for signal in PASSED_ON.into_iter().filter(|signal| !signal_is_ignored(*signal)) {
            default_signal(signal);
        }
    }
}

fn replace(old: i32, new: i32) {
    let replaced =
        |slot: &AtomicI32| slot.compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst);
    let _ = RECEIVERS.iter().find(|slot| replaced(slot).is_ok());
}
