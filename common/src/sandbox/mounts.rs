//! What is mounted inside the root, in order: /proc and /sys (see `system`), /dev (see
//! `dev`), and what the caller adds.
//!
//! Each target is opened inside the root first and mounted on by descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, openat};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::Error;
use super::channel::Channel;
use super::error::Trying as _;
use super::inside;
use super::plan::{MountPlan, Plan, SourcePlan};
use super::stub::Shape;
use super::surroundings::{Access, Measure, Programs, Tmpfs};
use super::terminal::Pair;
use super::tree::Staging;
use crate::mount::context::{Context, attach};
use crate::name::show;
use crate::root::Located;
use crate::sys::mount_attr::{MountAttr, mount_setattr};

/// Where every sandbox has a mount of its own.
pub(super) const FIXED: [&str; 3] = ["/proc", "/sys", "/dev"];

pub(super) const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
pub(super) const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
pub(super) const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
pub(super) const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;

/// A root that things are mounted in.
#[derive(Debug)]
pub(super) struct Mounts<'a> {
    pub(super) root: BorrowedFd<'a>,
    pub(super) staging: &'a Staging,
    pub(super) channel: &'a Channel,
    pub(super) plan: &'a Plan,
    /// An empty directory and an empty file that masks show.
    pub(super) nothing: (OwnedFd, OwnedFd),
}

impl<'a> Mounts<'a> {
    pub(super) fn new(
        root: BorrowedFd<'a>,
        staging: &'a Staging,
        channel: &'a Channel,
        plan: &'a Plan,
    ) -> Result<Self, Error> {
        let directory = staging.directory("nothing")?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(staging, "empty", flags, Mode::from_raw_mode(0o444))
            .trying(|| "cannot prepare mount points".into())?;
        Ok(Self { root, staging, channel, plan, nothing: (directory, file) })
    }

    /// Mounts everything, in order. Returns the terminal, if there is to be one.
    pub(super) fn all(&self, descriptors: &[OwnedFd]) -> Result<Option<Pair>, Error> {
        self.proc()?;
        self.sys()?;
        let terminal = self.dev()?;
        if self.plan.settings.takes(Measure::SystemPaths) {
            self.protect_system_paths()?;
        }
        for (path, file) in super::etc::write(self.staging, self.plan)? {
            self.bind(file.as_fd(), path.as_bytes(), NOSUID | NODEV | NOEXEC)?;
        }
        for mount in &self.plan.mounts {
            self.added(mount, descriptors)?;
        }
        Ok(terminal)
    }

    /// A mount that the caller asked for.
    fn added(&self, mount: &MountPlan, descriptors: &[OwnedFd]) -> Result<(), Error> {
        let target = mount.target.0.as_slice();
        let about = || format!("cannot mount on {}", show(target));
        let access = match mount.access {
            Access::ReadOnly => RDONLY,
            Access::ReadWrite => MountAttrFlags::empty(),
        };
        match &mount.source {
            SourcePlan::Mask => return self.mask(&String::from_utf8_lossy(target)),
            SourcePlan::Tmpfs(tmpfs) => {
                let mount = fresh(tmpfs, access | NOSUID | NODEV)?;
                return self.attach(mount.as_fd(), target, Shape::Directory);
            }
            SourcePlan::Path(_) | SourcePlan::Fd(_) => {}
        }
        let Some(source) = mount.source.open(descriptors)? else { return Ok(()) };
        // A device that is named is wanted; one in a directory is not.
        let device = match inside::kind(&source).trying(about)? {
            FileType::CharacterDevice | FileType::BlockDevice => MountAttrFlags::empty(),
            _ => NODEV,
        };
        self.bind(source.as_fd(), target, access | device)
    }

    /// Shows `source` at `target` too.
    pub(super) fn bind(
        &self,
        source: BorrowedFd<'_>,
        target: &[u8],
        attributes: MountAttrFlags,
    ) -> Result<(), Error> {
        let about = || format!("cannot mount on {}", show(target));
        let kind = inside::kind(source).trying(about)?;
        let recursive = kind == FileType::Directory;
        let mount = clone(source, attributes, recursive).trying(about)?;
        let shape = if recursive { Shape::Directory } else { Shape::File };
        self.attach(mount.as_fd(), target, shape)
    }

    /// Attaches a mount to a path inside the root. A mount point that is still
    /// missing is in an earlier mount, and made there.
    pub(super) fn attach(
        &self,
        mount: BorrowedFd<'_>,
        target: &[u8],
        shape: Shape,
    ) -> Result<(), Error> {
        let about = || format!("cannot mount on {}", show(target));
        let target = match inside::locate(self.root, target).trying(about)? {
            Located::Found(target) => {
                // The kernel says no more than "invalid argument".
                let is = inside::kind(&target).trying(about)? == FileType::Directory;
                match (is, shape == Shape::Directory) {
                    (true, false) => return Err(Error::new(about() + ": it is a directory")),
                    (false, true) => return Err(Error::new(about() + ": it is no directory")),
                    _ => target,
                }
            }
            Located::Missing(missing) => super::stub::create(&missing, shape)
                .and_then(|()| match inside::locate(self.root, target)? {
                    Located::Found(target) => Ok(target),
                    Located::Missing(_) => Err(io::ErrorKind::NotFound.into()),
                })
                .trying(about)?,
        };
        attach(mount, target).trying(about)
    }
}

/// A fresh tmpfs that is nowhere yet.
fn fresh(wanted: &Tmpfs, attributes: MountAttrFlags) -> Result<OwnedFd, Error> {
    let context = Context::open("tmpfs", "tmpfs")?;
    if let Some(size_bytes) = wanted.size_bytes {
        context.string("size", size_bytes.to_string())?;
    }
    context.string("mode", format!("{:o}", wanted.mode))?;
    context.string("uid", wanted.owner.0.to_string())?;
    context.string("gid", wanted.owner.1.to_string())?;
    let programs = match wanted.programs {
        Programs::Run => MountAttrFlags::empty(),
        Programs::Refused => NOEXEC,
    };
    Ok(context.mount(attributes | programs)?)
}

/// A copy of the mount at `source`, that is nowhere yet.
pub(super) fn clone(
    source: BorrowedFd<'_>,
    attributes: MountAttrFlags,
    recursive: bool,
) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let mount = open_tree(source, "", flags)?;
    let set = u64::from(attributes.bits());
    mount_setattr(mount.as_fd(), MountAttr { set, recursive, ..MountAttr::default() })?;
    Ok(mount)
}
