//! A union at a mount point, where everybody sees it: its beginning and its end.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::Path;

use rustix::mount::{UnmountFlags, unmount};

use super::allowed::Allowed;
use super::directory::open_directory;
use super::driver::Server;
use super::error::Error;
use super::spec::Overlay;
use super::{context, fuse, table, work};
use crate::{message, privilege};

impl Overlay {
    /// Mounts the union on the directory `point`, where it stays until
    /// [`unmount_union`]. An ordinary user can do that with fuse-overlayfs, and is
    /// the only one to see it then.
    ///
    /// # Errors
    /// A directory that cannot be used; whatever the system refuses, or would ignore.
    pub fn mount_on(&self, point: &Path, allowed: Allowed) -> Result<(), Error> {
        allowed.check()?;
        let target = open_directory(point, "cannot mount on it")?;
        let work = self.prepare()?;
        let mounted = self.open(work.as_ref()).and_then(|opened| match self.server {
            Server::Kernel => opened
                .mount(None, target.as_fd(), &|text| message::verbose(text))
                .and_then(|mount| {
                    allowed.restrict("overlay", mount.as_fd())?;
                    context::attach(mount, target)
                        .map_err(|error| Error::directory(point, "cannot mount on it", error))
                }),
            Server::FuseOverlayfs => opened.serve_on(point, target, allowed),
        });
        // With the mount there, the work directory is the mount's.
        if let (Err(_), Some(work)) = (&mounted, work) {
            let _ = work.remove();
        }
        mounted
    }
}

/// Unmounts the union at `point` and removes the work directory that was made for it.
///
/// # Errors
/// Nothing of ours is mounted there, or something else in it; what the system says.
pub fn unmount_union(point: &Path) -> Result<(), Error> {
    let about = "cannot unmount it";
    let target = open_directory(point, about)?;
    let fail = |error: io::Error| Error::directory(point, about, error);
    let here = table::mount_id(&target).map_err(fail)?;
    let real = fs::read_link(format!("/proc/self/fd/{}", target.as_raw_fd())).map_err(fail)?;
    // It would keep the mount busy.
    drop(target);
    let mounts = table::read().map_err(fail)?;
    let not_ours = || Error::NotOurs { path: point.to_owned() };
    let found = mounts.iter().find(|mounted| mounted.id == here && mounted.point == real);
    let ours = found.and_then(|mounted| mounted.ours.as_ref()).ok_or_else(not_ours)?;
    if let Some(inner) = mounts.iter().find(|mounted| mounted.parent == here) {
        return Err(Error::Nested { path: point.to_owned(), inner: inner.point.clone() });
    }
    if ours.served_by_fuse && !privilege::can_mount() {
        fuse::unmount(&real)?;
    } else {
        unmount(&real, UnmountFlags::NOFOLLOW).map_err(|errno| fail(errno.into()))?;
    }
    let Some(path) = &ours.work else { return Ok(()) };
    // It may be seen in a second place.
    if table::read().map_err(fail)?.iter().any(|other| other.works_in(path)) {
        return Ok(());
    }
    work::remove_at(path)
        .map_err(|error| Error::directory(path, "cannot remove the work directory", error))
}
