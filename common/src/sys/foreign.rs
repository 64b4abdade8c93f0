//! Limits of other processes, and structures of the kernel as bytes to be written into
//! them.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::io::Errno;

/// A resource limit: what counts, and how far it can be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The one that counts.
    pub soft: u64,
    /// The most that it can be.
    pub hard: u64,
}

/// No limit.
pub const UNLIMITED: u64 = libc::RLIM_INFINITY;

/// The limit on file locks, which no kernel since 2.4 heeds, of the process `pid`; 0 is
/// this one. It survives fork(2) and execve(2).
///
/// # Errors
/// Errors of prlimit(2).
pub fn locks_limit(pid: i32) -> Result<Limit, Errno> {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills `old`, which outlives it, and reads nothing.
    let result = unsafe { libc::prlimit(pid, libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut old) };
    check(result.into())?;
    Ok(Limit { soft: old.rlim_cur, hard: old.rlim_max })
}

/// Sets what [`locks_limit`] returns.
///
/// # Errors
/// Errors of prlimit(2).
pub fn set_locks_limit(pid: i32, limit: Limit) -> Result<(), Errno> {
    let new = libc::rlimit { rlim_cur: limit.soft, rlim_max: limit.hard };
    // SAFETY: the call reads `new`, which outlives it, and writes nothing.
    let result =
        unsafe { libc::prlimit(pid, libc::RLIMIT_LOCKS, &raw const new, std::ptr::null_mut()) };
    check(result.into())
}

fn check(result: i64) -> Result<(), Errno> {
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// stat(2) of what a descriptor refers to, `O_PATH` or not.
///
/// # Errors
/// Errors of fstatat(2).
pub fn stat(fd: BorrowedFd<'_>) -> Result<libc::stat, Errno> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the path is an empty C string; the call fills a structure of this type, for
    // which zeros are a value.
    let (result, stat) = unsafe {
        let result =
            libc::fstatat(fd.as_raw_fd(), c"".as_ptr(), stat.as_mut_ptr(), libc::AT_EMPTY_PATH);
        (result, stat.assume_init())
    };
    check(result.into()).map(|()| stat)
}

/// statx(2) of what a descriptor refers to.
///
/// # Errors
/// Errors of statx(2).
pub fn statx(fd: BorrowedFd<'_>, flags: i32, mask: u32) -> Result<libc::statx, Errno> {
    let mut statx = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: as in `stat`.
    let (result, statx) = unsafe {
        let result = libc::statx(
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags | libc::AT_EMPTY_PATH,
            mask,
            statx.as_mut_ptr(),
        );
        (result, statx.assume_init())
    };
    check(result.into()).map(|()| statx)
}

/// A structure that is nothing but numbers, all of whose bytes are initialised.
///
/// # Safety
/// Padding must have been zeroed where the structure was made.
pub unsafe trait Numbers: Copy {}

// SAFETY: `stat` makes it of zeros, and the kernel fills it.
unsafe impl Numbers for libc::stat {}

// SAFETY: `statx` makes it of zeros, and the kernel fills it.
unsafe impl Numbers for libc::statx {}

/// The bytes of such a structure.
#[must_use]
pub fn bytes_of<T: Numbers>(numbers: &T) -> &[u8] {
    let start = std::ptr::from_ref(numbers).cast::<u8>();
    // SAFETY: the structure is as long, its bytes are initialised, and they live as long as
    // the reference.
    unsafe { std::slice::from_raw_parts(start, size_of::<T>()) }
}
