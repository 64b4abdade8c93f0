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
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, dup2_stdin, setsid};

use super::channel::Channel;
use super::error::Trying as _;
use super::leftovers::Leftovers;
use super::plan::Plan;
use super::signals::{Arrived, Signals};
use super::surroundings::Isolation;
use super::{Error, emulate, ids, init, process, users};
use crate::sys::{close_range, fork};

/// How a process knows that it is a supervisor.
pub(super) const ARGV0: &str = "layerutils-sandbox";

/// The whole life of a process that was started by this module, which its name (`argv[0]`)
/// tells; `None` for one that a user started. Every tool with a sandbox begins with it, see
/// [`crate::cli::main_or`].
#[must_use]
pub fn main_of_child(argv0: &OsStr) -> Option<ExitCode> {
    if argv0 == users::ARGV0 {
        return Some(users::child_main());
    }
    (argv0 == ARGV0).then(child_main)
}

/// The life of a supervisor. Its standard input is the channel to the caller.
fn child_main() -> ExitCode {
    // What the caller inherited from its own, and would hand to the command: a
    // directory of the host among it would be a way out.
    if close_range::close_from_3().is_err() {
        return ExitCode::FAILURE;
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
    ids::enter(plan.ids)?;
    let thread = fork::SingleThread::check().trying(|| "cannot fork safely".into())?;

    let (mut emulator, socket) = emulator(&plan, &thread, channel)?;
    let (life, supervisor) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .trying(|| "cannot make a pipe".into())?;
    if plan.settings.isolation == Isolation::Chroot {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .trying(|| "cannot adopt processes".into())?;
    } else {
        unshare(CloneFlags::CLONE_NEWPID).trying(|| "cannot make a process namespace".into())?;
    }
    let left = Leftovers::prepare(&plan, &descriptors, emulator, channel)?;
    let outcome = match thread.fork().trying(|| "cannot start a process".into()) {
        // What it owns from here on it drops before the command: there is no
        // descriptor left then that leads out of the root.
        Ok(None) => {
            drop(supervisor);
            let handed = left.hand_over(descriptors, socket, life);
            return match plan.settings.isolation {
                Isolation::Full | Isolation::Oci => init::main(&plan, handed, channel, &thread),
                Isolation::Chroot => process::main_in_chroot(&plan, handed, channel),
            };
        }
        Ok(Some(pid)) => {
            drop(socket);
            watch(pid, &mut emulator, &signals, channel, plan.settings.isolation)
        }
        Err(error) => Err(error),
    };
    if let Some(emulator) = emulator {
        let _ = kill(emulator, Signal::SIGKILL);
    }
    left.remove(channel);
    outcome
}

/// Forks the emulator of users, before a process namespace of another is made, if the
/// command is to have one; returns the command's end of their socket with it.
fn emulator(
    plan: &Plan,
    thread: &fork::SingleThread,
    channel: &Channel,
) -> Result<(Option<Pid>, Option<OwnedFd>), Error> {
    if !emulate::is_wanted(plan) {
        return Ok((None, None));
    }
    let (ours, theirs) = Channel::pair().trying(|| "cannot make a socket".into())?;
    match thread.fork().trying(|| "cannot start the emulator".into())? {
        None => {
            drop(ours);
            emulate::main(theirs, channel)
        }
        Some(pid) => Ok((Some(pid), Some(ours.into_fd()))),
    }
}

/// How often a command may be asked to terminate before it is made to: what docker's
/// client takes, too.
const PATIENCE: u32 = 3;

/// Passes signals to `pid` and ends it when the caller is gone, or loses its
/// patience, until it has ended. Forgets the emulator once it is reaped: its number may be
/// another's then.
fn watch(
    pid: Pid,
    emulator: &mut Option<Pid>,
    signals: &Signals,
    channel: &Channel,
    isolation: Isolation,
) -> Result<(), Error> {
    let mut asked = 0;
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
                    asked += u32::from(signal == Signal::SIGTERM);
                    let forced = asked >= PATIENCE;
                    match isolation {
                        // It is the command itself.
                        Isolation::Chroot if !forced => init::forward(pid, signal),
                        _ => {
                            let _ = kill(pid, if forced { Signal::SIGKILL } else { signal });
                        }
                    }
                }
                Arrived::Child => {}
            }
        }
        while let Ok(Some((ended, status))) = fork::reap() {
            // Without its emulator a command must not go on. It ends by itself when nobody
            // is left to be served.
            let was_emulator = emulator.take_if(|emulator| *emulator == ended).is_some();
            if was_emulator && status != WaitStatus::Exited(ended, 0) {
                channel.fail(Error::new("the emulator of other users has died"));
                let _ = kill(pid, Signal::SIGKILL);
            }
            if ended == pid {
                if isolation == Isolation::Chroot {
                    process::report(status, channel);
                    process::kill_descendants();
                    *emulator = None;
                } else if asked >= PATIENCE {
                    // Init was killed and could tell nothing.
                    process::report(status, channel);
                }
                return Ok(());
            }
        }
    }
}
