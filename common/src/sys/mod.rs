//! The only unsafe code: what neither the standard library, nix nor rustix
//! offers safely. Every other module is checked by `deny(unsafe_code)`.

#![allow(unsafe_code)]

pub mod close_range;
pub mod file_handle;
pub mod foreign;
pub mod fork;
pub mod keyring;
pub mod loopback;
pub mod mount_attr;
pub mod notify;
pub mod pass_on;
pub mod seccomp;
pub mod xattrat;

use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigHandler, Signal};

static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

// The Rust runtime opens /dev/null in the place of a closed standard stream
// before `main`, and writes would then vanish without an error. Functions in
// `.init_array` run before the runtime, so this sees what the caller gave us.
extern "C" fn capture_standard_output() {
    // SAFETY: fcntl(2) with F_GETFD takes no pointer and is always sound.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    STDOUT_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}

// SAFETY: the section holds pointers to functions that the C runtime calls
// before main; the function touches nothing but an atomic.
#[used]
#[unsafe(link_section = ".init_array")]
static CAPTURE: extern "C" fn() = capture_standard_output;

/// Whether the process was started without a standard output (`>&-`).
#[must_use]
pub fn stdout_was_closed() -> bool {
    STDOUT_WAS_CLOSED.load(Ordering::Relaxed)
}

/// Whether `signal` is ignored in this process, as our caller may have set it.
#[must_use]
pub fn signal_is_ignored(signal: Signal) -> bool {
    let mut current = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only asks; the kernel fills `current` on success.
    unsafe {
        libc::sigaction(signal as libc::c_int, std::ptr::null(), current.as_mut_ptr()) == 0
            && current.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Gives `signal` its default action.
pub fn default_signal(signal: Signal) {
    // SAFETY: SIG_DFL installs no handler, so no code of ours can run in a bad place.
    let _ = unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) };
}
