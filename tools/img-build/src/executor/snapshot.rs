//! Part of a tree, or a download, as a directory of the host, made once for all who use it.
//!
//! A snapshot is `KIND/BOOT/DIGEST` in the cache, with a lock beside it: shared while
//! something uses it, exclusive while it is made. Those of an earlier start of the machine may
//! be torn, and are removed. A few are kept, the last used.

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use common::cache;
use common::digest::Digest;
use common::lock::{Lock, Mode};
use common::name::show_path;
use common::root::remove;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};

use super::schedule::Schedule;
use crate::error::Error;

/// A snapshot in use.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) dir: PathBuf,
    /// Keeps others from removing it.
    _lock: Lock,
}

impl Snapshot {
    /// The snapshot of this digest in the folder `kind` of the cache, filled by `make` if it
    /// is not there. Beside those in use, `kept` stay.
    ///
    /// # Errors
    /// A cache that cannot be written, or `make`'s own; a failure of the build while others
    /// make it.
    pub(super) fn open(
        cache: &Path,
        kind: &str,
        kept: usize,
        digest: &Digest,
        schedule: &Schedule,
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
        let dir = folder.join(digest.hex());
        let mut make = Some(make);
        // Nobody waits for a lock while holding another of the same snapshot: this step may
        // mount it twice, and other steps of the build beside it.
        loop {
            let is_there = dir.try_exists().map_err(Error::file(&dir))?;
            let mode = match is_there {
                true => Mode::Shared,
                false => Mode::Exclusive,
            };
            let Some(lock) = try_lock(&folder, digest.hex(), mode)? else {
                schedule.pause()?;
                continue;
            };
            // Before the lock, others may have made or removed it.
            if is_there != dir.try_exists().map_err(Error::file(&dir))? {
                continue;
            }
            touch(&lock);
            if is_there {
                return Ok(Self { dir, _lock: lock });
            }
            let Some(make) = make.take() else {
                return Err(Error::Other(format!("{}: removed while in use", show_path(&dir))));
            };
            let new = emptied(&folder, digest.hex())?;
            fs::create_dir(&new).map_err(Error::file(&new))?;
            make(&new)?;
            fs::rename(&new, &dir).map_err(Error::file(&dir))?;
            // A snapshot that cannot be removed only takes up space.
            let _ = forget(&all, boot, kept);
        }
    }
}

/// Tries to lock a snapshot. The lock stays when the snapshot is removed, since others may
/// wait for it.
fn try_lock(folder: &Path, hex: &str, mode: Mode) -> Result<Option<Lock>, Error> {
    let mut options = fs::OpenOptions::new();
    let path = folder.join(format!("{hex}.lock"));
    let file = options.create(true).truncate(false).write(true).open(&path);
    file.and_then(|file| Lock::attempt(file, mode)).map_err(Error::file(path))
}

/// Notes that a snapshot was used.
fn touch(lock: &File) {
    let used = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let used = Timestamps { last_access: used, last_modification: used };
    let _ = rustix::fs::futimens(lock, &used);
}

/// The place where a snapshot is made, and where it goes to be removed: whatever is there is
/// no snapshot, and goes first.
fn emptied(folder: &Path, hex: &str) -> Result<PathBuf, Error> {
    let name = format!("{hex}.partial");
    let left = File::open(folder).and_then(|folder| Ok(remove(folder.as_fd(), name.as_bytes())?));
    left.map_err(Error::file(folder))?;
    Ok(folder.join(name))
}

/// Removes the snapshots of earlier starts of the machine, and those of this one that are
/// neither in use nor among the last used.
fn forget(all: &Path, boot: &str, kept: usize) -> Result<(), Error> {
    let failed = || Error::file(all);
    for entry in fs::read_dir(all).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name();
        if name != boot {
            let all = File::open(all).map_err(failed())?;
            remove(all.as_fd(), name.as_bytes()).map_err(|errno| failed()(errno.into()))?;
        }
    }
    let folder = all.join(boot);
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name().into_string().unwrap_or_default();
        if !name.contains('.') {
            let lock = fs::metadata(folder.join(format!("{name}.lock"))).map_err(failed())?;
            snapshots.push((lock.modified().map_err(failed())?, name));
        }
    }
    snapshots.sort();
    let surplus = snapshots.len().saturating_sub(kept);
    for (_, name) in snapshots.into_iter().take(surplus) {
        if let Some(_lock) = try_lock(&folder, &name, Mode::Exclusive)? {
            // A removal that is interrupted leaves no part of it under its name.
            let doomed = emptied(&folder, &name)?;
            fs::rename(folder.join(&name), doomed).map_err(failed())?;
            emptied(&folder, &name)?;
        }
    }
    Ok(())
}
