//! The index of a mount with `index=on`, which keeps the hard links of lower files
//! when one of them is written to: all other names show the copy too, although only
//! lower directories have them, or it has no name in the upper directory at all.
//!
//! The copies are in `index` of the mount's work directory, named by the lower
//! inodes' file handles (fs/overlayfs/overlayfs.h, `struct ovl_fb`; namei.c,
//! `ovl_get_index_name_fh`).

use std::collections::HashMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use super::{Error, Form, Place, Stack};
use crate::layer::{inode, overlay};
use crate::sys::file_handle::{FileHandle, file_handle};

/// Copies of lower inodes.
#[derive(Debug)]
pub(super) struct Index {
    directory: Arc<OwnedFd>,
    names: HashMap<FileHandle, Vec<u8>>,
}

impl Index {
    /// Opens that of the work directory `work`; a mount without `index=on` leaves none.
    pub(super) fn open(work: &Path) -> Result<Option<Self>, Error> {
        let failed = |path: &Path, errno: std::io::Error| {
            Error::read(path.as_os_str().as_bytes().to_vec(), errno)
        };
        let work_fd = inode::open_root(work).map_err(|error| failed(work, error))?;
        let path = work.join("index");
        let directory = match inode::open_directory(work_fd.as_fd(), b"index") {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened.map_err(|errno| failed(&path, errno.into()))?,
        };
        let names = inode::names(directory.as_fd()).map_err(|errno| failed(&path, errno.into()))?;
        let names = names.into_iter().filter_map(|name| Some((origin(&name)?, name))).collect();
        Ok(Some(Self { directory: Arc::new(directory), names }))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The copy of the lower file `name`, if there is one.
    pub(super) fn copy_of(&self, at: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Place>, Errno> {
        let handle = match file_handle(at, name) {
            // What has no handle has no place in an index.
            Err(Errno::OPNOTSUPP) => return Ok(None),
            handle => handle?,
        };
        let directory = Arc::clone(&self.directory);
        Ok(self.names.get(&handle).map(|name| Place { directory, name: name.clone() }))
    }
}

impl Stack {
    /// The stack with the work directory of its mount.
    ///
    /// # Errors
    /// A directory that cannot be read; an index over several file systems, in which
    /// an inode's handle does not tell which of them it is on.
    pub(in crate::layer::diff) fn with_work(mut self, work: &Path) -> Result<Self, Error> {
        self.index = Index::open(work)?;
        if self.index.is_some() {
            let mut devices = Vec::new();
            for (number, layer) in self.layers.iter().enumerate().skip(1) {
                let root = inode::inode(layer.fd.as_fd(), b"");
                devices.push(root.map_err(|errno| self.read_error(number, b"", errno))?.id.device);
            }
            devices.dedup();
            if devices.len() > 1 {
                let what = "the mount kept hard links (index=on) of several file systems";
                return Err(self.broken(0, b"", what));
            }
        }
        Ok(self)
    }

    /// Whether the mount kept the hard links of lower files, so that names which only
    /// lower directories have may show what the upper one holds.
    pub(in crate::layer::diff) fn keeps_links(&self) -> Result<bool, Error> {
        let (Form::Overlay(prefixes), Some(top)) = (self.form, self.layers.first()) else {
            return Ok(false);
        };
        let xattrs = inode::xattrs(top.fd.as_fd(), b"");
        let xattrs = xattrs.map_err(|errno| self.read_error(0, b"", errno))?;
        // Such a mount notes in the root of the upper directory which lower one it is of.
        Ok(self.index.is_some() || overlay::was_copied_up(&xattrs, prefixes))
    }

    /// Whether all that the mount kept of links is at hand.
    pub(in crate::layer::diff) fn knows_links(&self) -> bool {
        self.index.as_ref().is_some_and(|index| index.is_empty() || self.layers.len() > 1)
    }
}

/// The lower inode that an entry of the index is a copy of: version, magic, length,
/// flags, type, the file system's UUID and the handle, in hexadecimal. The UUID may be
/// left out, so it tells nothing; see [`Stack::with_work`].
fn origin(name: &[u8]) -> Option<FileHandle> {
    const VERSION: u8 = 0;
    const MAGIC: u8 = 0xfb;
    const UUID_LEN: usize = 16;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = name
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect();
    let bytes = bytes?;
    let &[VERSION, MAGIC, len, _, kind, ref rest @ ..] = bytes.as_slice() else { return None };
    let handle = rest.get(UUID_LEN..).filter(|_| usize::from(len) == bytes.len())?;
    Some(FileHandle { kind: kind.into(), bytes: handle.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::{FileHandle, origin};

    #[test]
    fn entries_are_named_by_file_handles() {
        let name = b"00fb1d000100000000000000000000000000000000499b9900c2964f69";
        let bytes = [0x49, 0x9b, 0x99, 0, 0xc2, 0x96, 0x4f, 0x69].to_vec();
        assert_eq!(origin(name), Some(FileHandle { kind: 1, bytes }));
        for other in [&b"#8e7c"[..], b"", b"00fb", b"00fb1e00", &name[..40], &name[1..]] {
            assert_eq!(origin(other), None);
        }
    }
}
