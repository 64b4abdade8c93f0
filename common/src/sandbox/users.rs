//! A whole tool run again as root of many ids: the user's own, and subordinate ones.
//!
//! With subuid(5) and newuidmap(1) an ordinary user gets a user namespace in which
//! files can belong to whom a layer says. The tool executes itself in it, and from
//! there on has nothing to know of it: it is root, may mount, and owns its ids.
//! What it writes is owned by subordinate ids on the disk, so whatever reads that
//! later must be run in the same way.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Pid, dup2_stdin, setsid};
use serde::{Deserialize, Serialize};

use super::Error;
use super::channel::{Channel, Reply, Report};
use super::error::Trying as _;
use super::plan::Bytes;
use super::subordinate::Ranges;
use super::surroundings::Exit;
use crate::status::Status;
use crate::{privilege, signal};

/// How a process knows that it is to become the tool again.
pub(super) const ARGV0: &str = "layerutils-users";

/// The tool's arguments, on their way.
#[derive(Debug, Serialize, Deserialize)]
struct Arguments {
    words: Vec<Bytes>,
    /// The caller's home by the host's record, which root inside cannot look up.
    home: Option<Bytes>,
}

/// Runs this tool again, with these arguments, as root of a user namespace with the
/// caller's subordinate ids, and passes its status on; `None` if this process is root of
/// its ids already.
///
/// # Errors
/// There are no subordinate ids, or the system refuses the namespace.
pub fn again_with_many_ids(arguments: Vec<OsString>) -> Result<Option<Status>, Error> {
    if privilege::can_mount() {
        return Ok(None);
    }
    again(arguments).map(Some)
}

/// As [`again_with_many_ids`], whoever runs it.
///
/// # Errors
/// As [`again_with_many_ids`].
pub(super) fn again(arguments: Vec<OsString>) -> Result<Status, Error> {
    run(arguments).map(Exit::status)
}

fn run(arguments: Vec<OsString>) -> Result<Exit, Error> {
    let ranges = Ranges::of_caller()?;
    let (channel, theirs) = Channel::pair().trying(|| "cannot make a socket".into())?;
    let stdin = io::stdin().as_fd().try_clone_to_owned().trying(|| "standard input".into())?;
    let mut process = std::process::Command::new("/proc/self/exe");
    process.arg0(ARGV0).stdin(theirs);
    let mut child = process.spawn().trying(|| "cannot start the tool again".into())?;
    drop(process);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let _forwarding = signal::forward_to(pid);
    let words = arguments.iter().map(Bytes::new).collect();
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let arguments = Arguments { words, home: user.map(|user| Bytes::new(user.dir)) };
    let started = channel
        .send_plan(&arguments, &[stdin])
        .trying(|| "cannot hand the arguments over".into())
        .and_then(|()| oversee(&channel, &ranges, pid));
    drop(channel);
    let status = child.wait().trying(|| "cannot wait for the tool".into())?;
    started?;
    Ok(match std::os::unix::process::ExitStatusExt::signal(&status) {
        Some(number) => Exit::Signal(number),
        None => Exit::Code(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
    })
}

/// Maps the ids when it is time, and hears of failures. The channel closes when the
/// tool itself takes over.
fn oversee(channel: &Channel, ranges: &Ranges, pid: Pid) -> Result<(), Error> {
    while let Some((report, _)) = channel.receive().trying(|| "the tool's report".into())? {
        match report {
            Report::WantsIds => {
                ranges.map(pid)?;
                channel.send(&Reply::IdsMapped).trying(|| "cannot answer".into())?;
            }
            Report::Failed { what, hint } => return Err(Error::Inside { what, hint }),
            _ => {}
        }
    }
    Ok(())
}

/// The new process, up to the moment it becomes the tool. Its standard input is the
/// channel to the caller.
pub(super) fn child_main() -> ExitCode {
    let Ok(channel) = io::stdin().as_fd().try_clone_to_owned().map(Channel::new) else {
        return ExitCode::FAILURE;
    };
    let Err(error) = become_tool(&channel);
    channel.fail(error);
    ExitCode::FAILURE
}

fn become_tool(channel: &Channel) -> Result<std::convert::Infallible, Error> {
    let (arguments, mut descriptors): (Arguments, Vec<OwnedFd>) =
        channel.receive_plan().trying(|| "cannot receive the arguments".into())?;
    let stdin = descriptors.pop().ok_or_else(|| Error::new("no standard input"))?;
    dup2_stdin(stdin).trying(|| "standard input".into())?;
    // Signals of the terminal reach the caller, who passes them on: once.
    let _ = setsid();
    unshare(CloneFlags::CLONE_NEWUSER).map_err(super::ids::explain)?;
    channel.report(&Report::WantsIds);
    match channel.receive().trying(|| "the caller's answer".into())? {
        Some((Reply::IdsMapped, _)) => {}
        None => return Err(Error::new("the caller has gone")),
    }
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .trying(|| "cannot tie the tool to its caller".into())?;
    rustix::thread::set_thread_groups(&[]).trying(|| "cannot leave the caller's groups".into())?;
    signal::reset_in_child();
    let mut words = arguments.words.into_iter().map(|bytes| bytes.path().into_os_string());
    let mut tool = std::process::Command::new("/proc/self/exe");
    tool.arg0(words.next().unwrap_or_default()).args(words);
    if let (None, Some(home)) = (std::env::var_os("HOME"), arguments.home) {
        tool.env("HOME", home.path());
    }
    Err(Error::system("cannot execute the tool again", tool.exec()))
}
