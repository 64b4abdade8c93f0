//! A [`Command`] as it travels to the sandbox's first process: JSON, and the
//! descriptors that it names by their place in a list.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::command::Command;
use super::error::Trying as _;
use super::surroundings::{Access, Mount, Root, Settings, Source, Stream, Tmpfs};
use super::{Error, inside};
use crate::mount::{Durability, Namespace, Overlay, Server, Upper};

/// Bytes that need not be UTF-8, as a string of the characters U+0000 to U+00FF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    pub(super) fn new(bytes: impl AsRef<OsStr>) -> Self {
        Self(bytes.as_ref().as_bytes().to_vec())
    }

    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.0.clone()))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.iter().map(|byte| char::from(*byte)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.chars().map(|character| u8::try_from(u32::from(character)));
        bytes.collect::<Result<_, _>>().map(Self).map_err(serde::de::Error::custom)
    }
}

/// Everything the sandbox's processes need to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) root: RootPlan,
    pub(super) argv: Vec<Bytes>,
    pub(super) env: Vec<(Bytes, Bytes)>,
    pub(super) cwd: Bytes,
    pub(super) settings: Settings,
    pub(super) mounts: Vec<MountPlan>,
    pub(super) ids: Ids,
}

/// How the command's users become the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ids {
    /// No user namespace: we are root.
    Host,
    /// One id: root inside is whoever we are.
    Single,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum RootPlan {
    Overlay {
        lowers: Vec<Bytes>,
        upper: Option<(Bytes, Option<Bytes>)>,
        server: Server,
        namespace: Namespace,
        durability: Durability,
    },
    Directory(Bytes),
}

impl RootPlan {
    fn new(root: Root) -> Self {
        match root {
            Root::Directory(path) => Self::Directory(Bytes::new(path)),
            Root::Overlay(overlay) => Self::Overlay {
                lowers: overlay.lowers.iter().map(Bytes::new).collect(),
                upper: overlay
                    .upper
                    .map(|upper| (Bytes::new(upper.dir), upper.work.map(Bytes::new))),
                server: overlay.server,
                namespace: overlay.namespace,
                durability: overlay.durability,
            },
        }
    }

    pub(super) fn root(&self) -> Root {
        match self {
            Self::Directory(path) => Root::Directory(path.path()),
            Self::Overlay { lowers, upper, server, namespace, durability } => {
                Root::Overlay(Overlay {
                    lowers: lowers.iter().map(Bytes::path).collect(),
                    upper: upper.as_ref().map(|(dir, work)| Upper {
                        dir: dir.path(),
                        work: work.as_ref().map(Bytes::path),
                    }),
                    server: *server,
                    namespace: *namespace,
                    durability: *durability,
                })
            }
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MountPlan {
    pub(super) source: SourcePlan,
    pub(super) target: Bytes,
    pub(super) access: Access,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SourcePlan {
    Path(Bytes),
    /// Its place in the list of descriptors.
    Fd(usize),
    Tmpfs(Tmpfs),
}

impl SourcePlan {
    /// Opens a file or directory of the host, in this mount namespace; `None` where
    /// there is none to open.
    pub(super) fn open(&self, descriptors: &[OwnedFd]) -> Result<Option<OwnedFd>, Error> {
        match self {
            Self::Tmpfs(_) => Ok(None),
            Self::Path(path) => {
                let path = path.path();
                let flags = OFlags::PATH | OFlags::CLOEXEC;
                openat(CWD, &path, flags, Mode::empty())
                    .map(Some)
                    .trying(|| format!("cannot mount {}", crate::name::show_path(&path)))
            }
            Self::Fd(place) => {
                let fd = descriptors.get(*place).ok_or_else(|| Error::new("no such descriptor"))?;
                let about = || "cannot mount an open file".to_owned();
                inside::reopen(fd.as_fd()).map(Some).trying(about)
            }
        }
    }
}

/// The standard streams that are not part of the plan: the first process gets
/// them when it starts.
pub(super) struct Streams {
    pub(super) stdin: Stream,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

impl Plan {
    /// Takes a command apart into what is sent as text, as descriptors, and what
    /// is given to the new process.
    pub(super) fn new(command: Command, ids: Ids) -> (Self, Vec<OwnedFd>, Streams) {
        let mut descriptors = Vec::new();
        let env = command.environment();
        let env = env.into_iter().map(|(k, v)| (Bytes::new(k), Bytes::new(v))).collect();
        let mounts = command.mounts.into_iter().map(|mount| plan_mount(mount, &mut descriptors));
        let plan = Self {
            root: RootPlan::new(command.root),
            argv: command.argv.iter().map(Bytes::new).collect(),
            env,
            cwd: Bytes::new(command.cwd),
            settings: command.settings,
            mounts: mounts.collect(),
            ids,
        };
        let streams =
            Streams { stdin: command.stdin, stdout: command.stdout, stderr: command.stderr };
        (plan, descriptors, streams)
    }
}

fn plan_mount(mount: Mount, descriptors: &mut Vec<OwnedFd>) -> MountPlan {
    let source = match mount.source {
        Source::Path(path) => SourcePlan::Path(Bytes::new(path)),
        Source::Fd(fd) => {
            descriptors.push(fd);
            SourcePlan::Fd(descriptors.len() - 1)
        }
        Source::Tmpfs(tmpfs) => SourcePlan::Tmpfs(tmpfs),
    };
    MountPlan { source, target: Bytes::new(mount.target), access: mount.access }
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Command, Ids, Plan, Root};

    #[test]
    fn names_that_are_not_utf8_survive_the_journey() {
        let bytes = Bytes((0..=255).collect());
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), bytes);
    }

    #[test]
    fn a_plan_is_the_same_on_the_other_side() {
        let command = Command::new(Root::Directory("/a\u{e9}".into()), "sh").args(["-c", "x"]);
        let (plan, descriptors, _) = Plan::new(command.env("A", "b"), Ids::Single);
        assert!(descriptors.is_empty());
        let json = serde_json::to_vec(&plan).unwrap();
        let back: Plan = serde_json::from_slice(&json).unwrap();
        assert_eq!(format!("{plan:?}"), format!("{back:?}"));
    }
}
