//! Process 1 inside: makes the surroundings, starts the command, then only reaps
//! and passes signals on. When it ends, the kernel ends everything inside and the
//! mounts go with it.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, set_parent_process_death_signal};

use super::Error;
use super::channel::{Channel, Report};
use super::command::Network;
use super::error::Trying as _;
use super::mounts::Mounts;
use super::plan::Plan;
use super::signals::{Arrived, Signals};
use super::terminal::Pair;
use super::tree::Staging;
use super::user::User;
use super::{privileges, process, stub, tree, user};
use crate::mount::work::Work;
use crate::sys::{fork::SingleThread, fork::reap, loopback};

/// Process 1's life, in the namespaces that it has yet to make. Never returns to
/// the supervisor's code but to end. `life` ends when the supervisor does.
pub(super) fn main(
    plan: &Plan,
    descriptors: Vec<OwnedFd>,
    work: Option<&Work>,
    channel: &Channel,
    thread: &SingleThread,
    life: OwnedFd,
) -> Result<(), Error> {
    // Should the supervisor be killed, the kernel ends us, and with us all inside.
    set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .trying(|| "cannot tie the sandbox to its caller".into())?;
    // It may have been killed before that took effect.
    let mut polled = [PollFd::new(life.as_fd(), PollFlags::POLLIN)];
    if poll(&mut polled, PollTimeout::ZERO) != Ok(0) {
        return Err(Error::new("the supervisor has gone"));
    }
    drop(life);
    // Before all: what is inside must not look into this process or its files.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .trying(|| "cannot hide the init process".into())?;
    let signals = Signals::block()?;
    rustix::process::umask(rustix::fs::Mode::empty());
    let mut namespaces =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if plan.network == Network::None {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    unshare(namespaces).trying(|| "cannot make namespaces".into())?;
    if plan.network == Network::None {
        loopback::bring_up().trying(|| "cannot bring up the loopback interface".into())?;
    }
    nix::unistd::sethostname(&plan.hostname).trying(|| "cannot set the host name".into())?;

    let staging = Staging::new()?;
    let root = tree::mount(&staging, plan, &descriptors, work, channel)?;
    let terminal = Mounts::new(root.as_fd(), &staging, channel, plan)?.all(&descriptors)?;
    let user = user::look_up(root.as_fd(), plan.user.as_deref())?;
    if plan.make_cwd {
        stub::make_directory_at(root.as_fd(), &plan.cwd.0)?;
    }
    let terminal = terminal.map(|pair| hand_over(pair, &user, channel)).transpose()?;
    drop((descriptors, staging));
    tree::enter(root)?;

    match thread.fork().trying(|| "cannot start the command".into())? {
        None => process::main(plan, &user, channel, terminal),
        Some(command) => {
            drop(terminal);
            privileges::reduce_to_kill()?;
            wait(command, &signals, channel)
        }
    }
}

/// Gives the terminal's one end to the caller and makes the other the user's.
fn hand_over(pair: Pair, user: &User, channel: &Channel) -> Result<OwnedFd, Error> {
    let uid = rustix::fs::Uid::from_raw(user.uid);
    // Its group is the file system's affair. An id that is not mapped is reported
    // when the command becomes that user.
    let _ = rustix::fs::fchown(&pair.slave, Some(uid), None);
    channel
        .send_with(&Report::Terminal, &pair.master)
        .trying(|| "cannot hand the terminal over".into())?;
    Ok(pair.slave)
}

/// Reaps, and passes signals on, until the command has ended.
fn wait(command: Pid, signals: &Signals, channel: &Channel) -> Result<(), Error> {
    loop {
        while let Ok(Some((ended, status))) = reap() {
            if ended == command {
                process::report(status, channel);
                return Ok(());
            }
        }
        let mut polled = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(Error::system("cannot wait for the command", errno)),
        }
        while let Some(arrived) = signals.next() {
            if let Arrived::Other(signal) = arrived {
                forward(command, signal);
            }
        }
    }
}

/// Passes a signal on: what a terminal would send, to the command's whole group.
fn forward(command: Pid, signal: Signal) {
    let group = matches!(signal, Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP);
    let whole = Pid::from_raw(-command.as_raw());
    if !group || kill(whole, signal).is_err() {
        let _ = kill(command, signal);
    }
}
