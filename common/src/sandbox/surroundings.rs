//! The words in which a [`Command`](super::Command) is described: its root, its
//! mounts, and how it is kept apart.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::capabilities::Capabilities;
use super::limits::Limits;
use super::plan::Bytes;
use crate::mount::Overlay;
use crate::status::Status;

/// What of a command is the same on both sides of the channel.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) user: Option<String>,
    pub(super) hostname: String,
    /// Names and addresses beside the host's own.
    pub(super) hosts: Vec<(String, IpAddr)>,
    pub(super) network: Network,
    pub(super) isolation: Isolation,
    pub(super) writable: Writable,
    pub(super) make_cwd: bool,
    /// A directory that is to be removed.
    pub(super) passing: Option<Bytes>,
    pub(super) privileges: Privileges,
    /// Other than the default of the network.
    pub(super) capabilities: Option<Capabilities>,
    pub(super) terminal: Terminal,
    pub(super) limits: Limits,
    pub(super) without: Vec<Measure>,
}

impl Settings {
    /// Whether this measure is taken.
    pub(super) fn takes(&self, measure: Measure) -> bool {
        !self.without.contains(&measure)
    }

    /// The capabilities that the command may have.
    pub(super) fn capabilities(&self) -> Capabilities {
        self.capabilities.unwrap_or_else(|| Capabilities::on(self.network))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user: None,
            hostname: "layerutils".into(),
            hosts: Vec::new(),
            network: Network::Host,
            isolation: Isolation::Full,
            writable: Writable::AsMounted,
            make_cwd: false,
            passing: None,
            privileges: Privileges::MayGain,
            capabilities: None,
            terminal: Terminal::None,
            limits: Limits::default(),
            without: Vec::new(),
        }
    }
}

/// A measure that keeps the command in, and can be left out: because the command
/// needs what it takes away, or to see that it is this measure that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// The system calls that docker's default profile refuses are refused.
    SystemCalls,
    /// What of `/proc` and `/sys` tells of the host, or drives it, is hidden or
    /// read-only.
    SystemPaths,
    /// Device nodes of the root open nothing.
    NoDevices,
    /// A session keyring of its own.
    SessionKeyring,
    /// Nobody inside can look into the init process.
    HiddenInit,
    /// The sandbox's processes run a copy of our program that is theirs alone.
    OwnProgram,
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
    /// Everywhere: what it writes is gone when it ends. It is in memory until then, or in
    /// the directory that [passes](super::Command::passing).
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
    /// The command is handed to an OCI runtime, crun or runc, as a bundle: kept apart
    /// as far, by another's hand.
    Oci,
    /// chroot(2) only, for places where no mount is allowed: the root must be a
    /// directory, and the command sees the host's processes and network.
    Chroot,
}

/// Something mounted inside the root before the command starts.
#[derive(Debug)]
pub struct Mount {
    /// What to mount.
    pub source: Source,
    /// Where: a path inside the root. `.` and `..` are resolved in its text, as docker
    /// does; links that the root holds are followed inside it, but neither to the root
    /// nor into `/proc`, `/sys` or `/dev`. In these three no link is followed. A missing
    /// one is made for the time of the command.
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
    /// A fresh tmpfs.
    Tmpfs(Tmpfs),
}

/// A fresh tmpfs, in which no device opens and no set-id bit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Largest size in bytes; half of the memory otherwise.
    pub size_bytes: Option<u64>,
    /// Permission bits of its root.
    pub mode: u32,
    /// User and group of its root, as ids inside.
    pub owner: (u32, u32),
    /// Whether programs in it can be executed.
    pub programs: Programs,
}

/// Whether the programs of a file system can be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Programs {
    /// As far as their own permissions go.
    Run,
    /// No.
    Refused,
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
