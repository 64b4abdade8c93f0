//! Installs a system call filter.

use std::io;

/// One instruction of a classic BPF program.
pub type Instruction = libc::sock_filter;

/// Filters the system calls of this thread, and of all it executes, by `program`.
/// Does not set `no_new_privs`, and so takes CAP_SYS_ADMIN without it.
///
/// # Errors
/// `EACCES` without the capability; `EINVAL` where the kernel cannot, or for a
/// program that is malformed.
pub fn install(program: &[Instruction]) -> io::Result<()> {
    set_filter(program, 0).map(drop)
}

/// As [`install`], with `SECCOMP_FILTER_FLAG_*`. Returns the number that the call returns.
///
/// # Errors
/// Those of [`install`]; those of the flags.
pub(super) fn set_filter(program: &[Instruction], flags: libc::c_ulong) -> io::Result<i32> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let filter = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    // SAFETY: `filter` points to `len` instructions that outlive the call, which
    // only reads them; the kernel checks the program.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    };
    match i32::try_from(result).map_err(io::Error::other)? {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
