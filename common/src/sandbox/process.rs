//! The command itself: from a fresh process to exec(2), and how it ended.

use std::ffi::{CString, OsStr};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, execve, setsid};
use rustix::fs::Mode;
use rustix::process::set_parent_process_death_signal;

use super::channel::{Channel, Report};
use super::command::{Network, Privileges, Root, Terminal, Writable};
use super::error::Trying as _;
use super::plan::Plan;
use super::user::{self, User};
use super::{Error, privileges, seccomp, stub};
use crate::cli::{Status, signal};

/// Where programs are looked for if the environment names no PATH (docker's).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Becomes the command. Returns only if it cannot, having said why.
pub(super) fn main(
    plan: &Plan,
    user: &User,
    channel: &Channel,
    terminal: Option<OwnedFd>,
) -> Result<(), Error> {
    // A session of its own: no terminal of the caller's can be driven from inside.
    setsid().trying(|| "cannot start a session".into())?;
    if let Some(terminal) = terminal {
        rustix::process::ioctl_tiocsctty(&terminal)
            .and_then(|()| rustix::stdio::dup2_stdin(&terminal))
            .and_then(|()| rustix::stdio::dup2_stdout(&terminal))
            .and_then(|()| rustix::stdio::dup2_stderr(&terminal))
            .trying(|| "cannot take the terminal".into())?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // Before the privilege goes that it takes.
    if let Err(error) = seccomp::confine() {
        let line = crate::cli::Failure::from(error).line();
        channel.report(&Report::Warning(format!("{line}: the command can make any system call")));
    }
    privileges::become_user(user, plan.ids)?;
    // After the change of user, which clears it.
    set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .trying(|| "cannot tie the command to its init".into())?;
    let cwd = plan.cwd.path();
    rustix::process::chdir(&cwd)
        .trying(|| format!("working directory {}", crate::name::show_path(&cwd)))?;
    if plan.privileges == Privileges::Fixed {
        rustix::thread::set_no_new_privs(true).trying(|| "cannot fix the privileges".into())?;
    }
    let env = environment(plan, user)?;
    signal::reset_in_child();
    let status = execute(plan, &env, channel)?;
    // The report is sent; init sees the status.
    leave(status)
}

/// Ends a forked process at once.
#[allow(clippy::exit)]
fn leave(status: Status) -> ! {
    std::process::exit(status.code().into())
}

/// The environment as execve takes it.
fn environment(plan: &Plan, user: &User) -> Result<Vec<CString>, Error> {
    let mut env: Vec<Vec<u8>> = Vec::new();
    for (name, value) in &plan.env {
        env.push([name.0.as_slice(), b"=", value.0.as_slice()].concat());
    }
    if !plan.env.iter().any(|(name, _)| name.0 == b"HOME") {
        let home = user.home.as_deref().unwrap_or("/");
        env.push(format!("HOME={home}").into_bytes());
    }
    if !plan.env.iter().any(|(name, _)| name.0 == b"PATH") {
        env.push(format!("PATH={PATH}").into_bytes());
    }
    env.into_iter().map(c_string).collect()
}

fn c_string(bytes: Vec<u8>) -> Result<CString, Error> {
    CString::new(bytes).map_err(|_| Error::new("a zero byte in an argument or a variable"))
}

/// Executes the program, looking for it in PATH if its name holds no `/`.
fn execute(plan: &Plan, env: &[CString], channel: &Channel) -> Result<Status, Error> {
    let argv = plan.argv.iter().map(|bytes| c_string(bytes.0.clone()));
    let argv: Vec<CString> = argv.collect::<Result<_, _>>()?;
    let program = plan.argv.first().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
    let mut refusal = Errno::ENOENT;
    for candidate in candidates(program, plan) {
        let Err(errno) = execve(&c_string(candidate)?, &argv, env);
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => {}
            // As execvp(3): go on looking, and remember that there was one.
            Errno::EACCES => refusal = errno,
            _ => {
                refusal = errno;
                break;
            }
        }
    }
    let name = OsStr::from_bytes(program).to_string_lossy().into_owned();
    if refusal == Errno::ENOENT {
        channel.report(&Report::NotFound(name));
        return Ok(Status::NOT_FOUND);
    }
    channel.report(&Report::NotExecutable(name, refusal as i32));
    Ok(Status::NOT_EXECUTABLE)
}

fn candidates(program: &[u8], plan: &Plan) -> Vec<Vec<u8>> {
    if program.contains(&b'/') || program.is_empty() {
        return vec![program.to_vec()];
    }
    let path = plan.env.iter().find(|(name, _)| name.0 == b"PATH");
    let path = path.map_or(PATH.as_bytes(), |(_, value)| value.0.as_slice());
    path.split(|byte| *byte == b':')
        .map(|directory| {
            let directory = if directory.is_empty() { b"." } else { directory };
            [directory, b"/", program].concat()
        })
        .collect()
}

/// Tells the caller how the command ended.
pub(super) fn report(status: WaitStatus, channel: &Channel) {
    match status {
        WaitStatus::Exited(_, code) => {
            channel.report(&Report::Exited(u8::try_from(code & 0xff).unwrap_or(u8::MAX)));
        }
        WaitStatus::Signaled(_, signal, _) => channel.report(&Report::Killed(signal as i32)),
        _ => {}
    }
}

/// The command with nothing but chroot(2) around it.
pub(super) fn main_in_chroot(plan: &Plan, channel: &Channel) -> Result<(), Error> {
    let Root::Directory(path) = plan.root.root() else {
        return Err(Error::new("with chroot isolation the root must be a directory"));
    };
    if !plan.mounts.is_empty() || plan.network == Network::None {
        return Err(Error::new("with chroot isolation there are no mounts and no other network"));
    }
    if plan.terminal != Terminal::None || plan.writable != Writable::AsMounted {
        return Err(Error::new("with chroot isolation there is no terminal and no protected root"));
    }
    let about = || format!("cannot make {} the root", crate::name::show_path(&path));
    let root = std::fs::File::open(&path).trying(about)?;
    let user = user::look_up(std::os::fd::AsFd::as_fd(&root), plan.user.as_deref())?;
    if plan.make_cwd {
        stub::make_directory_at(std::os::fd::AsFd::as_fd(&root), &plan.cwd.0)?;
    }
    rustix::process::fchdir(&root).trying(about)?;
    rustix::process::chroot(".").trying(about)?;
    main(plan, &user, channel, None)
}

/// Kills what a command left running, where no process namespace does it for us.
/// They are our children by then, because we adopt orphans.
pub(super) fn kill_descendants() {
    loop {
        let Ok(children) = std::fs::read_to_string("/proc/thread-self/children") else { return };
        let pids: Vec<i32> =
            children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // Their own children come to us when they are gone.
        let _ = nix::sys::wait::waitpid(None, None);
    }
}
