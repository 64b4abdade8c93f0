//! /dev inside the root: a tmpfs with the few devices, terminals, shared memory and
//! message queues that a program may expect.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, statat, symlinkat};

use super::Error;
use super::error::Trying as _;
use super::mounts::{Mounts, NODEV, NOEXEC, NOSUID, RDONLY};
use super::plan::Ids;
use super::surroundings::Terminal;
use super::target::{Shape, Target};
use super::terminal::Pair;
use crate::mount::context::{Context, tmpfs};

impl Mounts<'_> {
    /// A /dev with what a program may expect. Nothing made in it later is a
    /// device: the few that are, are mounts of their own.
    pub(super) fn dev(&mut self) -> Result<Option<Pair>, Error> {
        let dev = tmpfs(Some(1 << 16), 0o755, NOSUID | NODEV | NOEXEC)?;
        self.attach(dev.as_fd(), &Target::of_system("/dev"), Shape::Directory)?;
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
        self.attach(devpts.as_fd(), &Target::of_system("/dev/pts"), Shape::Directory)?;
        let terminal = match self.plan.settings.terminal {
            Terminal::None => None,
            Terminal::New => Some(self.console(dev.as_fd(), devpts.as_fd())?),
        };
        let shm = tmpfs(Some(64 << 20), 0o1777, NOSUID | NODEV | NOEXEC)?;
        self.attach(shm.as_fd(), &Target::of_system("/dev/shm"), Shape::Directory)?;
        let queues = Context::open("mqueue", "mqueue")
            .and_then(|context| context.mount(NOSUID | NODEV | NOEXEC));
        // A kernel may be built without them.
        if let Ok(queues) = queues {
            self.attach(queues.as_fd(), &Target::of_system("/dev/mqueue"), Shape::Directory)?;
        }
        Ok(terminal)
    }

    /// The command's terminal, as /dev/console too.
    fn console(&mut self, dev: BorrowedFd<'_>, devpts: BorrowedFd<'_>) -> Result<Pair, Error> {
        let about = || "cannot make a terminal".to_owned();
        let pair = Pair::new(devpts).trying(about)?;
        placeholder(dev, "console").trying(about)?;
        let slave = open_path(devpts, "0").trying(about)?;
        self.bind(slave.as_fd(), &Target::of_system("/dev/console"), NOSUID | NOEXEC)?;
        Ok(pair)
    }

    fn devices(&mut self, dev: BorrowedFd<'_>) -> Result<(), Error> {
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
            self.bind(source.as_fd(), &Target::of_system(&about()), attributes)?;
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
}

/// An empty file to mount a device on.
fn placeholder(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDONLY | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::from_raw_mode(0o666)).map(drop)
}

fn open_path(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    openat(directory, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
