//! What is mounted inside the root: /proc, /sys, /dev, and what the caller adds.
//!
//! Each target is opened inside the root first and mounted on by descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, statat, symlinkat};
use rustix::mount::{MountAttrFlags, OpenTreeFlags, open_tree};

use super::Error;
use super::channel::{Channel, Report};
use super::command::{Access, Terminal};
use super::error::Trying as _;
use super::inside::{self, Located};
use super::plan::{Ids, MountPlan, Plan, SourcePlan};
use super::stub::Shape;
use super::terminal::Pair;
use super::tree::Staging;
use crate::mount::context::{Context, attach, tmpfs};
use crate::name::show;
use crate::sys::mount_attr::{MountAttr, mount_setattr};

/// Where every sandbox has a mount of its own.
pub(super) const FIXED: [&str; 3] = ["/proc", "/sys", "/dev"];

/// What of /proc and /sys is hidden, as docker hides it: it tells of the host or
/// drives it.
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

/// What of /proc can be read and not written, as docker has it.
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;

/// A root that things are mounted in.
#[derive(Debug)]
pub(super) struct Mounts<'a> {
    root: BorrowedFd<'a>,
    staging: &'a Staging,
    channel: &'a Channel,
    plan: &'a Plan,
    /// An empty directory and an empty file that masks show.
    nothing: (OwnedFd, OwnedFd),
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
        let file = openat(staging, "empty", flags, Mode::empty())
            .trying(|| "cannot prepare mount points".into())?;
        Ok(Self { root, staging, channel, plan, nothing: (directory, file) })
    }

    /// Mounts everything, in order. Returns the terminal, if there is to be one.
    pub(super) fn all(&self, descriptors: &[OwnedFd]) -> Result<Option<Pair>, Error> {
        self.proc()?;
        self.sys()?;
        let terminal = self.dev()?;
        for path in READ_ONLY {
            self.read_only(path)?;
        }
        for path in MASKED {
            self.mask(path)?;
        }
        for (path, file) in super::etc::write(self.staging, self.plan)? {
            self.bind(file.as_fd(), path.as_bytes(), NOSUID | NODEV | NOEXEC)?;
        }
        for mount in &self.plan.mounts {
            self.added(mount, descriptors)?;
        }
        Ok(terminal)
    }

    /// A fresh /proc of the new process namespace.
    fn proc(&self) -> Result<(), Error> {
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
    fn sys(&self) -> Result<(), Error> {
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

    /// A /dev with what a program may expect. Nothing made in it later is a
    /// device: the few that are, are mounts of their own.
    fn dev(&self) -> Result<Option<Pair>, Error> {
        let dev = tmpfs(Some(1 << 16), 0o755, NOSUID | NODEV | NOEXEC)?;
        self.attach(dev.as_fd(), b"/dev", Shape::Directory)?;
        let about = || "cannot fill /dev".to_owned();
        let links = [
            ("/proc/self/fd", "fd"),
            ("/proc/self/fd/0", "stdin"),
            ("/proc/self/fd/1", "stdout"),
            ("/proc/self/fd/2", "stderr"),
            ("pts/ptmx", "ptmx"),
        ];
        for (target, name) in links {
            symlinkat(target, &dev, name).trying(about)?;
        }
        for name in ["pts", "shm", "mqueue"] {
            mkdirat(&dev, name, Mode::from_raw_mode(0o755)).trying(about)?;
        }
        self.devices(dev.as_fd())?;
        let devpts = self.devpts()?;
        self.attach(devpts.as_fd(), b"/dev/pts", Shape::Directory)?;
        let terminal = match self.plan.terminal {
            Terminal::None => None,
            Terminal::New => Some(self.console(dev.as_fd(), devpts.as_fd())?),
        };
        let shm = tmpfs(Some(64 << 20), 0o1777, NOSUID | NODEV | NOEXEC)?;
        self.attach(shm.as_fd(), b"/dev/shm", Shape::Directory)?;
        let queues = Context::open("mqueue", "mqueue")
            .and_then(|context| context.mount(NOSUID | NODEV | NOEXEC));
        // A kernel may be built without them.
        if let Ok(queues) = queues {
            self.attach(queues.as_fd(), b"/dev/mqueue", Shape::Directory)?;
        }
        Ok(terminal)
    }

    /// The command's terminal, as /dev/console too.
    fn console(&self, dev: BorrowedFd<'_>, devpts: BorrowedFd<'_>) -> Result<Pair, Error> {
        let about = || "cannot make a terminal".to_owned();
        let pair = Pair::new(devpts).trying(about)?;
        placeholder(dev, "console").trying(about)?;
        self.bind(open_path(devpts, "0").trying(about)?.as_fd(), b"/dev/console", NOSUID | NOEXEC)?;
        Ok(pair)
    }

    fn devices(&self, dev: BorrowedFd<'_>) -> Result<(), Error> {
        let nodes = [
            ("null", 1, 3),
            ("zero", 1, 5),
            ("full", 1, 7),
            ("random", 1, 8),
            ("urandom", 1, 9),
            ("tty", 5, 0),
        ];
        let own = self.staging.directory("dev")?;
        for (name, major, minor) in nodes {
            let about = || format!("/dev/{name}");
            let device = rustix::fs::makedev(major, minor);
            // Of our own where we may make one: a chmod of it stays in here. The
            // host's otherwise, read-only, which concerns its inode and not what
            // is written to the device.
            let made = rustix::fs::mknodat(
                &own,
                name,
                FileType::CharacterDevice,
                Mode::from_raw_mode(0o666),
                device,
            );
            let (source, attributes) = match made {
                Ok(()) => (open_path(own.as_fd(), name).trying(about)?, NOSUID | NOEXEC),
                Err(_) => {
                    let path = format!("/dev/{name}");
                    (open_path(CWD, &path).trying(about)?, NOSUID | NOEXEC | RDONLY)
                }
            };
            let stat = statat(&source, "", AtFlags::EMPTY_PATH).trying(about)?;
            if stat.st_rdev != device {
                return Err(Error::new(format!("/dev/{name} of the host is another device")));
            }
            placeholder(dev, name).trying(about)?;
            self.bind(source.as_fd(), about().as_bytes(), attributes)?;
        }
        Ok(())
    }

    /// Terminals of our own. The group `tty` may not exist in the user namespace.
    fn devpts(&self) -> Result<OwnedFd, Error> {
        let with = |group: Option<&str>| {
            let context = Context::open("devpts", "devpts")?;
            context.flag("newinstance")?;
            context.string("ptmxmode", "0666")?;
            context.string("mode", "0620")?;
            if let Some(group) = group {
                context.string("gid", group)?;
            }
            context.mount(NOSUID | NOEXEC)
        };
        let group = Some("5").filter(|_| self.plan.ids == Ids::Host);
        Ok(with(group).or_else(|_| with(None))?)
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
    fn mask(&self, path: &str) -> Result<(), Error> {
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

    /// A mount that the caller asked for.
    fn added(&self, mount: &MountPlan, descriptors: &[OwnedFd]) -> Result<(), Error> {
        let target = mount.target.0.as_slice();
        let about = || format!("cannot mount on {}", show(target));
        let access = match mount.access {
            Access::ReadOnly => RDONLY,
            Access::ReadWrite => MountAttrFlags::empty(),
        };
        let opened;
        let source = match &mount.source {
            SourcePlan::Mask => return self.mask(&String::from_utf8_lossy(target)),
            SourcePlan::Tmpfs { size_bytes, mode } => {
                let mount = tmpfs(*size_bytes, *mode, access | NOSUID | NODEV)?;
                return self.attach(mount.as_fd(), target, Shape::Directory);
            }
            SourcePlan::Fd(place) => {
                let fd = descriptors.get(*place).ok_or_else(|| Error::new("no such descriptor"))?;
                opened = inside::reopen(fd.as_fd()).trying(about)?;
                opened.as_fd()
            }
            SourcePlan::Path(path) => {
                let path = path.path();
                let about = || format!("cannot mount {}", crate::name::show_path(&path));
                opened = openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                    .trying(about)?;
                opened.as_fd()
            }
        };
        // A device that is named is wanted; one in a directory is not.
        let device = match inside::kind(source).trying(about)? {
            FileType::CharacterDevice | FileType::BlockDevice => MountAttrFlags::empty(),
            _ => NODEV,
        };
        self.bind(source, target, access | device)
    }

    /// Shows `source` at `target` too.
    fn bind(
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
    fn attach(&self, mount: BorrowedFd<'_>, target: &[u8], shape: Shape) -> Result<(), Error> {
        let about = || format!("cannot mount on {}", show(target));
        let target = match inside::locate(self.root, target).trying(about)? {
            Located::Found(target) => target,
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

/// An empty file to mount a device on.
fn placeholder(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDONLY | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::from_raw_mode(0o666)).map(drop)
}

fn open_path(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    openat(directory, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// A copy of the mount at `source`, that is nowhere yet.
fn clone(
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
