//! name_to_handle_at(2), which neither nix nor rustix offers: what a file system
//! itself calls an inode.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use rustix::io::Errno;
use rustix::path::Arg;

/// `MAX_HANDLE_SZ` of linux/fcntl.h.
const MAX_LEN: usize = 128;

/// An inode's handle on its file system: the same as long as the inode is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileHandle {
    /// How the file system encodes it.
    pub kind: i32,
    /// The handle.
    pub bytes: Vec<u8>,
}

/// `struct file_handle`, with room for the longest.
#[repr(C)]
struct Raw {
    head: libc::file_handle,
    bytes: [u8; MAX_LEN],
}

/// The handle of `name` in `directory`, which is not followed.
///
/// # Errors
/// What the system says; `EOPNOTSUPP` where the file system has no handles.
pub fn file_handle(directory: BorrowedFd<'_>, name: &[u8]) -> Result<FileHandle, Errno> {
    // SAFETY: a struct of integers and arrays of them, for which zeros are a value.
    let mut raw: Raw = unsafe { std::mem::zeroed() };
    raw.head.handle_bytes = MAX_LEN as libc::c_uint;
    let mut mount_id = 0;
    name.into_with_c_str(|path| {
        // SAFETY: the path is a C string and all outlive the call; the kernel writes
        // no more bytes behind the head than the length in it, for which `raw` has
        // room: `bytes` begins where the head, whose last field is empty, ends.
        let result = unsafe {
            libc::name_to_handle_at(
                directory.as_raw_fd(),
                path.as_ptr(),
                (&raw mut raw).cast(),
                &raw mut mount_id,
                0,
            )
        };
        if result != 0 {
            let error = std::io::Error::last_os_error();
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        }
        let len = usize::try_from(raw.head.handle_bytes).unwrap_or(MAX_LEN);
        let bytes = raw.bytes.get(..len).ok_or(Errno::OVERFLOW)?.to_vec();
        Ok(FileHandle { kind: raw.head.handle_type, bytes })
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::file_handle;

    #[test]
    fn names_of_one_inode_have_one_handle() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name| scratch.path().join(name);
        std::fs::write(path("one"), "").unwrap();
        std::fs::hard_link(path("one"), path("same")).unwrap();
        std::fs::write(path("other"), "").unwrap();
        let directory = std::fs::File::open(scratch.path()).unwrap();
        let [one, same, other] =
            [&b"one"[..], b"same", b"other"].map(|name| file_handle(directory.as_fd(), name));
        if one == Err(rustix::io::Errno::OPNOTSUPP) {
            return;
        }
        assert_eq!(one.as_ref().unwrap(), &same.unwrap());
        assert_ne!(one.unwrap(), other.unwrap());
    }
}
