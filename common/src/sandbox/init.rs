//! Process 1 inside: makes the surroundings, starts the command, then only reaps
//! and passes signals on. When it ends, the kernel ends everything inside and the
//! mounts go with it.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use rustix::process::{DumpableBehavior, set_dumpable_behavior, set_parent_process_death_signal};

use super::Error;
use super::channel::{Channel, Report};
use super::error::Trying as _;
use super::limits::Group;
use super::mounts::Mounts;
use super::plan::Plan;
use super::runtime::{Bundle, Runtime};
use super::signals::{Arrived, Signals};
use super::surroundings::{Measure, Network};
use super::terminal::Pair;
use super::tree::Staging;
use super::user::User;
use super::{privileges, process, runtime, stub, tree, user};
use crate::mount::work::Work;
use crate::sys::{fork::SingleThread, fork::reap, loopback};

/// What the supervisor hands to init.
#[derive(Debug)]
pub(super) struct Handed {
    /// What the plan names by number.
    pub(super) descriptors: Vec<OwnedFd>,
    pub(super) work: Option<Work>,
    pub(super) group: Option<Group>,
    /// Where the bundle for an OCI runtime is to be, if one is to run the command.
    pub(super) bundle: Option<PathBuf>,
    /// Leads to the emulator of users, if there is one.
    pub(super) emulator: Option<OwnedFd>,
    /// Ends when the supervisor does.
    pub(super) life: OwnedFd,
}

/// Process 1's life, in the namespaces that it has yet to make. Never returns to
/// the supervisor's code but to end.
pub(super) fn main(
    plan: &Plan,
    handed: Handed,
    channel: &Channel,
    thread: &SingleThread,
) -> Result<(), Error> {
    tie_to(&handed.life)?;
    // Before all: what is inside must not look into this process or its files.
    if plan.settings.takes(Measure::HiddenInit) {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .trying(|| "cannot hide the init process".into())?;
    }
    let signals = Signals::block()?;
    rustix::process::umask(rustix::fs::Mode::empty());
    match handed.bundle.clone() {
        Some(dir) => run_runtime(plan, handed, &dir, channel, thread, &signals),
        None => run_command(plan, handed, channel, thread, &signals),
    }
}

/// Should the supervisor be killed, the kernel ends us, and with us all inside.
fn tie_to(life: &OwnedFd) -> Result<(), Error> {
    set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .trying(|| "cannot tie the sandbox to its caller".into())?;
    // It may have been killed before that took effect.
    let mut polled = [PollFd::new(life.as_fd(), PollFlags::POLLIN)];
    if poll(&mut polled, PollTimeout::ZERO) != Ok(0) {
        return Err(Error::new("the supervisor has gone"));
    }
    Ok(())
}

