//! /proc and /sys inside the root, and what of them is hidden or read-only.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{CWD, FileType};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::Error;
use super::channel::Report;
use super::error::Trying as _;
use super::inside;
use super::mounts::{Mounts, NODEV, NOEXEC, NOSUID, RDONLY, clone};
use super::stub::Shape;
use crate::mount::context::{Context, attach};
use crate::name::show;
use crate::root::Located;
use crate::sys::mount_attr::{MountAttr, mount_setattr};

/// What of /proc and /sys is hidden on every machine, as docker hides it: it tells of the
/// host or drives it.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// The name of what tells when a processor was hot, in the folder of each
/// (GHSA-6fw5-f8r9-fgfm).
const HEAT: &str = "thermal_throttle";

/// The folder of all processors.
const PROCESSORS: &str = "/sys/devices/system/cpu";

/// All that is hidden on this machine.
pub(super) fn masked() -> Vec<String> {
    let mut masked: Vec<String> = MASKED.into_iter().map(str::to_owned).collect();
    for processor in std::fs::read_dir(PROCESSORS).into_iter().flatten().flatten() {
        let name = processor.file_name();
        let Some(name) = name.to_str() else { continue };
        if processor.path().join(HEAT).is_dir() {
            masked.push(format!("{PROCESSORS}/{name}/{HEAT}"));
        }
    }
    masked
}

/// What of /proc can be read and not written, as docker has it.
pub(super) const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

impl Mounts<'_> {
    /// A fresh /proc of the new process namespace.
    pub(super) fn proc(&self) -> Result<(), Error> {
        let fresh = Context::open("proc", "proc")
            .and_then(|context| context.mount(NOSUID | NODEV | NOEXEC));
        let mount = match fresh {
            Ok(mount) => mount,
            // The kernel gives no fresh one where the caller's own has parts
            // covered, as in a container: it would uncover them.
            Err(error) => {
                let error = crate::cli::Failure::from(error).line();
                self.channel.report(&Report::Warning(format!(
                    "{error}: showing the host's /proc, with its processes"
                )));
                self.clone_host("/proc", NOSUID | NODEV | NOEXEC)?
            }
        };
        self.attach(mount.as_fd(), b"/proc", Shape::Directory)
    }

    /// /sys, to be read: a fresh one where it may be had, else the host's.
    pub(super) fn sys(&self) -> Result<(), Error> {
        let attributes = NOSUID | NODEV | NOEXEC | RDONLY;
        let fresh = Context::open("sysfs", "sysfs").and_then(|context| context.mount(attributes));
        let mount = match fresh {
            Ok(mount) => mount,
            // It shows the network, so it belongs to whoever owns that.
            Err(_) => match self.clone_host("/sys", attributes) {
                Ok(mount) => mount,
                Err(error) => {
                    let error = crate::cli::Failure::from(error).line();
                    self.channel.report(&Report::Warning(format!("no /sys: {error}")));
                    return Ok(());
                }
            },
        };
        self.attach(mount.as_fd(), b"/sys", Shape::Directory)
    }

    /// A copy of a part of the host's tree, with all that is mounted below.
    fn clone_host(&self, path: &str, attributes: MountAttrFlags) -> Result<OwnedFd, Error> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE;
        let about = || format!("cannot show the host's {path}");
        let mount = open_tree(CWD, path, flags).trying(about)?;
        let set = u64::from(attributes.bits());
        mount_setattr(mount.as_fd(), MountAttr { set, recursive: true, ..MountAttr::default() })
            .trying(about)?;
        Ok(mount)
    }

    /// Hides what tells of the host, and lets nothing drive it.
    pub(super) fn protect_system_paths(&self) -> Result<(), Error> {
        for path in READ_ONLY {
            self.read_only(path)?;
        }
        for path in masked() {
            self.mask(&path)?;
        }
        Ok(())
    }

    /// Makes what is at `path` read-only, if there is anything.
    fn read_only(&self, path: &str) -> Result<(), Error> {
        let about = || format!("cannot protect {path}");
        match inside::locate(self.root, path.as_bytes()) {
            Ok(Located::Found(target)) => {
                let attributes = NOSUID | NODEV | NOEXEC | RDONLY;
                let mount = clone(target.as_fd(), attributes, false).trying(about)?;
                attach(mount, target).trying(about)
            }
            Ok(Located::Missing(_)) => Ok(()),
            Err(error) => Err(Error::system(about(), error)),
        }
    }

    /// Hides what is at `path`, if there is anything.
    pub(super) fn mask(&self, path: &str) -> Result<(), Error> {
        let about = || format!("cannot hide {}", show(path));
        match inside::locate(self.root, path.as_bytes()) {
            Ok(Located::Found(target)) => {
                let source = match inside::kind(&target).trying(about)? {
                    FileType::Directory => &self.nothing.0,
                    _ => &self.nothing.1,
                };
                let attributes = NOSUID | NODEV | NOEXEC | RDONLY;
                let mount = clone(source.as_fd(), attributes, false).trying(about)?;
                attach(mount, target).trying(about)
            }
            Ok(Located::Missing(_)) => Ok(()),
            Err(error) => Err(Error::system(about(), error)),
        }
    }
}
