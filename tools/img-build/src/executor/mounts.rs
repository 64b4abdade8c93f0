//! `RUN --mount`: what is there for one command and never in the layer.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::containerfile::{Heredoc, Mount, MountKind};
use common::digest::Digest;
use common::layer::apply;
use common::privilege::can_mount;
use common::root::Root;
use common::sandbox::{self, Access, Programs, Source, Tmpfs};
use rustix::fs::OFlags;
use serde_json::{Value, json};

use super::agent::Agent;
use super::caches::{Cache, Locked};
use super::schedule::Schedule;
use super::snapshot::Snapshot;
use super::{Run, lock};
use crate::context::Patterns;
use crate::error::Error;
use crate::graph::{MountWork, Source as Origin};
use crate::scratch::Scratch;
use crate::step::transfer::{Copying, Found, Rules, find};
use crate::tree::{HostRoot, Names, Tree, fingerprints, join, planned, write_layer};

/// The variable that tells ssh where its agent is.
const AGENT_VARIABLE: &str = "SSH_AUTH_SOCK";

/// The number of copies of sources that are kept beside those in use.
const KEPT: usize = 4;

/// The mounts of one RUN, found but not made.
#[derive(Debug, Default)]
pub(crate) struct Mounts {
    all: Vec<Planning>,
    /// Secrets that are variables.
    variables: Vec<(String, Vec<u8>)>,
    facts: Vec<Value>,
}

/// Resources that are held while a command runs.
#[derive(Debug, Default)]
pub(crate) struct Held {
    caches: Locked,
    snapshots: Vec<Snapshot>,
    agents: Vec<Agent>,
}

#[derive(Debug)]
struct Planning {
    target: PathBuf,
    access: Access,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Part of the context's own directory.
    Live(Arc<HostRoot>, Names),
    /// Part of a tree of this digest, which nobody changes.
    Snapshot(Arc<Tree>, Found, Digest),
    /// A copy of part of a tree: the command may change it, and nobody sees.
    Copy(Arc<Tree>, Found),
    /// A directory that stays.
    Cache(Cache),
    Tmpfs(Option<u64>),
    /// The way to an agent.
    Agent {
        socket: PathBuf,
        mode: u32,
        owner: (u32, u32),
    },
    File {
        content: Vec<u8>,
        mode: u32,
        owner: (u32, u32),
    },
}

