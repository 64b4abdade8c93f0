//! The supervisor: our own binary, executed anew with one thread.
//!
//! It stays outside of the sandbox's mount and process namespaces (inside the user
//! namespace, if there is one), so that it can remove what must not stay behind
//! when init is gone: the overlay's work directory, mount points that it made. It
//! ends init when the caller dies, which it sees as the end of the channel, so
//! that even SIGKILL leaves nothing.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin, setsid};

use super::channel::{Channel, Report};
use super::command::{Isolation, Root, Writable};
use super::error::Trying as _;
use super::plan::Plan;
use super::signals::{Arrived, Signals};
use super::stub::Stubs;
use super::{Error, ids, init, process, users};
use crate::mount::work::Work;
use crate::sys::{close_range, fork};
use crate::unpacked::Copy;

/// How a process knows that it is a supervisor.
pub(super) const ARGV0: &str = "layerutils-sandbox";

/// Whether this process was started by this module and not by a user.
#[must_use]
pub fn is_child(argv0: Option<&OsStr>) -> bool {
    argv0.is_some_and(|name| name == ARGV0 || name == users::ARGV0)
}

/// The life of a process that [`is_child`] tells. Its standard input is the channel
/// to the caller.
#[must_use]
pub fn child_main(argv0: Option<&OsStr>) -> ExitCode {
    if argv0.is_some_and(|name| name == users::ARGV0) {
        return users::child_main();
    }
    let Ok(channel) = io::stdin().as_fd().try_clone_to_owned().map(Channel::new) else {
        return ExitCode::FAILURE;
    };
    match supervise(&channel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            channel.fail(error);
            ExitCode::FAILURE
        }
    }
}

fn supervise(channel: &Channel) -> Result<(), Error> {
    let signals = Signals::block()?;
    let (plan, mut descriptors): (Plan, Vec<OwnedFd>) =
        channel.receive_plan().trying(|| "cannot receive the plan".into())?;
    if descriptors.is_empty() {
        return Err(Error::new("the plan has no standard input"));
    }
    dup2_stdin(descriptors.remove(0)).trying(|| "standard input".into())?;
    // Signals of the terminal reach the caller, who passes them on: once.
    let _ = setsid();
    // Kernels before 5.11 lack it. Ours are all marked anyway; this is for what
    // the caller inherited from its own.
    let _ = close_range::close_on_exec_from_3();
    ids::enter(plan.ids)?;
    let thread = fork::SingleThread::check().trying(|| "cannot fork safely".into())?;

    let left = Leftovers::prepare(&plan, &descriptors)?;
    let (life, supervisor) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .trying(|| "cannot make a pipe".into())?;
    let inside = |channel: &Channel| match plan.isolation {
        Isolation::Full => {
            init::main(&plan, descriptors, left.work.as_ref(), channel, &thread, life)
        }
        Isolation::Chroot => process::main_in_chroot(&plan, channel),
    };
    if plan.isolation == Isolation::Full {
        unshare(CloneFlags::CLONE_NEWPID).trying(|| "cannot make a process namespace".into())?;
    } else {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .trying(|| "cannot adopt processes".into())?;
    }
    let outcome = match thread.fork().trying(|| "cannot start a process".into())? {
        None => {
            drop(supervisor);
            return inside(channel);
        }
        Some(pid) => watch(pid, &signals, channel, plan.isolation),
    };
    left.remove(channel);
    outcome
}

/// What must be removed when the sandbox is gone.
struct Leftovers {
    work: Option<Work>,
    stubs: Stubs,
    copy: Option<Copy>,
}

impl Leftovers {
    fn prepare(plan: &Plan, descriptors: &[OwnedFd]) -> Result<Self, Error> {
        let mut left = Self { work: None, stubs: Stubs::default(), copy: None };
        match plan.root.root() {
            Root::Overlay(overlay) => left.work = overlay.prepare()?,
            Root::Directory(path) => {
                if plan.discard_root {
                    let about = || format!("{}", crate::name::show_path(&path));
                    left.copy = Some(Copy::adopt(&path).trying(about)?);
                }
                // Otherwise its mount points are a layer's, too.
                if plan.writable != Writable::Discarded {
                    left.stubs = Stubs::in_directory(&path, plan, descriptors)?;
                }
            }
        }
        Ok(left)
    }

    fn remove(self, channel: &Channel) {
        if let Some(Err(error)) = self.work.map(Work::remove) {
            let text = format!("cannot remove the overlay's work directory: {error}");
            channel.report(&Report::Warning(text));
        }
        self.stubs.remove();
        // Dropped, a copy is removed.
        drop(self.copy);
    }
}

/// Passes signals to `pid` and ends it when the caller is gone, until it has ended.
fn watch(
    pid: Pid,
    signals: &Signals,
    channel: &Channel,
    isolation: Isolation,
) -> Result<(), Error> {
    loop {
        let mut polled = [
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(channel.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(Error::system("cannot wait for the sandbox", errno)),
        }
        if polled[1].any() == Some(true) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        while let Some(arrived) = signals.next() {
            match arrived {
                Arrived::Other(signal) => {
                    let _ = kill(pid, signal);
                }
                Arrived::Child => {}
            }
        }
        while let Ok(Some((ended, status))) = fork::reap() {
            if ended == pid {
                if isolation == Isolation::Chroot {
                    process::report(status, channel);
                    process::kill_descendants();
                }
                return Ok(());
            }
        }
    }
}
