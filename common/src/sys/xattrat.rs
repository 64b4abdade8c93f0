//! listxattrat(2) and getxattrat(2) (Linux 6.13), which no crate offers: extended
//! attributes of a name in a directory, without a path through /proc.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::io::Errno;
use rustix::path::Arg;

/// Whether new calls have the same number here as on most processors.
const IS_NUMBERED_ALIKE: bool = cfg!(any(
    all(target_arch = "x86_64", target_pointer_width = "64"),
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "powerpc64",
    target_arch = "s390x",
    target_arch = "loongarch64",
));
const GETXATTRAT: libc::c_long = 464;
const LISTXATTRAT: libc::c_long = 465;

/// `struct xattr_args` of linux/xattr.h.
#[repr(C, align(8))]
struct Arguments {
    value: u64,
    size: u32,
    flags: u32,
}

/// Fills `buffer` with the names of the attributes of `name` in `directory`, or of
/// `directory` itself for an empty name. A link is not followed.
///
/// # Errors
/// What the system says; `ENOSYS` where there is no such call.
pub fn list(directory: BorrowedFd<'_>, name: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    let number = numbered(LISTXATTRAT)?;
    name.into_with_c_str(|path| {
        // SAFETY: the path is a C string that outlives the call, and the kernel
        // writes no more than the length that is passed with the buffer.
        let result = unsafe {
            libc::syscall(
                number,
                directory.as_raw_fd(),
                path.as_ptr(),
                flags(name),
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        len(result)
    })
}

/// Fills `buffer` with the value of `attribute`; see [`list`].
///
/// # Errors
/// What the system says; `ENOSYS` where there is no such call.
pub fn get(
    directory: BorrowedFd<'_>,
    name: &[u8],
    attribute: &[u8],
    buffer: &mut [u8],
) -> Result<usize, Errno> {
    let number = numbered(GETXATTRAT)?;
    let size = u32::try_from(buffer.len()).map_err(|_| Errno::TOOBIG)?;
    let value = buffer.as_mut_ptr().expose_provenance() as u64;
    let mut arguments = Arguments { value, size, flags: 0 };
    name.into_with_c_str(|path| {
        attribute.into_with_c_str(|attribute| {
            // SAFETY: both are C strings that outlive the call, as do the arguments,
            // whose own size is passed along; they name the buffer, and the kernel
            // writes no more than the length beside it.
            let result = unsafe {
                libc::syscall(
                    number,
                    directory.as_raw_fd(),
                    path.as_ptr(),
                    flags(name),
                    attribute.as_ptr(),
                    &raw mut arguments,
                    size_of::<Arguments>(),
                )
            };
            len(result)
        })
    })
}

fn numbered(call: libc::c_long) -> Result<libc::c_long, Errno> {
    if IS_NUMBERED_ALIKE { Ok(call) } else { Err(Errno::NOSYS) }
}

fn flags(name: &[u8]) -> libc::c_int {
    let itself = if name.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    libc::AT_SYMLINK_NOFOLLOW | itself
}

fn len(result: libc::c_long) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno::from_io_error(&error).unwrap_or(Errno::IO)
    })
}
