//! The command itself: from a fresh process to exec(2), and how it ended.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, execve, setsid};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{DumpableBehavior, set_dumpable_behavior, set_parent_process_death_signal};

use super::capabilities::Capabilities;
use super::channel::{Channel, Report};
use super::error::Trying as _;
use super::init::Handed;
use super::limits::Group;
use super::plan::Plan;
use super::surroundings::{self, Measure, Network, Privileges, Terminal, Writable};
use super::user::{self, User};
use super::{Error, emulate, ids, privileges, seccomp, stub};
use crate::root::Root;
use crate::signal;
use crate::status::Status;
use crate::sys::keyring;

/// Where programs are looked for if the environment names no PATH (docker's).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Becomes the command. Returns only if it cannot, having said why.
pub(super) fn main(
    plan: &Plan,
    user: &User,
    channel: &Channel,
    terminal: Option<OwnedFd>,
    group: Option<Group>,
    emulator: Option<OwnedFd>,
) -> Result<(), Error> {
    if let Some(group) = group {
        group.enter()?;
    }
    // Its own group is then the top of the tree to it. A kernel without such
    // namespaces shows its name and no more.
    let _ = unshare(CloneFlags::CLONE_NEWCGROUP);
    start_session(terminal)?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let settings = &plan.settings;
    if settings.takes(Measure::SessionKeyring) {
        if let Err(error) = keyring::join_new_session() {
            let text = format!("no session keyring of its own: {error}: it has the caller's");
            channel.report(&Report::Warning(text));
        }
    }
    let is_emulated = match emulator.map(|socket| emulate::attach(socket, user, plan)) {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            let what = "there is one id inside: cannot emulate others";
            let line = match error.raw_os_error() {
                Some(libc::EBUSY) => format!("{what}: another program answers system calls here"),
                _ => crate::errors::line(&Error::system(what, error)),
            };
            channel.report(&Report::NotEmulated(line));
            false
        }
        None => false,
    };
    if !is_emulated {
        ids::rename(user, plan, channel)?;
    }
    if settings.privileges == Privileges::Fixed {
        rustix::thread::set_no_new_privs(true).trying(|| "cannot fix the privileges".into())?;
    }
    // Before the privilege goes that it takes, unless privileges are fixed.
    if settings.takes(Measure::SystemCalls) {
        if let Err(error) = seccomp::confine(settings.capabilities()) {
            let line = crate::errors::line(&error);
            let text = format!(
                "{line} (it takes CAP_SYS_ADMIN, or no_new_privs): the command can make any \
                 system call"
            );
            channel.report(&Report::Warning(text));
        }
    }
    match is_emulated {
        true => privileges::keep(settings.capabilities().set())?,
        false => privileges::become_user(user, plan.ids, settings.capabilities())?,
    }
    // After the change of user, which clears it.
    set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .trying(|| "cannot tie the command to its init".into())?;
    enter_directory(&plan.cwd.0)?;
    let env = variables(plan, user).map(c_string).collect::<Result<Vec<_>, _>>()?;
    signal::reset_in_child();
    if is_emulated {
        // The emulator reads the program's name. Nobody else but init is inside yet who
        // could look into this process.
        set_dumpable_behavior(DumpableBehavior::Dumpable)
            .trying(|| "cannot show the program to the emulator".into())?;
    }
    let status = execute(plan, &env, channel)?;
    // The report is sent; init sees the status.
    leave(status)
}

/// Starts a session, on `terminal` if there is one: no terminal of the caller's can be
/// driven from inside.
pub(super) fn start_session(terminal: Option<OwnedFd>) -> Result<(), Error> {
    setsid().trying(|| "cannot start a session".into())?;
    let Some(terminal) = terminal else { return Ok(()) };
    rustix::process::ioctl_tiocsctty(&terminal)
        .and_then(|()| rustix::stdio::dup2_stdin(&terminal))
        .and_then(|()| rustix::stdio::dup2_stdout(&terminal))
        .and_then(|()| rustix::stdio::dup2_stderr(&terminal))
        .trying(|| "cannot take the terminal".into())
}

/// Makes `path` the working directory. The kernel's own links to what a process has
/// open (`/proc/self/fd`) are not followed: none of it is the command's.
fn enter_directory(path: &[u8]) -> Result<(), Error> {
    let enter = || {
        let root = Root::open("/".as_ref())?;
        let directory = root.open_path(path, OFlags::PATH | OFlags::DIRECTORY)?;
        rustix::process::fchdir(directory).map_err(std::io::Error::from)
    };
    enter().trying(|| format!("working directory {}", crate::name::show(path)))
}

/// Ends a forked process at once.
#[allow(clippy::exit)]
fn leave(status: Status) -> ! {
    std::process::exit(status.code().into())
}

/// The environment, each variable as `NAME=VALUE`.
pub(super) fn variables(plan: &Plan, user: &User) -> impl Iterator<Item = Vec<u8>> {
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
    env.into_iter()
}

fn c_string(bytes: Vec<u8>) -> Result<CString, Error> {
    CString::new(bytes).map_err(|_| Error::new("a zero byte in an argument or a variable"))
}

