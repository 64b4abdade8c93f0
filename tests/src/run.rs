//! A command, its outcome, and what is asserted of it: exact standard output,
//! standard error and status, a limit in time, and no leftover in TMPDIR.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::sandbox::User;

/// A command that is about to run.
#[derive(Debug)]
pub struct Run {
    command: Command,
    line: String,
    input: Input,
    limit: Duration,
    tmp: PathBuf,
}

#[derive(Debug)]
enum Input {
    Bytes(Vec<u8>),
    HeldOpen(Vec<u8>),
    Given,
}

impl Run {
    pub(crate) fn new<S: AsRef<OsStr>>(program: OsString, arguments: &[S], tmp: &Path) -> Self {
        // A background job of a plain shell, and nohup(1), leave signals ignored.
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP,PIPE").arg(&program);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that a time-out ends all of a pipeline.
        command.env_clear().process_group(0);
        let mut line = program.to_string_lossy().into_owned();
        for argument in arguments {
            let _ = write!(line, " {:?}", argument.as_ref().to_string_lossy());
        }
        let limit = Duration::from_secs(120);
        Self { command, line, input: Input::Bytes(Vec::new()), limit, tmp: tmp.into() }
    }

    pub(crate) fn environment(&mut self, variables: Vec<(&str, OsString)>) -> &mut Self {
        self.command.envs(variables);
        self
    }

    pub(crate) fn folder(&mut self, folder: PathBuf) -> &mut Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn user(&mut self, user: User) -> &mut Self {
        self.command.uid(user.uid).gid(user.gid);
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Leaves nothing in the environment but PATH.
    #[must_use]
    pub fn only_path(mut self) -> Self {
        let path = self.command.get_envs().find(|(name, _)| *name == "PATH");
        let path = path.and_then(|(_, value)| value).expect("PATH is set").to_owned();
        self.command.env_clear().env("PATH", path);
        self
    }

    /// Starts in another folder.
    #[must_use]
    pub fn from(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What it reads; nothing otherwise.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// What it reads at first, after which its input stays open and silent.
    #[must_use]
    pub fn input_held_open(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::HeldOpen(bytes.into());
        self
    }

    /// Its standard input, as a file.
    #[must_use]
    pub fn input_file(mut self, path: &Path) -> Self {
        self.command.stdin(File::open(path).unwrap());
        self.input = Input::Given;
        self
    }

    /// Its standard output, as a file.
    #[must_use]
    pub fn output_file(mut self, path: &Path) -> Self {
        self.command
            .stdout(File::options().write(true).create(true).truncate(true).open(path).unwrap());
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If it cannot be started, takes too long or leaves something in TMPDIR.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        self.start().wait()
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Running {
        if !matches!(self.input, Input::Given) {
            self.command.stdin(Stdio::piped());
        }
        let mut child =
            self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.line));
        let held = feed(&mut child, self.input);
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let deadline = Instant::now() + self.limit;
        Running { child, line: self.line, held, stdout, stderr, deadline, tmp: self.tmp }
    }

    /// Runs it and asserts success without a word on standard error.
    ///
    /// # Panics
    /// If it fails, or says anything.
    #[track_caller]
    pub fn succeeds(self) -> Outcome {
        self.outcome().succeeded()
    }
}

fn feed(child: &mut Child, input: Input) -> Option<std::process::ChildStdin> {
    let mut pipe = child.stdin.take()?;
    match input {
        Input::Bytes(bytes) => {
            // A reader that stops early is not this side's failure.
            thread::spawn(move || {
                let _ = pipe.write_all(&bytes);
            });
            None
        }
        Input::HeldOpen(bytes) => {
            let _ = pipe.write_all(&bytes);
            Some(pipe)
        }
        Input::Given => None,
    }
}

fn collect<R: Read + Send + 'static>(pipe: Option<R>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: String,
    held: Option<std::process::ChildStdin>,
    stdout: thread::JoinHandle<Vec<u8>>,
    stderr: thread::JoinHandle<Vec<u8>>,
    deadline: Instant,
    tmp: PathBuf,
}

impl Running {
    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has ended already.
    pub fn signal(&mut self, signal: Signal) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended before it got {signal}: {ended:?}", self.line);
        kill(self.pid(), signal).unwrap();
    }

    /// Its process id.
    ///
    /// # Panics
    /// Never: a process id is a small number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it takes too long or leaves something in TMPDIR.
    #[must_use]
    pub fn wait(mut self) -> Outcome {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > self.deadline {
                let _ = kill(Pid::from_raw(-self.pid().as_raw()), Signal::SIGKILL);
                let _ = self.child.wait();
                panic!("{}: takes too long", self.line);
            }
            thread::sleep(Duration::from_millis(2));
        };
        drop(self.held);
        let outcome = Outcome {
            line: self.line,
            status: shell_status(status),
            stdout: self.stdout.join().unwrap(),
            stderr: self.stderr.join().unwrap(),
        };
        let left: Vec<_> =
            fs::read_dir(&self.tmp).into_iter().flatten().flatten().map(|e| e.path()).collect();
        assert!(left.is_empty() || outcome.status == 137, "left in TMPDIR: {left:?}\n{outcome}");
        outcome
    }
}

/// The status as a shell shows it.
fn shell_status(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub struct Outcome {
    line: String,
    /// The status that a shell shows: 128 + n for signal n.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |bytes: &[u8]| bytes[..bytes.len().min(4000)].escape_ascii().to_string();
        writeln!(f, "command: {}\nstatus:  {}", self.line, self.status)?;
        writeln!(f, "stdout:  {}", shown(&self.stdout).replace("\\n", "\n         "))?;
        write!(f, "stderr:  {}", shown(&self.stderr).replace("\\n", "\n         "))
    }
}

impl Outcome {
    /// Status 0 and nothing on standard error.
    ///
    /// # Panics
    /// Otherwise.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status == 0 && self.stderr.is_empty(), "expected quiet success\n{self}");
        self
    }

    /// `status`, nothing on standard output, and diagnostics that each begin with
    /// the tool's name; returns them.
    ///
    /// # Panics
    /// Otherwise.
    #[track_caller]
    pub fn failed(self, tool: &str, status: i32) -> String {
        assert_eq!(self.status, status, "\n{self}");
        assert!(self.stdout.is_empty(), "a failure wrote to standard output\n{self}");
        self.diagnostics(tool)
    }

    /// At least one line, each beginning with the tool's name; returns them.
    ///
    /// # Panics
    /// Otherwise.
    #[track_caller]
    pub fn diagnostics(&self, tool: &str) -> String {
        let text = String::from_utf8(self.stderr.clone()).expect("diagnostics are UTF-8");
        let prefix = format!("{tool}: ");
        assert!(!text.is_empty(), "no diagnostic\n{self}");
        for line in text.lines() {
            assert!(line.len() > prefix.len() && line.starts_with(&prefix), "{line:?}\n{self}");
        }
        text
    }

    /// Standard output as text.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("text")
    }

    /// Standard output as text, without white space at its ends.
    #[must_use]
    #[track_caller]
    pub fn trimmed(&self) -> &str {
        self.text().trim()
    }
}
