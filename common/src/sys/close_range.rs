//! close_range(2), so that a command inherits no descriptor by accident.

use std::io;

/// Closes every descriptor from 3 upwards.
///
/// For the first line of a process that has opened nothing yet: what is closed was
/// inherited, and nothing in this process owns it.
///
/// # Errors
/// What the system says; /proc where it lacks the call (before Linux 5.9).
pub fn close_from_3() -> io::Result<()> {
    // SAFETY: no pointer is passed. That no descriptor is owned yet is the caller's
    // promise; a wrong one leads to `EBADF` and not to memory.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } == 0 {
        return Ok(());
    }
    let mut inherited: Vec<libc::c_int> = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        inherited.extend(name.to_str().and_then(|name| name.parse::<libc::c_int>().ok()));
    }
    for fd in inherited.into_iter().filter(|fd| *fd > 2) {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
    Ok(())
}
