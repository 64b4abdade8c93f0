//! /proc and /sys inside the root, and what of them is hidden or read-only.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::Error;
use super::channel::Report;
use super::error::Trying as _;
use super::mounts::{Mounts, NODEV, NOEXEC, NOSUID, Protection, RDONLY};
use super::target::{Shape, Target};
use crate::mount;
use crate::mount::context::Context;
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

/// Returns true if the kernel forbids a mount, and false if it fails for another reason.
fn is_refusal(error: &mount::Error) -> bool {
    let mount::Error::Refused { source, .. } = error else { return false };
    source.kind() == std::io::ErrorKind::PermissionDenied
}

impl Mounts<'_> {
    /// A fresh /proc of the new process namespace.
    pub(super) fn proc(&mut self) -> Result<OwnedFd, Error> {
        let fresh = Context::open("proc", "proc")
            .and_then(|context| context.mount(NOSUID | NODEV | NOEXEC));
        let mount = match fresh {
            Ok(mount) => mount,
            // The kernel gives no fresh one where the caller's own has parts
            // covered, as in a container: it would uncover them.
            Err(error) if is_refusal(&error) => {
                let error = crate::errors::line(&error);
                self.channel.report(&Report::Warning(format!(
                    "{error}: showing the host's /proc, with its processes"
                )));
                self.clone_host("/proc", NOSUID | NODEV | NOEXEC)?
            }
            Err(error) => return Err(error.into()),
        };
        self.attach(mount.as_fd(), &Target::of_system("/proc"), Shape::Directory)?;
        Ok(mount)
    }

    /// /sys, to be read: a fresh one if it may be had, else the host's, else none.
    pub(super) fn sys(&mut self) -> Result<Option<OwnedFd>, Error> {
        let attributes = NOSUID | NODEV | NOEXEC | RDONLY;
        let fresh = Context::open("sysfs", "sysfs").and_then(|context| context.mount(attributes));
        let mount = match fresh {
            Ok(mount) => mount,
            // It shows the network, so it belongs to whoever owns that.
            Err(_) => match self.clone_host("/sys", attributes) {
                Ok(mount) => mount,
                Err(error) => {
                    let error = crate::errors::line(&error);
                    self.channel.report(&Report::Warning(format!("no /sys: {error}")));
                    return Ok(None);
                }
            },
        };
        self.attach(mount.as_fd(), &Target::of_system("/sys"), Shape::Directory)?;
        Ok(Some(mount))
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

    /// Hides what tells of the host, and lets nothing drive it. Each path is looked up in
    /// the very file system that was mounted.
    pub(super) fn protect_system_paths(
        &mut self,
        proc: &OwnedFd,
        sys: Option<&OwnedFd>,
    ) -> Result<(), Error> {
        let directory = self.staging.directory("nothing")?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(self.staging, "empty", flags, Mode::from_raw_mode(0o444))
            .trying(|| "cannot prepare mount points".into())?;
        let hidden = Protection::Hidden { directory: directory.as_fd(), file: file.as_fd() };
        let read_only = READ_ONLY.into_iter().map(|path| (path.to_owned(), Protection::ReadOnly));
        let masked = masked().into_iter().map(|path| (path, hidden));
        for (path, protection) in read_only.chain(masked) {
            if let Some(path) = path.strip_prefix("/proc/") {
                self.protect(("/proc", proc), path, protection)?;
            } else if let (Some(path), Some(sys)) = (path.strip_prefix("/sys/"), sys) {
                self.protect(("/sys", sys), path, protection)?;
            }
        }
        Ok(())
    }
}
