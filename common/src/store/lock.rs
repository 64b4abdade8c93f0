//! The two locks of a store, as files in it.
//!
//! They are flock(2)'s: they belong to an open file, so that a process that dies, by
//! whatever signal, gives them back.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::Error;
use super::dir::{Dir, Links};

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
pub(super) fn index(dir: &Dir) -> Result<Flock<File>, Error> {
    wait(dir, INDEX, FlockArg::LockExclusive)
}

/// For adding blobs: waits until nobody removes any, which is short.
pub(super) fn to_add(dir: &Dir) -> Result<Flock<File>, Error> {
    loop {
        let held = wait(dir, BLOBS, FlockArg::LockShared)?;
        let metadata = held.metadata().map_err(Error::io(dir.path().join(BLOBS)))?;
        // A store that was unmade took its lock along.
        if metadata.nlink() > 0 {
            return Ok(held);
        }
    }
}

/// Makes a lock for adding one for removing, if nobody else holds it.
pub(super) fn is_ours_alone(held: &Flock<File>) -> bool {
    held.relock(FlockArg::LockExclusiveNonblock).is_ok()
}

/// For reading all of a store while nobody removes blobs; none where the store cannot
/// be written, and so has no lock, by whoever reads it.
pub(super) fn to_read(dir: &Dir) -> Result<Option<Flock<File>>, Error> {
    or_none(dir, to_add(dir))
}

/// For telling what could be removed: as [`to_remove`], or else as [`to_read`].
pub(super) fn to_tell(dir: &Dir) -> Result<Option<Flock<File>>, Error> {
    or_none(dir, to_remove(dir))
}

fn or_none(dir: &Dir, locked: Result<Flock<File>, Error>) -> Result<Option<Flock<File>>, Error> {
    match locked {
        Ok(lock) => Ok(Some(lock)),
        Err(Error::Io { source, .. }) if is_read_only(&source) => {
            let Ok(file) = dir.file(BLOBS, Links::Refuse) else { return Ok(None) };
            block(dir, BLOBS, file, FlockArg::LockShared).map(Some)
        }
        Err(error) => Err(error),
    }
}

/// For removing blobs.
pub(super) fn to_remove(dir: &Dir) -> Result<Flock<File>, Error> {
    let mut file = Some(open(dir, BLOBS)?);
    patiently(dir, || {
        let Some(unlocked) = file.take() else { return Err(Errno::EBADF) };
        Flock::lock(unlocked, FlockArg::LockExclusiveNonblock).map_err(|(again, errno)| {
            file = Some(again);
            errno
        })
    })
}

/// Makes a lock for adding one for removing. What is held is lost if it fails.
pub(super) fn upgrade(dir: &Dir, held: &Flock<File>) -> Result<(), Error> {
    patiently(dir, || held.relock(FlockArg::LockExclusiveNonblock))
}

/// The other way round.
pub(super) fn downgrade(dir: &Dir, held: &Flock<File>) -> Result<(), Error> {
    loop {
        match held.relock(FlockArg::LockShared) {
            Err(Errno::EINTR) => {}
            relocked => {
                return relocked.map_err(|errno| Error::io(dir.path().join(BLOBS))(errno.into()));
            }
        }
    }
}

fn patiently<T>(dir: &Dir, mut attempt: impl FnMut() -> Result<T, Errno>) -> Result<T, Error> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(locked) => return Ok(locked),
            Err(Errno::EWOULDBLOCK) if start.elapsed() >= PATIENCE => {
                return Err(Error::Busy(dir.path().into()));
            }
            Err(Errno::EWOULDBLOCK) => thread::sleep(INTERVAL),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::io(dir.path().join(BLOBS))(errno.into())),
        }
    }
}

fn wait(dir: &Dir, name: &str, how: FlockArg) -> Result<Flock<File>, Error> {
    block(dir, name, open(dir, name)?, how)
}

fn block(dir: &Dir, name: &str, mut file: File, how: FlockArg) -> Result<Flock<File>, Error> {
    loop {
        match Flock::lock(file, how) {
            Ok(locked) => return Ok(locked),
            Err((again, Errno::EINTR)) => file = again,
            Err((_, errno)) => return Err(Error::io(dir.path().join(name))(errno.into())),
        }
    }
}

fn open(dir: &Dir, name: &str) -> Result<File, Error> {
    dir.lock_file(name).map_err(|error| Error::io(dir.path().join(name))(error))
}

fn is_read_only(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}
