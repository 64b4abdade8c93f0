//! A program in a process group of its own, which is killed as a whole: no helper of the program
//! outlives it. Only the end of what it prints is kept.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

use common::signal;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::error::Error;

/// The number of bytes that are kept of each output.
const KEPT_LEN_BYTES: usize = 8 << 10;

/// The number of reads after which a pipe has been emptied once: a program that writes without
/// end does not keep us from looking at anything else.
const MOST_READS: usize = 32;

/// The time between two looks at the program, in milliseconds.
const INTERVAL_MS: u8 = 20;

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The end of its standard output.
    pub(crate) stdout: Vec<u8>,
    /// The end of its standard error.
    pub(crate) stderr: Vec<u8>,
}

/// Runs a program to its end, and calls `look` from time to time. The program gets the signals
/// that we get meanwhile, and is killed if another step fails.
///
/// # Errors
/// It cannot be started; an error of `look`, for which the program is killed.
pub(crate) fn run(
    command: &mut Command,
    name: &str,
    look: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Ended, Error> {
    let failed = |source| Error::File { path: name.into(), source };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
    let forwarding = signal::forward_to(Pid::from_raw(pid));
    let mut pipes = [Pipe::new(child.stdout.take()), Pipe::new(child.stderr.take())];
    let watched = watch(&child, &mut pipes, look);
    drop(forwarding);
    // The program has not been waited for yet, so the number of the group is still its own.
    let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    let status = child.wait().map_err(failed);
    // Whoever interrupts a build means the build.
    signal::die_if_passed_on();
    watched?;
    pipes.iter_mut().for_each(Pipe::read);
    let [stdout, stderr] = pipes.map(|pipe| pipe.kept);
    Ok(Ended { status: status?, stdout, stderr })
}

/// Returns when the program has ended, whether or not others still hold its pipes.
fn watch(
    child: &Child,
    pipes: &mut [Pipe; 2],
    look: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let id = WaitId::Pid(rustix::process::Pid::from_child(child));
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    while waitid(id.clone(), options)
        .map_err(|errno| Error::file("program")(errno.into()))?
        .is_none()
    {
        let files = pipes.iter().filter_map(|pipe| pipe.file.as_ref());
        let mut ready: Vec<_> =
            files.map(|file| PollFd::new(file.as_fd(), PollFlags::POLLIN)).collect();
        // A failure would only mean to look again.
        let _ = poll(&mut ready, PollTimeout::from(INTERVAL_MS));
        pipes.iter_mut().for_each(Pipe::read);
        look()?;
    }
    Ok(())
}

/// The reading end of a pipe, and the last bytes that came from it.
#[derive(Debug)]
struct Pipe {
    /// `None` after its end.
    file: Option<File>,
    kept: Vec<u8>,
}

impl Pipe {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> Self {
        let file = pipe.map(|pipe| File::from(pipe.into()));
        // A pipe that would block is not read.
        let file = file.filter(|file| rustix::io::ioctl_fionbio(file, true).is_ok());
        Self { file, kept: Vec::new() }
    }

    /// Reads what is in the pipe, without waiting for more.
    fn read(&mut self) {
        let mut buffer = [0; 8 << 10];
        for _ in 0..MOST_READS {
            let Some(file) = &mut self.file else { return };
            match file.read(&mut buffer) {
                Ok(0) => self.file = None,
                Ok(len) => {
                    self.kept.extend_from_slice(buffer.get(..len).unwrap_or_default());
                    let excess = self.kept.len().saturating_sub(KEPT_LEN_BYTES);
                    self.kept.drain(..excess);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.file = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::{KEPT_LEN_BYTES, run};
    use crate::error::Error;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn only_the_end_of_the_output_is_kept() {
        let script = "yes remote: more | head -c 52000000 >&2; echo fatal >&2; echo one";
        let ended = run(&mut sh(script), "sh", &mut || Ok(())).unwrap();
        assert!(ended.status.success());
        assert_eq!(ended.stdout, b"one\n");
        assert_eq!(ended.stderr.len(), KEPT_LEN_BYTES);
        assert!(ended.stderr.capacity() < 4 * KEPT_LEN_BYTES);
        let end = String::from_utf8_lossy(&ended.stderr);
        assert!(end.ends_with("\nfatal\n"), "{end}");
    }

    #[test]
    fn a_helper_that_holds_the_pipes_does_not_outlive_the_program() {
        let begun = Instant::now();
        let ended = run(&mut sh("sleep 60 & echo $!"), "sh", &mut || Ok(())).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
        let pid = String::from_utf8(ended.stdout).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // The dead process may wait for init.
        while state().is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < Duration::from_secs(30), "the helper still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_program_is_killed_when_its_caller_has_seen_enough() {
        let begun = Instant::now();
        let mut looks = 0;
        let ended = run(&mut sh("sleep 60; sleep 60"), "sh", &mut || {
            looks += 1;
            if looks < 3 { Ok(()) } else { Err(Error::Other("enough".into())) }
        });
        assert_eq!(ended.unwrap_err().to_string(), "enough");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
