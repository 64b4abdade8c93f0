//! A blob from another layout on the same file system: shared, not copied.
//!
//! A reflink where the file system has them: the two files then share their bytes until
//! one is written to. Else a hard link, if nobody but its owner, who is us, may write to
//! the file: nobody writes to a blob, but whoever could would change it in both places.
//! The bytes are read and checked all the same, so that damage does not travel.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use rustix::fs::ioctl_ficlone;

use super::blob::link;
use super::{BlobReader, Error, Store};
use crate::compression::MaxSize;
use crate::digest::DiffId;
use crate::oci::Descriptor;

impl Store {
    /// Takes a blob over from `file`, which holds it and nothing else, as a layer with this
    /// DiffID if one is given; false, with nothing done, where it has to be copied.
    ///
    /// # Errors
    /// [`Error::Source`] for a file that is not that blob or layer; a store that cannot be
    /// written.
    pub fn adopt(
        &self,
        file: &Arc<File>,
        blob: &Descriptor,
        diff_id: Option<&DiffId>,
        max_size: MaxSize,
    ) -> Result<bool, Error> {
        self.hold_blobs()?;
        let blobs = self.make_blobs(blob.digest.algorithm())?;
        let path = || self.blob_path(&blob.digest);
        let failed = |error| Error::io(path())(error);
        let shared = match self.dir.nameless() {
            Some(new) if ioctl_ficlone(&new, file).is_ok() => Arc::new(new),
            _ if is_ours_alone(file).map_err(failed)? => Arc::clone(file),
            _ => return Ok(false),
        };
        // Before it is read to the end: on another file system that would be in vain.
        if self.dir.device().map_err(failed)? != dev(&shared)? {
            return Ok(false);
        }
        BlobReader::new(Arc::clone(&shared), 0, blob).growing_to(max_size).check_as(diff_id)?;
        shared.sync_data().map_err(failed)?;
        match link(&shared, blob.len_bytes, &self.dir, blobs, blob.digest.hex()) {
            Ok(()) => Ok(true),
            // Too many links, or a file system or a policy that allows none.
            Err(error) if cannot_link(&error) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

fn dev(file: &File) -> Result<u64, Error> {
    file.metadata().map(|metadata| metadata.dev()).map_err(Error::io("a blob"))
}

fn is_ours_alone(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    let writable_by_others = metadata.mode() & 0o022 != 0;
    Ok(metadata.uid() == rustix::process::geteuid().as_raw() && !writable_by_others)
}

fn cannot_link(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EXDEV
                | libc::EMLINK
                | libc::EPERM
                | libc::EACCES
                | libc::ENOENT
                | libc::EOPNOTSUPP
        )
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::sync::Arc;

    use rustix::fs::ioctl_ficlone;

    use crate::compression::MaxSize;
    use crate::digest::Digest;
    use crate::oci::Descriptor;
    use crate::store::Store;

    #[test]
    fn a_blob_is_shared_only_where_nobody_else_can_change_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = |name: &str| Store::create(&folder.path().join(name)).unwrap();
        let (from, to) = (store("from"), store("to"));
        let (digest, len_bytes) = from.put(b"content").unwrap();
        let blob = Descriptor::new("", digest.clone(), len_bytes);
        let file = Arc::new(from.blob_file(&blob).unwrap());
        let clones = ioctl_ficlone(tempfile::tempfile_in(folder.path()).unwrap(), &file).is_ok();
        let inode = |store: &Store| fs::metadata(store.blob_path(&digest)).unwrap().ino();

        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(from.blob_path(&digest), mode(0o664)).unwrap();
        assert_eq!(to.adopt(&file, &blob, None, MaxSize::default()).unwrap(), clones);
        assert_eq!(to.contains(&blob), clones);
        fs::set_permissions(from.blob_path(&digest), mode(0o644)).unwrap();
        assert!(to.adopt(&file, &blob, None, MaxSize::default()).unwrap());
        assert_eq!(inode(&from) == inode(&to), !clones);
        assert_eq!(fs::read(to.blob_path(&digest)).unwrap(), b"content");
    }

    #[test]
    fn a_damaged_blob_is_not_shared() {
        let folder = tempfile::tempdir().unwrap();
        let store = |name: &str| Store::create(&folder.path().join(name)).unwrap();
        let (from, to) = (store("from"), store("to"));
        let blob = Descriptor::new("", Digest::of(b"content"), 7);
        fs::write(from.blob_path(&blob.digest), b"CONTENT").unwrap();
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(from.blob_path(&blob.digest), mode).unwrap();
        let file = Arc::new(from.blob_file(&blob).unwrap());
        let error = to.adopt(&file, &blob, None, MaxSize::default()).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("mismatch"));
        assert!(!to.contains(&blob));
    }
}
