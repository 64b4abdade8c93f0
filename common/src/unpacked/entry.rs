//! One layer of the cache: looked up, or unpacked by one process while others wait.
//!
//! An entry is the directory `CHAINID/` with `tree/` in it, the layer itself; the
//! file `opaque` where the layer's root hides all below; and, until the disk has
//! it, `unsynced` with the id of the boot it was made in. It is made as
//! `CHAINID.partial/` and renamed. What a kill leaves, the next process with the
//! lock removes. Waiting for the disk would double the time of a first use, so what
//! a crash of the machine may have torn is told by its boot id instead.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{AtFlags, Timespec, Timestamps};

use super::Error;
use super::stack::Stack;
use crate::cleanup;
use crate::digest::{DiffId, Digest};
use crate::layer::apply::{self, Expected, apply_verified};
use crate::lock::{Lock, Mode};
use crate::message;
use crate::mount::Namespace;
use crate::mount::upper::{copy_attributes, copy_xattrs};
use crate::root::{self, Root};

/// How long the kernel is given to write by itself before we ask it to.
const SETTLED: Duration = Duration::from_secs(60);

/// An entry, locked for this process.
#[derive(Debug)]
pub(super) struct Entry {
    layers: PathBuf,
    name: String,
    /// Unlocks when it is closed.
    _lock: Lock,
}

/// An unpacked layer.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// In overlay form.
    pub(super) dir: PathBuf,
    /// Whether it hides all layers below.
    pub(super) opaque_root: bool,
}

impl Entry {
    /// Locks the entry of this key in the folder `layers`, waiting for others.
    pub(super) fn lock(layers: &Path, key: &Digest) -> Result<Self, Error> {
        let name = key.to_string().replace(':', "-");
        let path = layers.join(format!("{name}.lock"));
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock.map_err(Error::file(&path, "cannot open the lock"))?;
        let lock = Lock::wait(lock, Mode::Exclusive);
        let lock = lock.map_err(Error::file(&path, "cannot lock it"))?;
        Ok(Self { layers: layers.to_owned(), name, _lock: lock })
    }

    fn dir(&self) -> PathBuf {
        self.layers.join(&self.name)
    }

    /// The layer, if it is there and whole.
    pub(super) fn get(&self) -> Result<Option<Layer>, Error> {
        let dir = self.dir();
        let unsynced = dir.join("unsynced");
        let about = "cannot read the cache";
        match fs::metadata(&dir) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file(&dir, about)(error)),
        }
        match fs::read_to_string(&unsynced) {
            Ok(boot) if boot == boot_id() => settle(&dir, &unsynced),
            // The machine has been started since, and may have lost some of it.
            Ok(_) => {
                self.remove(&self.name)?;
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&unsynced, about)(error)),
        }
        let opaque = dir.join("opaque");
        let opaque_root = opaque.try_exists().map_err(Error::file(&opaque, about))?;
        Ok(Some(Layer { dir: dir.join("tree"), opaque_root }))
    }

    /// Unpacks the layer from a stream of a length, which may be compressed. It lies on the
    /// first `below` layers of `stack`.
    pub(super) fn unpack(
        &self,
        (stream, stored_bytes): (impl Read, u64),
        diff_id: &DiffId,
        (stack, below): (&Arc<Stack>, usize),
        namespace: Namespace,
        options: apply::Options,
    ) -> Result<Layer, Error> {
        let partial = format!("{}.partial", self.name);
        self.remove(&partial)?;
        let dir = self.layers.join(&partial);
        let tree = dir.join("tree");
        let about = "cannot unpack into it";
        let guard = {
            let (layers, partial) = (self.layers.clone(), partial.clone());
            cleanup::register(move || {
                let _ = remove(&layers, &partial);
            })
        };
        let made = DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .and_then(|()| DirBuilder::new().mode(0o755).create(&tree));
        made.map_err(Error::file(&dir, about))?;
        let open = |path: &PathBuf| Root::open(path).map_err(Error::file(path, about));
        let lowers = {
            let stack = Arc::clone(stack);
            move || {
                // Uppermost first, for apply.
                let below = stack.wait(below)?;
                below.iter().rev().map(|path| Root::open(path)).collect::<Result<_, _>>()
            }
        };
        let options = apply::Options {
            form: apply::Form::Overlay { namespace, lowers: apply::Lowers::later(lowers) },
            ..options
        };
        let root = open(&tree)?;
        set_time(root.as_fd(), UNDESCRIBED).map_err(Error::file(&tree, about))?;
        let expected = Expected::in_image(diff_id, stored_bytes);
        let applied =
            apply_verified(&root, stream, &options, &expected).map_err(Error::layer(diff_id))?;
        let below = stack.wait(below).map_err(Error::file(&dir, about))?;
        let lower = below.last().map(open).transpose()?;
        inherit_root(root.as_fd(), lower.as_ref()).map_err(Error::file(&tree, about))?;
        for line in applied.summary.not_kept.lines() {
            message::verbose(format_args!("layer {diff_id}: {line}"));
        }
        let opaque_root = applied.summary.opaque_root;
        let mark = |name: &str, content: &str| {
            let path = dir.join(name);
            fs::write(&path, content).map_err(Error::file(&path, about))
        };
        mark("unsynced", &boot_id())?;
        if opaque_root {
            mark("opaque", "")?;
        }
        fs::rename(&dir, self.dir()).map_err(Error::file(&dir, "cannot rename it"))?;
        guard.forget();
        Ok(Layer { dir: self.dir().join("tree"), opaque_root })
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        remove(&self.layers, name)
            .map_err(Error::file(&self.layers.join(name), "cannot remove what is left of it"))
    }
}

/// The time of a root that its layer does not describe.
const UNDESCRIBED: (i64, i64) = (1, 987_654_321);

fn set_time(root: BorrowedFd<'_>, (tv_sec, ns): (i64, i64)) -> io::Result<()> {
    let time = Timespec { tv_sec, tv_nsec: ns as _ };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(root, ".", &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Gives a root that its layer does not describe what the one below has: the
/// topmost layer's is what an overlay shows. Applying puts the root's time back, so
/// that the mark tells.
fn inherit_root(root: BorrowedFd<'_>, lower: Option<&Root>) -> io::Result<()> {
    let stat = rustix::fs::fstat(root)?;
    if (stat.st_mtime as i64, stat.st_mtime_nsec as i64) != UNDESCRIBED {
        return Ok(());
    }
    match lower {
        Some(lower) => {
            copy_attributes(lower.as_fd(), root)?;
            copy_xattrs(lower.as_fd(), root)
        }
        None => set_time(root, (0, 0)),
    }
}

fn remove(layers: &Path, name: &str) -> io::Result<()> {
    root::remove(File::open(layers)?.as_fd(), name.as_bytes())?;
    Ok(())
}

/// Has the disk take the entry for good once that costs next to nothing.
fn settle(dir: &Path, unsynced: &Path) {
    let age = fs::metadata(unsynced).and_then(|metadata| metadata.modified());
    let settled = age.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > SETTLED));
    if settled && File::open(dir).is_ok_and(|dir| rustix::fs::syncfs(dir).is_ok()) {
        let _ = fs::remove_file(unsynced);
    }
}

/// What tells this start of the machine from others.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}