impl Run<'_> {
    /// Finds what the mounts of a RUN show; `script` is put where BuildKit puts it.
    ///
    /// # Errors
    /// A source that is not there, a secret that is required and was not given.
    pub(super) fn mounts(
        &self,
        mounts: &[MountWork],
        script: Option<&Heredoc>,
    ) -> Result<Mounts, Error> {
        let mut planned = Mounts::default();
        for mount in mounts {
            self.plan_mount(mount, &mut planned)?;
        }
        if let Some(script) = script {
            planned.facts.push(json!(["script", script.name, Digest::of(&script.body)]));
            planned.all.push(Planning {
                target: PathBuf::from("/dev/pipes").join(&script.name),
                access: Access::ReadOnly,
                what: What::File { content: script.body.clone(), mode: 0o755, owner: (0, 0) },
            });
        }
        Ok(planned)
    }

    fn plan_mount(&self, work: &MountWork, planned: &mut Mounts) -> Result<(), Error> {
        let mount = &work.mount;
        let owner = (mount.uid.unwrap_or(0), mount.gid.unwrap_or(0));
        let access = match mount.is_read_only {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        };
        let target = PathBuf::from(&mount.target);
        let what = match &mount.kind {
            MountKind::Bind { source, .. } => {
                let (tree, found) = self.mounted(work, source)?;
                let origin = work.source.unwrap_or(Origin::Context);
                let digest = self.fingerprint(origin, &tree, &found)?;
                let is_read_only = access == Access::ReadOnly;
                planned.facts.push(json!(["bind", mount.target, is_read_only, digest]));
                match (access, origin, self.executor.context.exact()) {
                    (Access::ReadWrite, ..) => What::Copy(tree, found),
                    (_, Origin::Context, Some(root)) => What::Live(root, found.names),
                    _ => What::Snapshot(tree, found, digest),
                }
            }
            MountKind::Cache { id, sharing, from, source } => {
                let Some(base) = &self.executor.place.cache else {
                    return Err(Error::Other(
                        "no place for a cache: set XDG_CACHE_HOME or HOME".into(),
                    ));
                };
                let mut name = id.clone();
                let seed = match from {
                    Some(_) => Some(self.mounted(work, source)?),
                    None => None,
                };
                // As in BuildKit, another seed makes another cache.
                if let (Some((tree, found)), Some(origin)) = (&seed, work.source) {
                    let digest = self.fingerprint(origin, tree, found)?;
                    name = format!("{id}:{digest}");
                }
                let facts = json!(["cache", mount.target, name, from, source]);
                planned.facts.push(with_attributes(mount, facts));
                let dir = base.join("mounts").join(Digest::of(name.as_bytes()).hex());
                let (sharing, mode) = (*sharing, mount.mode.unwrap_or(0o755));
                What::Cache(Cache { dir, sharing, mode, owner, seed })
            }
            MountKind::Tmpfs { size_bytes } => {
                planned.facts.push(json!(["tmpfs", mount.target, size_bytes]));
                What::Tmpfs(*size_bytes)
            }
            MountKind::Secret { id, variable, is_required } => {
                // Neither the value nor whether it was given: a secret must not change
                // what is built.
                let facts = json!(["secret", mount.target, id, variable, is_required]);
                planned.facts.push(with_attributes(mount, facts));
                let Some(secret) = self.executor.secrets.get(id) else {
                    return match *is_required {
                        true => Err(Error::Other(format!(
                            "secret '{id}' is required: give it with --secret"
                        ))),
                        false => Ok(()),
                    };
                };
                let content = secret.content(&self.schedule)?;
                if let Some(variable) = variable {
                    planned.variables.push((variable.clone(), content.clone()));
                }
                if mount.target.is_empty() {
                    return Ok(());
                }
                What::File { content, mode: mount.mode.unwrap_or(0o400), owner }
            }
            MountKind::Ssh { id, is_required } => {
                let facts = json!(["ssh", mount.target, id, is_required]);
                planned.facts.push(with_attributes(mount, facts));
                let Some(socket) = self.executor.agents.get(id) else {
                    return match *is_required {
                        true => Err(Error::Other(format!(
                            "the agent '{id}' is required: give it with --ssh"
                        ))),
                        false => Ok(()),
                    };
                };
                let is_first = planned.variables.iter().all(|(name, _)| name != AGENT_VARIABLE);
                if is_first {
                    let target = mount.target.clone().into_bytes();
                    planned.variables.push((AGENT_VARIABLE.into(), target));
                }
                What::Agent { socket: socket.clone(), mode: mount.mode.unwrap_or(0o600), owner }
            }
        };
        planned.all.push(Planning { target, access, what });
        Ok(())
    }

    /// The digest of part of a tree, computed once for all steps.
    fn fingerprint(&self, origin: Origin, tree: &Tree, found: &Found) -> Result<Digest, Error> {
        let key = (origin, found.names.clone());
        if let Some(digest) = lock(&self.fingerprints).get(&key) {
            return Ok(digest.clone());
        }
        let digest = fingerprint(tree, found)?;
        lock(&self.fingerprints).insert(key, digest.clone());
        Ok(digest)
    }

    fn mounted(&self, work: &MountWork, source: &str) -> Result<(Arc<Tree>, Found), Error> {
        let from = work.from();
        let tree = self.tree(work.source.unwrap_or(Origin::Context))?;
        // A path, not a pattern.
        let escaped: String = source
            .chars()
            .flat_map(|char| ['\\', char].into_iter().skip(usize::from(char == '/')))
            .collect();
        let place = from.unwrap_or("the context").to_owned();
        let found = find(&tree, &escaped, false)?.pop();
        let found = found.ok_or(Error::NotFound { path: source.to_owned(), place })?;
        Ok((tree, found))
    }
}

/// The facts of a mount, and its mode and owner if they are given.
fn with_attributes(mount: &Mount, mut facts: Value) -> Value {
    let Mount { mode, uid, gid, .. } = mount;
    if let (Some(facts), true) =
        (facts.as_array_mut(), mode.is_some() || uid.is_some() || gid.is_some())
    {
        facts.push(json!([mode, uid, gid]));
    }
    facts
}

impl Mounts {
    /// Returns the properties of the mounts that the result depends on.
    pub(crate) fn facts(&self) -> &[Value] {
        &self.facts
    }

