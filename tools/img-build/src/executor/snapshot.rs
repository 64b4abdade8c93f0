//! Part of a tree, or a download, as a directory of the host, made once for all who use it.
//!
//! A snapshot is `KIND/BOOT/DIGEST` in the cache, with a lock beside it: shared while
//! something uses it, exclusive while it is made. Those of an earlier start of the machine may
//! be torn, and are removed. A few are kept, the last used.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::cache;
use common::digest::Digest;
use common::root::remove;
use nix::fcntl::{Flock, FlockArg};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};

use crate::error::Error;

/// A snapshot in use.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) dir: PathBuf,
    /// Keeps others from removing it.
    _lock: Flock<File>,
}

impl Snapshot {
    /// The snapshot of this digest in the folder `kind` of the cache, filled by `make` if it
    /// is not there. Beside those in use, `kept` stay.
    ///
    /// # Errors
    /// A cache that cannot be written, or `make`'s own.
    pub(super) fn open(
        cache: &Path,
        kind: &str,
        kept: usize,
        digest: &Digest,
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let all = cache.join(kind);
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = match boot.trim() {
            "" => "unknown",
            boot => boot,
        };
        let folder = all.join(boot);
        cache::make(&folder).map_err(Error::file(&folder))?;
        let lock = lock(&folder, digest.hex(), FlockArg::LockExclusive);
        let lock = lock.map_err(Error::file(&folder))?;
        let dir = folder.join(digest.hex());
        if !dir.try_exists().map_err(Error::file(&dir))? {
            let partial = format!("{}.partial", digest.hex());
            let left = File::open(&folder)
                .and_then(|folder| Ok(remove(folder.as_fd(), partial.as_bytes())?));
            left.map_err(Error::file(&folder))?;
            let new = folder.join(&partial);
            fs::create_dir(&new).map_err(Error::file(&new))?;
            make(&new)?;
            fs::rename(&new, &dir).map_err(Error::file(&dir))?;
            // A snapshot that cannot be removed only takes up space.
            let _ = forget(&all, boot, kept);
        }
        let failed = |errno: nix::Error| Error::file(&dir)(errno.into());
        lock.relock(FlockArg::LockShared).map_err(failed)?;
        let used = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let used = Timestamps { last_access: used, last_modification: used };
        let _ = rustix::fs::futimens(&*lock, &used);
        Ok(Self { dir, _lock: lock })
    }
}

/// Locks a snapshot; its lock stays when it is removed, since others may wait for it.
fn lock(folder: &Path, hex: &str, how: FlockArg) -> io::Result<Flock<File>> {
    let mut options = fs::OpenOptions::new();
    let path = folder.join(format!("{hex}.lock"));
    let file = options.create(true).truncate(false).write(true).open(path)?;
    Flock::lock(file, how).map_err(|(_, errno)| errno.into())
}

/// Removes the snapshots of earlier starts of the machine, and those of this one that are
/// neither in use nor among the last used.
fn forget(all: &Path, boot: &str, kept: usize) -> io::Result<()> {
    for entry in fs::read_dir(all)? {
        let name = entry?.file_name();
        if name != boot {
            remove(File::open(all)?.as_fd(), name.as_bytes())?;
        }
    }
    let folder = all.join(boot);
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if !name.contains('.') {
            let lock = fs::metadata(folder.join(format!("{name}.lock")))?;
            snapshots.push((lock.modified()?, name));
        }
    }
    snapshots.sort();
    let surplus = snapshots.len().saturating_sub(kept);
    for (_, name) in snapshots.into_iter().take(surplus) {
        if let Ok(_lock) = lock(&folder, &name, FlockArg::LockExclusiveNonblock) {
            remove(File::open(&folder)?.as_fd(), name.as_bytes())?;
        }
    }
    Ok(())
}
