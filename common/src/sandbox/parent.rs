//! The caller's side: starts the sandbox's first process and waits for it.
//!
//! Our own program (see `program`) is executed again, because a process with threads may run
//! nothing between fork and exec, and because a user namespace is for processes
//! with one thread. The plan goes over a socket that the new process finds as its
//! standard input, with the true standard input among the descriptors in it: so
//! nothing is inherited by accident, whatever other threads start meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};

use nix::unistd::Pid;

use super::channel::{Channel, Report};
use super::command::Command;
use super::error::Trying as _;
use super::plan::Plan;
use super::program::Program;
use super::surroundings::{Exit, Stream};
use super::terminal::Relay;
use super::{Error, child, emulate, ids};
use crate::message;
use crate::signal;

const NO_PROC: &str = "/proc must be mounted: this program starts itself anew through it";

/// Whether a sandbox can be started here at all, to be asked before an image is unpacked
/// for it.
///
/// # Errors
/// There is no /proc.
pub fn check() -> Result<(), Error> {
    let found = std::fs::symlink_metadata("/proc/self/exe");
    let error = |error| Error::system("cannot start a sandbox", error).with_hint(NO_PROC);
    found.map(drop).map_err(error)
}

/// See [`Command::run`].
pub(super) fn run(command: Command) -> Result<Exit, Error> {
    let ids = ids::choose(command.settings.isolation);
    let (plan, mut descriptors, streams) = Plan::new(command, ids);
    let (channel, theirs) = Channel::pair().trying(|| "cannot make a socket".into())?;
    let stdin = standard_input(streams.stdin).trying(|| "standard input".into())?;
    descriptors.insert(0, stdin);

    let program = Program::prepare(&plan.settings);
    let mut process = std::process::Command::new(&program.path);
    process.arg0(child::ARGV0).stdin(theirs);
    process.stdout(output(streams.stdout)).stderr(output(streams.stderr));
    let mut child = process
        .spawn()
        .map_err(|error| Error::system("cannot start the sandbox", error).with_hint(NO_PROC))?;
    // It holds the other end of the channel, which must close when the child dies.
    drop((process, program));
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let forwarding = signal::forward_to(pid);
    let outcome = channel
        .send_plan(&plan, &descriptors)
        .trying(|| "cannot hand the plan to the sandbox".into())
        .and_then(|()| {
            drop(descriptors);
            listen(&channel)
        });
    // With the channel closed it ends, whatever it was doing.
    drop(channel);
    // Once it is waited for, its number may be another's.
    drop(forwarding);
    let ended = wait(&mut child);
    match (outcome?, ended) {
        (Some(exit), _) => Ok(exit),
        (None, ended) => Err(Error::new(format!("the sandbox died: {ended}"))),
    }
}

fn wait(child: &mut Child) -> String {
    match child.wait() {
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    }
}

fn standard_input(stream: Stream) -> io::Result<OwnedFd> {
    match stream {
        Stream::Inherit => io::stdin().as_fd().try_clone_to_owned(),
        Stream::Null => Ok(File::open("/dev/null")?.into()),
        Stream::Fd(fd) => Ok(fd),
    }
}

fn output(stream: Stream) -> Stdio {
    match stream {
        Stream::Inherit => Stdio::inherit(),
        Stream::Null => Stdio::null(),
        Stream::Fd(fd) => fd.into(),
    }
}

/// Takes reports until the sandbox is gone. `None`: it never said how it ended.
fn listen(channel: &Channel) -> Result<Option<Exit>, Error> {
    let mut exit = None;
    let mut failure = None;
    let mut relay = None;
    while let Some(received) = channel.receive().trying(|| "the sandbox's report".into())? {
        let (report, fd): (Report, Option<OwnedFd>) = received;
        match report {
            Report::Terminal => {
                let fd = fd.ok_or_else(|| Error::new("the terminal got lost"))?;
                relay = Some(Relay::start(fd).trying(|| "cannot connect the terminal".into())?);
            }
            // A sandbox maps its own.
            Report::WantsIds => {}
            Report::Warning(text) => message::warning(text),
            Report::NotEmulated(text) => {
                if emulate::give_up() {
                    message::warning(text);
                }
            }
            Report::Verbose(text) => message::verbose(text),
            // The first failure is the cause of those that follow.
            Report::Failed { what, hint } => {
                failure = failure.or(Some(Error::Inside { what, hint }));
            }
            Report::Unmountable { what, hint } => {
                failure = failure.or(Some(Error::Unmountable { what, hint }));
            }
            Report::NotFound(program) => failure = Some(Error::NotFound { program }),
            Report::NotExecutable(program, errno, lacks) => {
                let source = io::Error::from_raw_os_error(errno);
                failure = Some(Error::NotExecutable { program, source, lacks });
            }
            Report::Exited(code) => exit = Some(Exit::Code(code)),
            Report::Killed(number) => exit = Some(Exit::Signal(number)),
        }
    }
    // All that the command wrote is shown before anything is said of its end.
    drop(relay);
    match failure {
        Some(failure) => Err(failure),
        None => Ok(exit),
    }
}
