//! The process of fuse-overlayfs: what it is told, and what it says.
//!
//! Layers are named `/proc/self/fd/N`: whatever their paths hold, there is neither
//! a `:` nor a `,` in what it parses.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, memfd_create, openat};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Pid;

use super::super::branches::Branches;
use super::super::context::attach;
use super::super::error::Error;
use super::super::spec::Durability;
use super::refusal::{KIND, refused};
use crate::sys::fork::SingleThread;

/// Where a layer that no path leads to is put for it to open: in a mount namespace
/// of its own, over a directory that every machine has and no layer is in.
const ABOVE: &str = "/sys";

/// A server that is to be started.
#[derive(Debug)]
pub(super) struct Server<'a> {
    program: PathBuf,
    branches: Branches<'a>,
    durability: Durability,
    /// Takes what it says: nobody reads a pipe for as long as it may live.
    log: File,
}

impl<'a> Server<'a> {
    /// Looks for the program in PATH.
    pub(super) fn find(branches: &Branches<'a>, durability: Durability) -> Result<Self, Error> {
        if let Some((upper, _)) = branches.upper {
            // It resolves the path and then parses it once more.
            let path = std::fs::read_link(format!("/proc/self/fd/{}", upper.as_raw_fd()))
                .map_err(|error| refused("upperdir", error))?;
            if path.as_os_str().as_bytes().contains(&b':') {
                return Err(Error::Colon { path });
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        let program = std::env::split_paths(&path)
            .map(|folder| folder.join(KIND))
            .find(|program| rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok())
            .ok_or(Error::NoFuse)?;
        let log = memfd_create(KIND, MemfdFlags::CLOEXEC)
            .map_err(|errno| refused("memfd_create", errno))?;
        Ok(Self { program, branches: *branches, durability, log: log.into() })
    }

    /// Starts it to serve `device`, whose mount outlives us.
    pub(super) fn start(&self, device: OwnedFd) -> Result<(), Error> {
        let started = self.inherited(&device).and_then(|()| {
            // A signal of the terminal must not end it.
            self.command(&device, false)?.process_group(0).spawn()
        });
        started.map_err(|error| refused("start", error))?;
        Ok(())
    }

    /// Starts it in a mount namespace of its own, with the mount `above` as one
    /// more layer on top of the others. This process must have one thread.
    pub(super) fn start_apart(
        &self,
        device: OwnedFd,
        above: Option<OwnedFd>,
    ) -> Result<Pid, Error> {
        let forked = SingleThread::check().and_then(|thread| thread.fork());
        match forked.map_err(|error| refused("start", error))? {
            Some(pid) => Pid::from_raw(pid.as_raw())
                .ok_or_else(|| refused("start", io::Error::from(io::ErrorKind::InvalidData))),
            None => {
                let Err(error) = self.become_server(&device, above);
                let _ = io::Write::write_all(&mut &self.log, format!("{error}\n").as_bytes());
                leave()
            }
        }
    }

    fn become_server(
        &self,
        device: &OwnedFd,
        above: Option<OwnedFd>,
    ) -> io::Result<std::convert::Infallible> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let stacked = above.is_some();
        if let Some(above) = above {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            attach(above, openat(CWD, ABOVE, flags, Mode::empty())?)?;
        }
        self.inherited(device)?;
        Err(self.command(device, stacked)?.exec())
    }

    /// Lets the new program have the descriptors that it is told of.
    fn inherited(&self, device: &OwnedFd) -> io::Result<()> {
        let upper = self.branches.upper.into_iter().flat_map(|(upper, work)| [upper, work]);
        let lowers = self.branches.lowers.iter().copied();
        for fd in lowers.chain(upper.chain([device]).map(std::os::fd::AsFd::as_fd)) {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    }

    fn command(&self, device: &OwnedFd, above: bool) -> io::Result<Command> {
        let mut command = Command::new(&self.program);
        command.arg("-f").arg("-o").arg(self.options(above));
        command.arg(format!("/dev/fd/{}", device.as_raw_fd()));
        command.env_clear().current_dir("/").stdin(Stdio::null());
        command.stdout(self.log.try_clone()?).stderr(self.log.try_clone()?);
        Ok(command)
    }

    fn options(&self, above: bool) -> String {
        let path = |fd: RawFd| format!("/proc/self/fd/{fd}");
        // The top one first.
        let lowers = self.branches.lowers.iter().rev().map(|lower| path(lower.as_raw_fd()));
        let lowers: Vec<String> =
            above.then(|| ABOVE.to_owned()).into_iter().chain(lowers).collect();
        let mut options = format!("lowerdir={}", lowers.join(":"));
        if let Some((upper, work)) = self.branches.upper {
            let (upper, work) = (path(upper.as_raw_fd()), path(work.as_raw_fd()));
            options.push_str(&format!(",upperdir={upper},workdir={work}"));
            if self.durability == Durability::Volatile {
                options.push_str(",volatile");
            }
        }
        options
    }

    /// Why it does not serve: in its own words, if it left any.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        let mut said = Vec::new();
        let mut log = &self.log;
        let _ = log.rewind().and_then(|()| log.read_to_end(&mut said));
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said
            .lines()
            .map(|line| line.trim().trim_start_matches("fuse-overlayfs: "))
            .filter(|line| !line.is_empty() && !line.starts_with("unknown argument ignored"))
            .collect();
        Error::refused(KIND, "serve", error, lines.join("; "))
    }
}

/// Ends a forked process at once.
#[allow(clippy::exit)]
fn leave() -> ! {
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

    use super::{Branches, Durability, Server};

    #[test]
    fn names_are_numbers_whatever_the_paths_are() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            OwnedFd::from(File::open(dir.path().join(name)).unwrap())
        };
        let [base, top] = ["a:b", "c,d"].map(open);
        let upper = (open("u,p:"), open("wo,rk"));
        let lowers: [BorrowedFd<'_>; 2] = [base.as_fd(), top.as_fd()];
        let server = Server {
            program: "fuse-overlayfs".into(),
            branches: Branches { lowers: &lowers, upper: Some(&upper) },
            durability: Durability::Volatile,
            log: tempfile::tempfile().unwrap(),
        };
        let fd = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
        let expected = format!(
            "lowerdir=/sys:{}:{},upperdir={},workdir={},volatile",
            fd(&top),
            fd(&base),
            fd(&upper.0),
            fd(&upper.1)
        );
        assert_eq!(server.options(true), expected);
    }
}