/// Executes the program, looking for it in PATH if its name holds no `/`.
fn execute(plan: &Plan, env: &[CString], channel: &Channel) -> Result<Status, Error> {
    let argv = plan.argv.iter().map(|bytes| c_string(bytes.0.clone()));
    let argv: Vec<CString> = argv.collect::<Result<_, _>>()?;
    let program = plan.argv.first().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
    let (mut refusal, mut lacks) = (Errno::ENOENT, Vec::new());
    for candidate in candidates(program, plan) {
        let path = c_string(candidate)?;
        let Err(errno) = execve(&path, &argv, env);
        match errno {
            Errno::ENOENT | Errno::ENOTDIR => {}
            // As execvp(3): go on looking, and remember that there was one.
            Errno::EACCES => refusal = errno,
            _ => {
                refusal = errno;
                if errno == Errno::EPERM {
                    lacks = lacking(&path, plan);
                }
                break;
            }
        }
    }
    let name = OsStr::from_bytes(program).to_string_lossy().into_owned();
    if refusal == Errno::ENOENT {
        channel.report(&Report::NotFound(name));
        return Ok(Status::NOT_FOUND);
    }
    channel.report(&Report::NotExecutable(name, refusal as i32, lacks));
    Ok(Status::NOT_EXECUTABLE)
}

/// The capabilities that the program at `path` insists on and the command may not have:
/// exec(2) then fails with `EPERM` (capabilities(7), "Safety checking").
fn lacking(path: &CStr, plan: &Plan) -> Vec<String> {
    // The longest version has 24 bytes.
    let mut attribute = [0; 24];
    let len_bytes = rustix::fs::getxattr(path, "security.capability", &mut attribute[..]);
    let wanted = Capabilities::of_program(attribute.get(..len_bytes.unwrap_or(0)).unwrap_or(&[]));
    let lacking = wanted.without(plan.settings.capabilities()).names();
    lacking.iter().map(|name| name.trim_start_matches("CAP_").to_owned()).collect()
}

/// The report of a program that nobody can execute for want of capabilities.
pub(super) fn refused_for(lacks: Vec<String>, plan: &Plan) -> Report {
    let program = plan.argv.first().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
    let name = OsStr::from_bytes(program).to_string_lossy().into_owned();
    Report::NotExecutable(name, Errno::EPERM as i32, lacks)
}

/// As [`lacking`], of the program that an OCI runtime starts in `root`.
pub(super) fn lacking_in(root: BorrowedFd<'_>, plan: &Plan) -> Result<Vec<String>, Error> {
    let Ok(program) = find(root, plan)? else { return Ok(Vec::new()) };
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    Ok(lacking(&c_string(path.into_bytes())?, plan))
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

/// Whether the program is in the root and may be executed, as far as that can be told
/// without doing it; reports it if not.
pub(super) fn is_there(
    root: BorrowedFd<'_>,
    plan: &Plan,
    channel: &Channel,
) -> Result<bool, Error> {
    let program = plan.argv.first().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
    let name = OsStr::from_bytes(program).to_string_lossy().into_owned();
    channel.report(&match find(root, plan)? {
        Ok(_) => return Ok(true),
        Err(Errno::ENOENT) => Report::NotFound(name),
        Err(errno) => Report::NotExecutable(name, errno as i32, Vec::new()),
    });
    Ok(false)
}

/// The program in `root`, or why it cannot be executed.
fn find(root: BorrowedFd<'_>, plan: &Plan) -> Result<Result<OwnedFd, Errno>, Error> {
    let root = Root::from_fd(root.try_clone_to_owned().trying(|| "the root".into())?);
    let program = plan.argv.first().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
    let mut refusal = Errno::ENOENT;
    for candidate in candidates(program, plan) {
        let path = match candidate.first() {
            Some(b'/') => candidate,
            _ => [&plan.cwd.0, &b"/"[..], &candidate].concat(),
        };
        if let Ok(found) = root.open_path(&path, OFlags::PATH) {
            let mode = rustix::fs::fstat(&found).trying(|| crate::name::show(&path).to_string());
            let mode = mode?.st_mode;
            if FileType::from_raw_mode(mode) == FileType::RegularFile && mode & 0o111 != 0 {
                return Ok(Ok(found));
            }
            refusal = Errno::EACCES;
        }
    }
    Ok(Err(refusal))
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
pub(super) fn main_in_chroot(plan: &Plan, handed: Handed, channel: &Channel) -> Result<(), Error> {
    // Descriptors would lead out of the root.
    let Handed { group, emulator, .. } = handed;
    let surroundings::Root::Directory(path) = plan.root.root() else {
        return Err(Error::new("with chroot isolation the root must be a directory"));
    };
    if !plan.mounts.is_empty() || plan.settings.network == Network::None {
        return Err(Error::new("with chroot isolation there are no mounts and no other network"));
    }
    if plan.settings.terminal != Terminal::None || plan.settings.writable != Writable::AsMounted {
        return Err(Error::new("with chroot isolation there is no terminal and no protected root"));
    }
    let about = || format!("cannot make {} the root", crate::name::show_path(&path));
    let root = std::fs::File::open(&path).trying(about)?;
    let user = user::look_up(std::os::fd::AsFd::as_fd(&root), plan.settings.user.as_deref())?;
    if plan.settings.make_cwd {
        stub::make_directory_at(std::os::fd::AsFd::as_fd(&root), &plan.cwd.0)?;
    }
    rustix::process::fchdir(&root).trying(about)?;
    rustix::process::chroot(".").trying(about)?;
    drop(root);
    main(plan, &user, channel, None, group, emulator)
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
