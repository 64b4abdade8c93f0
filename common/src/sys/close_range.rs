//! close_range(2), so that a command inherits no descriptor of ours by accident.

use std::io;

/// Marks every descriptor from 3 upwards to be closed by the next exec (Linux 5.11).
///
/// # Errors
/// What the system says.
pub fn close_on_exec_from_3() -> io::Result<()> {
    // SAFETY: no pointer is passed, and nothing is closed now: descriptors that
    // others own stay valid.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
