//! What is mounted inside the root, in order: /proc and /sys (see `system`), /dev (see
//! `dev`), and what the caller adds.
//!
//! Each mount is made detached. Its target is opened by the rules of `target` and mounted
//! on by descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::FileType;
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::Error;
use super::attached::{Attached, Expected};
use super::channel::Channel;
use super::error::Trying as _;
use super::inside;
use super::plan::{MountPlan, Plan, SourcePlan};
use super::surroundings::{Access, Measure, Programs, Tmpfs};
use super::target::{Shape, Target, create};
use super::terminal::Pair;
use super::tree::Staging;
use crate::mount::context::{Context, attach};
use crate::name::show;
use crate::root::Located;
use crate::sys::mount_attr::{MountAttr, mount_setattr};

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
    /// The mounts on /proc, /sys and /dev so far.
    attached: Attached,
}

impl<'a> Mounts<'a> {
    pub(super) fn new(
        root: BorrowedFd<'a>,
        staging: &'a Staging,
        channel: &'a Channel,
        plan: &'a Plan,
    ) -> Self {
        Self { root, staging, channel, plan, attached: Attached::default() }
    }

    /// Mounts everything, in order. Returns the terminal, if there is to be one, and what
    /// the command must find.
    pub(super) fn all(
        mut self,
        descriptors: &[OwnedFd],
    ) -> Result<(Option<Pair>, Expected), Error> {
        let proc = self.proc()?;
        let sys = self.sys()?;
        let terminal = self.dev()?;
        if self.plan.settings.takes(Measure::SystemPaths) {
            self.protect_system_paths(&proc, sys.as_ref())?;
        }
        self.files_of_etc()?;
        for mount in &self.plan.mounts {
            self.added(mount, &Target::asked_for(&mount.target.0)?, descriptors)?;
        }
        Ok((terminal, self.attached.expected()))
    }

    /// Mounts what does not belong on /proc, /sys or /dev, which somebody else mounts.
    pub(super) fn all_but_system(mut self, descriptors: &[OwnedFd]) -> Result<(), Error> {
        self.files_of_etc()?;
        for mount in &self.plan.mounts {
            let target = Target::asked_for(&mount.target.0)?;
            if !target.is_system() {
                self.added(mount, &target, descriptors)?;
            }
        }
        Ok(())
    }

    fn files_of_etc(&mut self) -> Result<(), Error> {
        for (path, file) in super::etc::write(self.staging, self.plan)? {
            self.bind(file.as_fd(), &Target::of_system(path), NOSUID | NODEV | NOEXEC)?;
        }
        Ok(())
    }

    /// A mount that the caller asked for.
    fn added(
        &mut self,
        mount: &MountPlan,
        target: &Target,
        descriptors: &[OwnedFd],
    ) -> Result<(), Error> {
        let access = match mount.access {
            Access::ReadOnly => RDONLY,
            Access::ReadWrite => MountAttrFlags::empty(),
        };
        if let SourcePlan::Tmpfs(tmpfs) = &mount.source {
            let mount = fresh(tmpfs, access | NOSUID | NODEV)?;
            return self.attach(mount.as_fd(), target, Shape::Directory);
        }
        let Some(source) = mount.source.open(descriptors)? else { return Ok(()) };
        // A device that is named is wanted; one in a directory is not.
        let device = match inside::kind(&source).map_err(|error| target.refused(error))? {
            FileType::CharacterDevice | FileType::BlockDevice => MountAttrFlags::empty(),
            _ => NODEV,
        };
        self.bind(source.as_fd(), target, access | device)
    }

    /// Shows `source` at `target` too.
    pub(super) fn bind(
        &mut self,
        source: BorrowedFd<'_>,
        target: &Target,
        attributes: MountAttrFlags,
    ) -> Result<(), Error> {
        let kind = inside::kind(source).map_err(|error| target.refused(error))?;
        let shape = Shape::of(kind);
        let mount = clone(source, attributes, shape == Shape::Directory)
            .map_err(|error| target.refused(error))?;
        self.attach(mount.as_fd(), target, shape)
    }

    /// Attaches a mount to a target. One that is still missing is in an earlier mount, and
    /// made there.
    pub(super) fn attach(
        &mut self,
        mount: BorrowedFd<'_>,
        target: &Target,
        shape: Shape,
    ) -> Result<(), Error> {
        let place = match self.locate(target)? {
            Located::Found { fd, .. } => fd,
            Located::Missing(missing) => {
                create(&missing, shape).map_err(|error| target.refused(error))?;
                match self.locate(target)? {
                    Located::Found { fd, .. } => fd,
                    Located::Missing(_) => {
                        return Err(target.refused(io::ErrorKind::NotFound.into()));
                    }
                }
            }
        };
        target.check(&place, shape)?;
        attach(mount, place).map_err(|error| target.refused(error))?;
        match target.is_system() {
            true => self.attached.add(target, mount),
            false => Ok(()),
        }
    }

    /// Looks a target up: in the mount of ours that holds it, else in the root.
    fn locate(&self, target: &Target) -> Result<Located, Error> {
        match self.attached.holding(target) {
            Some((mount, path)) => target.locate_below(mount, &path),
            None => target.locate(self.root),
        }
    }

    /// Makes what is at `path` in `mount`, which is at `above`, read-only or hides it, if
    /// there is anything.
    pub(super) fn protect(
        &mut self,
        (above, mount): (&str, &OwnedFd),
        path: &str,
        protection: Protection<'_>,
    ) -> Result<(), Error> {
        let target = Target::of_system(&format!("{above}/{path}"));
        let about = || format!("cannot protect {}", show(&target.path()));
        let found = match target.locate_below(mount.as_fd(), path.as_bytes())? {
            Located::Found { fd, .. } => fd,
            Located::Missing(_) => return Ok(()),
        };
        let source = match protection {
            Protection::ReadOnly => found.as_fd(),
            Protection::Hidden { directory, file } => match inside::kind(&found).trying(about)? {
                FileType::Directory => directory,
                _ => file,
            },
        };
        let copy = clone(source, NOSUID | NODEV | NOEXEC | RDONLY, false).trying(about)?;
        attach(&copy, &found).trying(about)?;
        self.attached.add(&target, copy.as_fd())
    }
}

/// The protection of a path that tells of the host or drives it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protection<'a> {
    ReadOnly,
    /// An empty one shows in its place.
    Hidden {
        directory: BorrowedFd<'a>,
        file: BorrowedFd<'a>,
    },
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
