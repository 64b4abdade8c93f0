//! The emulator's life: it waits for the listener and answers calls until the supervisor ends
//! it.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::Start;
use super::caller::{Caller, RootId};
use super::filter::{self, Call};
use super::identity::{Identities, Identity};
use crate::sandbox::channel::Channel;
use crate::sandbox::error::Trying as _;
use crate::sandbox::{Error, privileges};
use crate::sys::notify::{self, Reply};

/// The answer to a call. An error is none of them: then the kernel carries out the call,
/// and finds the error itself if there is one.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The kernel carries it out.
    Native,
    /// It returns this number.
    Value(i64),
    /// It fails.
    Error(Errno),
    /// It has been answered with a descriptor.
    Answered,
}

/// The state that the emulator keeps between calls.
pub(super) struct Emulator {
    pub(super) listener: OwnedFd,
    /// The host's /proc, of which its processes' directories are opened.
    pub(super) proc: OwnedFd,
    /// The root that this process has, once it is another's.
    pub(super) root: Option<RootId>,
    pub(super) identities: Identities,
    pub(super) start: Start,
    /// Whether the command has been executed. Until then the calls are our own, and meant
    /// for the kernel.
    pub(super) has_begun: bool,
}

/// The emulator's process, from its fork to its end. What it fails of, it reports.
#[allow(clippy::exit)]
pub(in crate::sandbox) fn main(socket: OwnedFd, reports: &Channel) -> ! {
    let outcome = run(socket);
    let status = i32::from(outcome.is_err());
    outcome.unwrap_or_else(|error| reports.fail(error));
    std::process::exit(status)
}

fn run(socket: OwnedFd) -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .trying(|| "cannot tie the emulator to its supervisor".into())?;
    let about = || "cannot prepare the emulation of users".to_owned();
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = openat(CWD, "/proc", directory, Mode::empty()).trying(about)?;
    rustix::process::chdir("/proc/self/fd").trying(about)?;
    let received = Channel::new(socket).receive::<Start>();
    // The command could not be started, or there is another listener.
    let Some((start, Some(listener))) = received.trying(about)? else { return Ok(()) };
    privileges::keep(start.needed())?;
    notify::hurry(listener.as_fd());
    let first = Identity::new(start.uid, start.gid, &start.groups, start.bound());
    let identities = Identities::new(first, start.bound());
    Emulator { listener, proc, root: None, identities, start, has_begun: false }.serve()
}

impl Emulator {
    fn serve(mut self) -> Result<(), Error> {
        // Nobody tells when all who could call are gone: then the supervisor ends, too.
        let about = || "cannot receive a system call".to_owned();
        loop {
            let Some(call) = notify::receive(self.listener.as_fd()).trying(about)? else {
                continue;
            };
            let id = call.id;
            let outcome = match filter::call(call.arch, call.number) {
                Some(name) if self.has_begun || name == Call::Execve => {
                    self.has_begun = true;
                    Caller::new(&mut self, call).answer(name)
                }
                _ => Ok(Outcome::Native),
            };
            let reply = match outcome {
                Ok(Outcome::Native) | Err(_) => Reply::Continue,
                Ok(Outcome::Value(value)) => Reply::Value(value),
                Ok(Outcome::Error(errno)) => Reply::Error(errno),
                Ok(Outcome::Answered) => continue,
            };
            notify::answer(self.listener.as_fd(), id, reply);
        }
    }
}

impl Caller<'_> {
    fn answer(&mut self, call: Call) -> Result<Outcome, Errno> {
        match call {
            Call::Chown | Call::Lchown | Call::Fchown | Call::Fchownat => self.chown(call),
            Call::Mknod | Call::Mknodat => self.mknod(call),
            Call::Mkdir | Call::Mkdirat => self.mkdir(call),
            Call::Symlink | Call::Symlinkat => self.symlink(call),
            Call::Open | Call::Creat | Call::Openat | Call::Openat2 => self.open(call),
            Call::Utimensat | Call::Utime | Call::Utimes | Call::Futimesat => self.utime(call),
            Call::Stat | Call::Lstat | Call::Fstat | Call::Newfstatat => self.stat(call),
            Call::Statx => self.statx(),
            Call::Execve | Call::Execveat => self.execute(call),
            _ => self.identify(call),
        }
    }
}
