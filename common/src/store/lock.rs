//! The two locks of a store, as files in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use super::Error;
use super::dir::{Dir, Links};
use crate::lock::{Lock, Mode};

/// Exclusive while the index changes.
pub(super) const INDEX: &str = ".layerutils-index.lock";
/// Shared while images are added, exclusive while blobs are removed.
pub(super) const BLOBS: &str = ".layerutils-blobs.lock";

/// How long a removal waits for those who add. A commit lasts as long as its input
/// does, and whoever waits for a commit of their own would wait for ever.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
/// How often it looks whether they are done.
const INTERVAL: Duration = Duration::from_millis(20);

/// For a change of the index, which is short.
pub(super) fn index(dir: &Dir) -> Result<Lock, Error> {
    wait(dir, INDEX, Mode::Exclusive)
}

/// As [`index`], or `None` if another process changes the index.
pub(super) fn index_at_once(dir: &Dir) -> Result<Option<Lock>, Error> {
    Lock::attempt(open(dir, INDEX)?, Mode::Exclusive).map_err(failed(dir, INDEX))
}

/// For adding blobs: waits until nobody removes any, which is short.
pub(super) fn to_add(dir: &Dir) -> Result<Lock, Error> {
    wait(dir, BLOBS, Mode::Shared)
}

/// Changes a lock for adding to one for removing. Returns false if another process holds it.
pub(super) fn is_ours_alone(held: &Lock) -> bool {
    matches!(held.change(Mode::Exclusive), Ok(true))
}

/// For reading all of a store while nobody removes blobs; none where the store cannot
/// be written, and so has no lock, by whoever reads it.
pub(super) fn to_read(dir: &Dir) -> Result<Option<Lock>, Error> {
    or_none(dir, to_add(dir))
}

/// For telling what could be removed: as [`to_remove`], or else as [`to_read`].
pub(super) fn to_tell(dir: &Dir) -> Result<Option<Lock>, Error> {
    or_none(dir, to_remove(dir))
}

fn or_none(dir: &Dir, locked: Result<Lock, Error>) -> Result<Option<Lock>, Error> {
    match locked {
        Ok(lock) => Ok(Some(lock)),
        Err(Error::Io { source, .. }) if is_read_only(&source) => {
            let Ok(file) = dir.file(BLOBS, Links::Refuse) else { return Ok(None) };
            Lock::wait(file, Mode::Shared).map(Some).map_err(failed(dir, BLOBS))
        }
        Err(error) => Err(error),
    }
}

/// For removing blobs.
pub(super) fn to_remove(dir: &Dir) -> Result<Lock, Error> {
    let mut locked = None;
    patiently(dir, || {
        locked = Lock::attempt(open(dir, BLOBS)?, Mode::Exclusive).map_err(failed(dir, BLOBS))?;
        Ok(locked.is_some())
    })?;
    locked.ok_or_else(|| Error::Busy(dir.path().into()))
}

/// Changes a lock for adding to one for removing. The lock is lost if this fails.
pub(super) fn upgrade(dir: &Dir, held: &Lock) -> Result<(), Error> {
    patiently(dir, || held.change(Mode::Exclusive).map_err(failed(dir, BLOBS)))
}

/// Changes a lock for removing to one for adding.
pub(super) fn downgrade(dir: &Dir, held: &Lock) -> Result<(), Error> {
    held.change_waiting(Mode::Shared).map_err(failed(dir, BLOBS))
}

/// Repeats `attempt` until it returns true or has taken too long.
fn patiently(dir: &Dir, mut attempt: impl FnMut() -> Result<bool, Error>) -> Result<(), Error> {
    let start = Instant::now();
    while !attempt()? {
        if start.elapsed() >= PATIENCE {
            return Err(Error::Busy(dir.path().into()));
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

fn wait(dir: &Dir, name: &str, mode: Mode) -> Result<Lock, Error> {
    loop {
        let held = Lock::wait(open(dir, name)?, mode).map_err(failed(dir, name))?;
        let metadata = held.metadata().map_err(failed(dir, name))?;
        // The lock files of a store are removed with it.
        if metadata.nlink() > 0 {
            return Ok(held);
        }
    }
}

fn failed(dir: &Dir, name: &str) -> impl FnOnce(io::Error) -> Error {
    Error::io(dir.path().join(name))
}

fn open(dir: &Dir, name: &str) -> Result<File, Error> {
    dir.lock_file(name).map_err(failed(dir, name))
}

fn is_read_only(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}
