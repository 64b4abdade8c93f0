//! keyctl(2): a session keyring of one's own.

use std::io;

/// Leaves the caller's session keyring for a new one that nobody else has.
///
/// # Errors
/// What the system says; a kernel without keyrings is none of them.
pub fn join_new_session() -> io::Result<()> {
    // SAFETY: a null name asks for an anonymous keyring; no memory is touched.
    let result = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        )
    };
    if result >= 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}
