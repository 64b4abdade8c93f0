//! Seccomp user notification (seccomp_unotify(2)): system calls of other processes that
//! wait for an answer of ours.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::io::Errno;

use super::seccomp::Instruction;

/// A listener, whose waiting calls only SIGKILL interrupts once we have received them
/// (Linux 5.19): another signal would have a call made twice.
const FLAGS: libc::c_ulong =
    libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

/// Wakes the caller on the processor of the answer (Linux 6.6).
const SYNC_WAKE_UP: u64 = 1;

/// A system call that waits.
#[derive(Debug, Clone, Copy)]
pub struct Notification {
    /// Names it in answers.
    pub id: u64,
    /// The thread that calls, as this process sees it.
    pub pid: i32,
    /// `AUDIT_ARCH_*`.
    pub arch: u32,
    /// The number of the call.
    pub number: i32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// The result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The kernel carries it out.
    Continue,
    /// This number.
    Value(i64),
    /// This error.
    Error(Errno),
}

/// Whether the kernel can do all of this.
#[must_use]
pub fn is_supported() -> bool {
    // SAFETY: there is no program at the null pointer, which is what is asked for: flags are
    // checked first, and the kernel says EINVAL or EFAULT.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            FLAGS,
            std::ptr::null::<libc::sock_fprog>(),
        )
    };
    result == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

/// Filters the system calls of this thread, and of all it executes, by `program`, and
/// returns the descriptor at which the calls arrive for which it answers
/// `SECCOMP_RET_USER_NOTIF`.
///
/// # Errors
/// `EBUSY` where there is a listener already; those of [`super::seccomp::install`].
pub fn install(program: &[Instruction]) -> io::Result<OwnedFd> {
    let fd = super::seccomp::set_filter(program, FLAGS)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has answers wake their callers at once, where the kernel knows how.
pub fn hurry(listener: BorrowedFd<'_>) {
    // SAFETY: the argument of this request is a number, not a pointer.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP);
    }
}

/// The next call that waits; `None` if it is gone before it is read.
///
/// # Errors
/// Errors of the ioctl.
pub fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    // The kernel insists on zeros.
    let mut raw = std::mem::MaybeUninit::<libc::seccomp_notif>::zeroed();
    // SAFETY: the request fills a structure of this type, for which zeros are a value.
    let (result, raw) = unsafe {
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
        (libc::ioctl(listener.as_raw_fd(), request, raw.as_mut_ptr()), raw.assume_init())
    };
    if result == 0 {
        return Ok(Some(Notification {
            id: raw.id,
            pid: raw.pid as i32,
            arch: raw.data.arch,
            number: raw.data.nr,
            arguments: raw.data.args,
        }));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EINTR) => Ok(None),
        _ => Err(error),
    }
}

/// Whether the call still waits: if so, its process id was not reused until now.
#[must_use]
pub fn is_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the request reads one number, which outlives it.
    let result = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id)
    };
    result == 0
}

/// Answers a call. One that is gone needs no answer.
pub fn answer(listener: BorrowedFd<'_>, id: u64, reply: Reply) {
    let (val, error, flags) = match reply {
        Reply::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Reply::Value(value) => (value, 0, 0),
        Reply::Error(errno) => (0, -errno.raw_os_error(), 0),
    };
    let response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the request reads a structure of this type, which outlives it.
    unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response);
    }
}

/// Answers a call with a copy of `fd` in the caller's process, and says whether it did.
#[must_use]
pub fn answer_with(
    listener: BorrowedFd<'_>,
    id: u64,
    fd: BorrowedFd<'_>,
    close_on_exec: bool,
) -> bool {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: fd.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // SAFETY: the request reads a structure of this type, which outlives it.
    let result = unsafe {
        libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const request)
    };
    result >= 0
}
