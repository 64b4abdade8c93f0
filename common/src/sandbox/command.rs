//! What to run and in which surroundings: a builder, as `std::process::Command` is.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::cli::Status;
use crate::mount::Overlay;

/// A command to be run in a sandbox.
#[derive(Debug)]
pub struct Command {
    pub(super) root: Root,
    pub(super) discard_root: bool,
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: PathBuf,
    pub(super) user: Option<String>,
    pub(super) hostname: String,
    pub(super) network: Network,
    pub(super) isolation: Isolation,
    pub(super) writable: Writable,
    pub(super) make_cwd: bool,
    pub(super) privileges: Privileges,
    pub(super) terminal: Terminal,
    pub(super) mounts: Vec<Mount>,
    pub(super) stdin: Stream,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

/// The tree that becomes `/`.
#[derive(Debug)]
pub enum Root {
    /// Layers, and perhaps an upper directory, mounted for the command alone.
    Overlay(Overlay),
    /// A directory, changed in place.
    Directory(PathBuf),
}

/// Whether the command may write to its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Writable {
    /// Where the root allows it: a directory, or an overlay with an upper one.
    AsMounted,
    /// Nowhere but in what is mounted for it.
    No,
    /// Everywhere, in memory: what it writes is gone when it ends.
    Discarded,
}

/// Whether what the command executes can be more privileged than itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privileges {
    /// Set-id programs and file capabilities work, within the sandbox's own bounds.
    MayGain,
    /// They do not (`no_new_privs`).
    Fixed,
}

/// Whether the command has a terminal of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Terminal {
    /// It has the standard streams that it is given, and no controlling terminal.
    None,
    /// A new one is its standard input, output and error; the caller's standard
    /// input and output are connected to it.
    New,
}

/// Which network the command sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's, with its resolver and hosts.
    Host,
    /// A loopback interface and nothing else.
    None,
}

/// How far the command is kept apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Namespaces, pivot_root, an init process.
    Full,
    /// chroot(2) only, for places where no mount is allowed: the root must be a
    /// directory, and the command sees the host's processes and network.
    Chroot,
}

/// Something mounted inside the root before the command starts.
#[derive(Debug)]
pub struct Mount {
    /// What to mount.
    pub source: Source,
    /// Where: a path inside the root, resolved there, whatever links it meets.
    /// Made for the time of the command where it is missing.
    pub target: PathBuf,
    /// Whether the command may write to it.
    pub access: Access,
}

/// What a [`Mount`] shows.
#[derive(Debug)]
pub enum Source {
    /// A file or a directory of the host, by a trusted path.
    Path(PathBuf),
    /// A file or a directory that was opened (`O_PATH` is enough) where links are
    /// not trusted.
    Fd(OwnedFd),
    /// A fresh tmpfs, with its size in bytes (half of the memory otherwise) and mode.
    Tmpfs {
        /// Largest size in bytes.
        size_bytes: Option<u64>,
        /// Permission bits of its root.
        mode: u32,
    },
    /// Nothing: an empty file or directory that cannot be written, in the place of
    /// what is there. Skipped where there is nothing.
    Mask,
}

/// Whether a mount can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// No.
    ReadOnly,
    /// As far as its own permissions go.
    ReadWrite,
}

/// A standard stream of the command.
#[derive(Debug)]
pub enum Stream {
    /// The caller's own.
    Inherit,
    /// `/dev/null`.
    Null,
    /// This one.
    Fd(OwnedFd),
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Code(u8),
    /// Killed by this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it ended with status 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// The status to pass on: the command's own, or 128 and the signal.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Code(code) => Status::of_command(code),
            Self::Signal(number) => Status::of_signal(number),
        }
    }
}

impl Command {
    /// `program`, looked up in the environment's PATH inside `root` unless it
    /// holds a `/`. The environment begins empty.
    #[must_use]
    pub fn new(root: Root, program: impl Into<OsString>) -> Self {
        Self {
            root,
            discard_root: false,
            argv: vec![program.into()],
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            user: None,
            hostname: "layerutils".into(),
            network: Network::Host,
            isolation: Isolation::Full,
            writable: Writable::AsMounted,
            make_cwd: false,
            privileges: Privileges::MayGain,
            terminal: Terminal::None,
            mounts: Vec::new(),
            stdin: Stream::Inherit,
            stdout: Stream::Inherit,
            stderr: Stream::Inherit,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable; the last value of a name wins. HOME, if it is never set,
    /// comes from the image's passwd file.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref();
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The working directory inside the root, which must be there.
    #[must_use]
    pub fn cwd(mut self, cwd: impl AsRef<Path>) -> Self {
        self.cwd = cwd.as_ref().to_owned();
        self
    }

    /// Makes the working directory, for root, where it is missing.
    #[must_use]
    pub fn make_cwd(mut self) -> Self {
        self.make_cwd = true;
        self
    }

    /// Whether set-id programs work inside.
    #[must_use]
    pub fn privileges(mut self, privileges: Privileges) -> Self {
        self.privileges = privileges;
        self
    }

    /// Whether the command gets a terminal.
    #[must_use]
    pub fn terminal(mut self, terminal: Terminal) -> Self {
        self.terminal = terminal;
        self
    }

    /// Removes the root, a directory that was made for this command alone, when
    /// all is over, even if this process is killed meanwhile.
    #[must_use]
    pub fn discard_root(mut self) -> Self {
        self.discard_root = true;
        self
    }

    /// Who runs it: `user`, `user:group`, names or numbers, looked up in the
    /// image's own files. Root if it is never said, or empty.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into()).filter(|user| !user.is_empty());
        self
    }

    /// The host name that the command sees.
    #[must_use]
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// The network that the command sees; the host's if it is never said.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// How far the command is kept apart from the host.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Whether the command may write to its root.
    #[must_use]
    pub fn writable(mut self, writable: Writable) -> Self {
        self.writable = writable;
        self
    }

    /// Adds a mount; they are made in the order in which they are added, after
    /// `/proc`, `/sys` and `/dev`.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// The command's standard input.
    #[must_use]
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.stdin = stream;
        self
    }

    /// The command's standard output.
    #[must_use]
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.stdout = stream;
        self
    }

    /// The command's standard error.
    #[must_use]
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.stderr = stream;
        self
    }

    /// Runs the command and waits for it. INT, TERM and HUP go to it meanwhile;
    /// it dies if this process does.
    ///
    /// # Errors
    /// Whatever keeps the command from starting. That it fails is no error here.
    pub fn run(self) -> Result<Exit, Error> {
        super::parent::run(self)
    }
}
