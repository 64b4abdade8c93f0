//! fuse-overlayfs, for where the kernel's own overlay is refused.
//!
//! We make the mount, or have fusermount3(1) make it, and hand the open device to
//! fuse-overlayfs, to which `/dev/fd/N` is a mount point that is mounted already
//! (libfuse 3.3). So the mount can be nowhere yet, as the kernel's own, and carries
//! our name; and the process lives as long as the mount: when that goes, the kernel
//! ends the connection, and so the process.

mod fusermount;
mod refusal;
mod server;

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, openat, statx};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};
use rustix::process::Pid;

use super::allowed::Allowed;
use super::branches::Branches;
use super::context::{Context, attach};
use super::error::Error;
use super::spec::{Durability, SOURCE};
use super::table;
use crate::privilege;
use refusal::{KIND, refused};
use server::Server;

pub(super) use fusermount::unmount;

/// Mounts the union, nowhere yet, with `above` as one more layer on top. The
/// process that serves it is in this one's process namespace, and in a mount
/// namespace of its own: it must not look its own files up in what it serves.
///
/// Gives the mount, and the process that ends with it.
pub(super) fn stack(
    branches: &Branches<'_>,
    above: Option<BorrowedFd<'_>>,
    durability: Durability,
) -> Result<(OwnedFd, Pid), Error> {
    let server = Server::find(branches, durability)?;
    let device = open_device()?;
    let mount = new_mount(&device, SOURCE, branches)?;
    let above = above.map(clone).transpose().map_err(|error| refused("open_tree", error))?;
    let pid = server.start_apart(device, above)?;
    // It is mounted when the process answers.
    answers(&mount, "").map_err(|error| server.failed(error))?;
    Ok((mount, pid))
}

/// Where a union is mounted for others to see.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The directory.
    pub(super) point: &'a Path,
    /// The same, opened.
    pub(super) target: OwnedFd,
    /// The work directory that is to be removed with the mount.
    pub(super) work: Option<&'a Path>,
}

/// Mounts the union at `place`.
pub(super) fn mount_on(
    branches: &Branches<'_>,
    durability: Durability,
    place: Place<'_>,
    allowed: Allowed,
) -> Result<(), Error> {
    let Place { point, target, work } = place;
    let server = Server::find(branches, durability)?;
    let source = table::fuse_source(work);
    if privilege::can_mount() {
        let device = open_device()?;
        let mount = new_mount(&device, &source, branches)?;
        server.start(device)?;
        answers(&mount, "").map_err(|error| server.failed(error))?;
        allowed.restrict(KIND, mount.as_fd())?;
        return attach(mount, target)
            .map_err(|error| Error::directory(point, "cannot mount on it", error));
    }
    let real = std::fs::read_link(format!("/proc/self/fd/{}", target.as_raw_fd()))
        .map_err(|error| Error::directory(point, "cannot mount on it", error))?;
    let device = fusermount::mount(&real, &source, branches.upper.is_some())?;
    let served = server
        .start(device)
        .and_then(|_| answers(CWD, &real).map_err(|error| server.failed(error)));
    if served.is_err() {
        let _ = fusermount::unmount(&real);
    }
    served
}

fn open_device() -> Result<OwnedFd, Error> {
    openat(CWD, "/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| refused("/dev/fuse", errno))
}

/// Connects the device to a new mount, as root of its user namespace.
fn new_mount(device: &OwnedFd, source: &str, branches: &Branches<'_>) -> Result<OwnedFd, Error> {
    let context = Context::open("fuse", source)?;
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    context.string("fd", device.as_raw_fd().to_string())?;
    context.string("rootmode", "40000")?;
    context.string("user_id", user.as_raw().to_string())?;
    context.string("group_id", group.as_raw().to_string())?;
    context.string("subtype", KIND)?;
    for flag in ["default_permissions", "allow_other"] {
        context.flag(flag)?;
    }
    context.mount(match branches.upper {
        Some(_) => MountAttrFlags::empty(),
        None => MountAttrFlags::MOUNT_ATTR_RDONLY,
    })
}

fn clone(directory: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    Ok(open_tree(directory, "", flags)?)
}

/// Waits for the first answer from a mount's root.
fn answers(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<()> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC;
    match statx(at, path, flags, StatxFlags::MODE) {
        Ok(_) => Ok(()),
        Err(Errno::NOTCONN | Errno::CONNABORTED) => Err(io::Error::other("it has ended")),
        Err(errno) => Err(errno.into()),
    }
}