    /// Makes what is mounted, and adds it to the command. The locks of caches are
    /// held as long as what is returned.
    ///
    /// # Errors
    /// A copy that cannot be made.
    pub(crate) fn add_to(
        &self,
        mut command: sandbox::Command,
        scratch: &Scratch,
        cache: Option<&Path>,
        schedule: &Schedule,
    ) -> Result<(sandbox::Command, Held), Error> {
        let caches = self.all.iter().filter_map(|mount| match &mount.what {
            What::Cache(cache) => Some(cache),
            _ => None,
        });
        let caches = Locked::lock(caches, scratch, schedule)?;
        let mut held = Held { caches, ..Held::default() };
        for (number, mount) in self.all.iter().enumerate() {
            let source = match &mount.what {
                What::Tmpfs(size_bytes) => Source::Tmpfs(Tmpfs {
                    size_bytes: *size_bytes,
                    mode: 0o1777,
                    owner: (0, 0),
                    programs: Programs::Run,
                }),
                What::Live(root, names) => {
                    let opened = root.0.open_path(&join(names), OFlags::PATH | OFlags::NOFOLLOW);
                    let failed = |errno: rustix::io::Errno| Error::file("context")(errno.into());
                    Source::Fd(opened.map_err(failed)?)
                }
                What::Snapshot(tree, found, digest) => {
                    let digest = Digest::of(format!("{digest} {}", can_mount()).as_bytes());
                    let make = |dir: &Path| copy_out(tree, found, (dir, "mount"), scratch);
                    // Without a cache it is there for this step alone.
                    let cache = cache.unwrap_or_else(|| scratch.path());
                    let snapshot =
                        Snapshot::open(cache, "snapshots", KEPT, &digest, schedule, make)?;
                    let path = snapshot.dir.join("mount");
                    held.snapshots.push(snapshot);
                    Source::Path(path)
                }
                What::Copy(tree, found) => {
                    let dir = scratch.dir(&format!("mount-{number}"))?;
                    copy_out(tree, found, (&dir, "mount"), scratch)?;
                    Source::Path(dir.join("mount"))
                }
                What::File { content, mode, owner } => {
                    let path = scratch.path().join(format!("file-{number}"));
                    write_file(&path, content, *mode, *owner).map_err(Error::file(&path))?;
                    Source::Path(path)
                }
                What::Agent { socket, mode, owner } => {
                    let path = scratch.path().join(format!("agent-{number}"));
                    let agent = Agent::start(&path, socket).map_err(Error::file(&path))?;
                    held.agents.push(agent);
                    set_attributes(&path, *mode, *owner).map_err(Error::file(&path))?;
                    Source::Path(path)
                }
                What::Cache(cache) => Source::Path(held.caches.content(cache)),
            };
            let target = mount.target.clone();
            command = command.mount(sandbox::Mount { source, target, access: mount.access });
        }
        for (name, value) in &self.variables {
            use std::os::unix::ffi::OsStrExt as _;
            command = command.env(name, std::ffi::OsStr::from_bytes(value));
        }
        Ok((command, held))
    }

    /// Whether the command sees the context as it is, and not as it was when it was read.
    pub(super) fn are_live(&self) -> bool {
        self.all.iter().any(|mount| matches!(mount.what, What::Live(..)))
    }
}

fn write_file(path: &Path, content: &[u8], mode: u32, owner: (u32, u32)) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    set_attributes(path, mode, owner)
}

/// Sets owner and mode, whatever the umask. With one id, everything is root's inside.
pub(super) fn set_attributes(
    path: &Path,
    mode: u32,
    (uid, gid): (u32, u32),
) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if can_mount() {
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Part of a tree as changes to an empty one.
fn extract(tree: &Tree, found: &Found, name: &str) -> Result<(Tree, BTreeSet<Names>), Error> {
    let rules = Rules {
        owner: None,
        chmod: None,
        excludes: Patterns::default(),
        now: common::time::Timestamp::EPOCH,
    };
    let mut part = Tree::new();
    let mut changed = BTreeSet::new();
    Copying::new(&mut part, &mut changed, &rules).copy(tree, found, name.as_bytes())?;
    Ok((part, changed))
}

fn fingerprint(tree: &Tree, found: &Found) -> Result<Digest, Error> {
    let (part, changed) = extract(tree, found, "mount")?;
    let planned = planned(&part, &changed, None)?;
    Ok(Digest::of(&[b"[", fingerprints(&planned)?.as_slice(), b"]"].concat()))
}

/// Writes part of a tree to a name in a directory of the host, by way of a layer: what is
/// unpacked cannot leave the directory.
pub(super) fn copy_out(
    tree: &Tree,
    found: &Found,
    (dir, name): (&Path, &str),
    scratch: &Scratch,
) -> Result<(), Error> {
    let (part, changed) = extract(tree, found, name)?;
    let planned = planned(&part, &changed, None)?;
    let path = scratch.path();
    let mut file = tempfile::tempfile_in(path).map_err(Error::file(path))?;
    write_layer(&planned, &mut file)?;
    std::io::Seek::rewind(&mut file).map_err(Error::file(path))?;
    let options = apply::Options {
        ownership: match can_mount() {
            true => apply::Ownership::Keep,
            false => apply::Ownership::Record,
        },
        ..apply::Options::default()
    };
    let root = Root::open(dir).map_err(Error::file(dir))?;
    apply::apply(&root, file, &options)?;
    Ok(())
}
