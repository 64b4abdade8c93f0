//! The root: mounted, attached, entered.
//!
//! All happens on a staging tmpfs that covers the host's `/` in a mount namespace
//! of our own, so that no directory of the host is needed as a mount point, and
//! files that are made for the command (resolv.conf, hosts) have a place to live.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::mount::{
    MountAttrFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, mount_change, open_tree,
    unmount,
};

use super::Error;
use super::channel::{Channel, Report};
use super::error::Trying as _;
use super::plan::{Bytes, Plan};
use super::surroundings::{Measure, Root, Writable};
use super::{bundle, stub};
use crate::mount::Overlay;
use crate::mount::context::{attach, tmpfs};
use crate::mount::work::Work;
use crate::sys::mount_attr::{MountAttr, mount_setattr};

/// The tmpfs that everything is prepared on.
#[derive(Debug)]
pub(super) struct Staging(OwnedFd);

impl Staging {
    /// Makes the mounts of this namespace our own, and covers `place`: `/`, unless
    /// what is on it is to have a name.
    pub(super) fn new(place: &Path) -> Result<Self, Error> {
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .trying(|| "cannot make the mounts private".into())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let fd = tmpfs(Some(1 << 20), 0o755, attributes)?;
        let root = openat(CWD, place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .trying(|| format!("cannot open {}", crate::name::show_path(place)))?;
        attach(&fd, root).trying(|| "cannot mount a tmpfs to work on".into())?;
        Ok(Self(fd))
    }

    /// Makes a directory on it.
    pub(super) fn directory(&self, name: &str) -> Result<OwnedFd, Error> {
        mkdirat(&self.0, name, Mode::from_raw_mode(0o755))
            .and_then(|()| {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                openat(&self.0, name, flags, Mode::empty())
            })
            .trying(|| "cannot prepare mount points".into())
    }
}

impl AsFd for Staging {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Mounts the root on the staging file system and returns it.
pub(super) fn mount(
    staging: &Staging,
    plan: &Plan,
    descriptors: &[OwnedFd],
    work: Option<&Work>,
    channel: &Channel,
) -> Result<OwnedFd, Error> {
    let place = staging.directory(bundle::ROOT)?;
    let scratch = place.as_fd();
    let root = match (plan.root.root(), plan.settings.writable) {
        (Root::Directory(path), Writable::Discarded) => {
            overlay(staging, Overlay::new(vec![path]), plan, descriptors, work, channel, scratch)?
        }
        (Root::Directory(path), _) => {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_RECURSIVE;
            let about = || format!("cannot take {} as the root", crate::name::show_path(&path));
            open_tree(CWD, &path, flags).trying(about)?
        }
        (Root::Overlay(layers), _) => {
            overlay(staging, layers, plan, descriptors, work, channel, scratch)?
        }
    };
    // A device node of the image is no device here: the few that there are, are
    // mounted one by one.
    let mut set = 0;
    if plan.settings.takes(Measure::NoDevices) {
        set |= libc::MOUNT_ATTR_NODEV;
    }
    if plan.settings.writable == Writable::No {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    mount_setattr(root.as_fd(), MountAttr { set, ..MountAttr::default() })
        .trying(|| "cannot protect the root".into())?;
    attach(&root, &place).trying(|| "cannot mount the root".into())?;
    Ok(root)
}

/// Mounts layers, with the mount points that they lack, and with a place for what is to
/// be discarded.
fn overlay(
    staging: &Staging,
    layers: Overlay,
    plan: &Plan,
    descriptors: &[OwnedFd],
    work: Option<&Work>,
    channel: &Channel,
    scratch: BorrowedFd<'_>,
) -> Result<OwnedFd, Error> {
    let mut opened = layers.open(work)?;
    if plan.settings.writable == Writable::Discarded {
        let place = match plan.settings.passing.as_ref().map(Bytes::path) {
            Some(path) => openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .trying(|| "cannot open what is to be discarded".into())?,
            None => {
                let memory = tmpfs(None, 0o755, MountAttrFlags::empty())?;
                attach(&memory, staging.directory("memory")?)
                    .trying(|| "cannot mount a tmpfs".into())?;
                memory
            }
        };
        opened.write_to(place).trying(|| "cannot prepare the upper directory".into())?;
    }
    let tell = |text: &str| channel.report(&Report::Verbose(text.into()));
    let plain = opened.mount(None, scratch, &tell)?;
    let stubs = staging.directory("stubs")?;
    if !stub::fill_layer(plain.as_fd(), stubs.as_fd(), plan, descriptors)? {
        return Ok(plain);
    }
    tell("the image lacks mount points: adding them");
    drop(plain);
    opened.renew().trying(|| "cannot clear the work directory".into())?;
    Ok(opened.mount(Some(stubs.as_fd()), scratch, &tell)?)
}

/// Makes `root` the root of this process and drops everything else.
pub(super) fn enter(root: OwnedFd) -> Result<(), Error> {
    rustix::process::fchdir(&root).trying(|| "cannot enter the root".into())?;
    // The old root comes to cover the new one: no third directory is needed.
    rustix::process::pivot_root(".", ".").map_err(|errno| {
        let hint = match errno {
            rustix::io::Errno::PERM => {
                "a container's system call filter refuses it, as docker's does even with \
                 SYS_ADMIN: give the outer container --security-opt seccomp=unconfined, or use \
                 --isolation chroot"
            }
            _ => {
                "the caller's own root must be a mount point: this fails in a chroot and on a \
                 kernel's initial ramfs"
            }
        };
        Error::system("cannot make it the root (pivot_root)", errno).with_hint(hint)
    })?;
    // What covers it now is the staging file system and, below that, the host's root.
    for _ in 0..2 {
        unmount(".", UnmountFlags::DETACH)
            .trying(|| "cannot drop the host's file systems".into())?;
    }
    rustix::process::chdir("/").trying(|| "cannot enter the root".into())
}