/// Makes the surroundings and starts the command in them.
fn run_command(
    plan: &Plan,
    handed: Handed,
    channel: &Channel,
    thread: &SingleThread,
    signals: &Signals,
) -> Result<(), Error> {
    let Handed { descriptors, work, group, emulator, life, .. } = handed;
    let mut namespaces =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if plan.settings.network == Network::None {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    unshare(namespaces).trying(|| "cannot make namespaces".into())?;
    if plan.settings.network == Network::None {
        loopback::bring_up().trying(|| "cannot bring up the loopback interface".into())?;
    }
    nix::unistd::sethostname(&plan.settings.hostname)
        .trying(|| "cannot set the host name".into())?;

    let staging = Staging::new(Path::new("/"))?;
    let root = tree::mount(&staging, plan, &descriptors, work.as_ref(), channel)?;
    let mounts = Mounts::new(root.as_fd(), &staging, channel, plan);
    let (terminal, expected) = mounts.all(&descriptors)?;
    let user = look_up(plan, &root)?;
    let terminal = terminal.map(|pair| hand_over(pair, user.uid, channel)).transpose()?;
    drop((descriptors, work, life, staging));
    tree::enter(root)?;
    expected.verify()?;

    match thread.fork().trying(|| "cannot start the command".into())? {
        None => process::main(plan, &user, channel, terminal, group, emulator),
        Some(command) => {
            drop((terminal, group, emulator));
            privileges::reduce_to_kill()?;
            process::report(wait(command, signals)?, channel);
            Ok(())
        }
    }
}

/// Writes a bundle to `dir` and starts an OCI runtime on it.
fn run_runtime(
    plan: &Plan,
    handed: Handed,
    dir: &Path,
    channel: &Channel,
    thread: &SingleThread,
    signals: &Signals,
) -> Result<(), Error> {
    let Handed { descriptors, work, group, life, .. } = handed;
    let runtime = Runtime::find()?;
    unshare(CloneFlags::CLONE_NEWNS).trying(|| "cannot make a mount namespace".into())?;
    let staging = Staging::new(dir)?;
    let root = tree::mount(&staging, plan, &descriptors, work.as_ref(), channel)?;
    let user = look_up(plan, &root)?;
    let bundle = Bundle { dir, staging: &staging, root: root.as_fd() };
    let Some(terminal) = bundle.fill(plan, &user, &descriptors, channel)? else {
        return Ok(());
    };
    let terminal = terminal.map(|pair| hand_over(pair, 0, channel)).transpose()?;
    let lacks = process::lacking_in(root.as_fd(), plan)?;
    drop((descriptors, work, life, root));

    match thread.fork().trying(|| "cannot start the runtime".into())? {
        None => {
            if let Some(group) = group {
                group.enter()?;
            }
            process::start_session(terminal)?;
            set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
                .trying(|| "cannot tie the runtime to its init".into())?;
            Err(runtime.execute(dir))
        }
        Some(command) => {
            drop((terminal, group));
            privileges::reduce_to_kill()?;
            let status = wait(command, signals)?;
            match runtime::failure(&staging) {
                Some(failure) => channel.report(&failure),
                // Then no exec(2) succeeds, and the runtime's status is not a program's.
                None if !lacks.is_empty() => channel.report(&process::refused_for(lacks, plan)),
                None => process::report(status, channel),
            }
            Ok(())
        }
    }
}

/// Who runs the command; its working directory is made, if it is to be.
fn look_up(plan: &Plan, root: &OwnedFd) -> Result<User, Error> {
    let user = user::look_up(root.as_fd(), plan.settings.user.as_deref())?;
    if plan.settings.make_cwd {
        stub::make_directory_at(root.as_fd(), &plan.cwd.0)?;
    }
    Ok(user)
}

/// Gives the terminal's one end to the caller and makes the other the user's.
fn hand_over(pair: Pair, uid: u32, channel: &Channel) -> Result<OwnedFd, Error> {
    let uid = rustix::fs::Uid::from_raw(uid);
    // Its group is the file system's affair. An id that is not mapped is reported
    // when the command becomes that user.
    let _ = rustix::fs::fchown(&pair.slave, Some(uid), None);
    channel
        .send_with(&Report::Terminal, &pair.master)
        .trying(|| "cannot hand the terminal over".into())?;
    Ok(pair.slave)
}

/// Reaps, and passes signals on, until the command has ended.
fn wait(command: Pid, signals: &Signals) -> Result<WaitStatus, Error> {
    loop {
        while let Ok(Some((ended, status))) = reap() {
            if ended == command {
                return Ok(status);
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
pub(super) fn forward(command: Pid, signal: Signal) {
    let signal = match signal {
        // The command's group is an orphan to the kernel (credentials(7)): what a terminal
        // sends would not stop it.
        Signal::SIGTSTP => Signal::SIGSTOP,
        other => other,
    };
    let group = matches!(
        signal,
        Signal::SIGINT | Signal::SIGQUIT | Signal::SIGHUP | Signal::SIGSTOP | Signal::SIGCONT
    );
    let whole = Pid::from_raw(-command.as_raw());
    if !group || kill(whole, signal).is_err() {
        let _ = kill(command, signal);
    }
}
