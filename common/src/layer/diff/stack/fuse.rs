//! What fuse-overlayfs leaves where it can make neither devices nor attributes:
//! empty files named as in a layer, `.wh.NAME` and `.wh..wh..opq`.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::layer::inode::{self, Inode};
use crate::layer::whiteout::{self, Basename};

/// Whether a file may be such a mark.
pub(super) fn is_empty_file(inode: &Inode) -> bool {
    inode.kind == FileType::RegularFile && inode.len_bytes == 0
}

/// The name that `name` speaks of; `name` itself if it is a file like any other.
pub(super) fn hidden_name(at: BorrowedFd<'_>, name: Vec<u8>) -> Result<Option<Vec<u8>>, Errno> {
    if !inode::inode_if_any(at, &name)?.is_some_and(|inode| is_empty_file(&inode)) {
        return Ok(Some(name));
    }
    Ok(match whiteout::classify(&name) {
        Basename::Whiteout(hidden) => Some(hidden.to_vec()),
        Basename::Opaque => None,
        Basename::Plain | Basename::Aufs | Basename::Invalid => Some(name),
    })
}

/// Whether a file beside `name` says that it is deleted.
pub(super) fn is_hidden(at: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    match inode::inode_if_any(at, &[whiteout::PREFIX, name].concat()) {
        Ok(marker) => Ok(marker.is_some_and(|marker| is_empty_file(&marker))),
        // Too long a name has no marker either.
        Err(Errno::NAMETOOLONG) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a file in the directory `name` says that it is opaque.
pub(super) fn is_opaque(at: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    let marker = inode::open_directory(at, name)
        .and_then(|directory| inode::inode_if_any(directory.as_fd(), whiteout::OPAQUE));
    match marker {
        Ok(marker) => Ok(marker.is_some_and(|marker| is_empty_file(&marker))),
        // If it has to be read, that will fail by itself.
        Err(Errno::ACCESS) => Ok(false),
        Err(error) => Err(error),
    }
}
