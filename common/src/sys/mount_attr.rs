//! mount_setattr(2), which neither nix nor rustix offers.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Attributes to set on a mount; with `recursive`, on all below it too.
#[derive(Debug, Clone, Copy, Default)]
pub struct MountAttr {
    /// `MOUNT_ATTR_*` to set.
    pub set: u64,
    /// `MOUNT_ATTR_*` to clear.
    pub clear: u64,
    /// `MS_PRIVATE` and the like, 0 to leave it.
    pub propagation: u64,
    /// All mounts below, too.
    pub recursive: bool,
}

/// Changes the attributes of the mount that `mount` is the root of (Linux 5.12).
///
/// # Errors
/// What the system says.
pub fn mount_setattr(mount: BorrowedFd<'_>, attributes: MountAttr) -> io::Result<()> {
    let raw = libc::mount_attr {
        attr_set: attributes.set,
        attr_clr: attributes.clear,
        propagation: attributes.propagation,
        userns_fd: 0,
    };
    let recursive = if attributes.recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static C string and `raw` outlives the call, with
    // its own size passed along.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const raw,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
