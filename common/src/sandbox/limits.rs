//! What a command may use of the machine: a control group of its own.
//!
//! Version 2 only (cgroups(7)), and only where a group with the controllers can be
//! made: in our own group or one above it. Root may do that; an ordinary user where
//! the tree has been delegated, as systemd does it for a user's services. A limit
//! that cannot be had is refused, and nobody else's processes are moved.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::Error;
use super::error::Trying as _;
use crate::name::show_path;

/// The period in which processor time is counted out, in microseconds: docker's.
const PERIOD_US: u64 = 100_000;

/// How often a group is tried to be removed whose last process has just died.
const REMOVALS: u32 = 200;

/// Limits, each `None` for none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, and as much swap again, as docker has it.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Processor time, in thousandths of one processor.
    pub milli_cpus: Option<u64>,
}

impl Limits {
    /// The limits of a group in which so many processes are not the command's.
    pub(super) fn beside(self, others: usize) -> Self {
        let others = u64::try_from(others).unwrap_or(u64::MAX);
        Self { pids: self.pids.map(|pids| pids.saturating_add(others)), ..self }
    }

    /// The controllers, with the files that are to be written in a group. What may
    /// be missing in a kernel comes last: swap that is not counted cannot be limited.
    fn settings(&self) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let mut settings = Vec::new();
        if let Some(bytes) = self.memory_bytes {
            let files = vec![("memory.max", bytes.to_string()), (SWAP, bytes.to_string())];
            settings.push(("memory", files));
        }
        if let Some(count) = self.pids {
            settings.push(("pids", vec![("pids.max", count.to_string())]));
        }
        if let Some(cpus) = self.milli_cpus {
            let quota = cpus.saturating_mul(PERIOD_US / 1000);
            settings.push(("cpu", vec![("cpu.max", format!("{quota} {PERIOD_US}"))]));
        }
        settings
    }
}

/// Missing where swap is not counted.
const SWAP: &str = "memory.swap.max";

/// A control group for one command.
#[derive(Debug)]
pub(super) struct Group {
    dir: PathBuf,
    /// Open for writing: whoever has it may enter.
    procs: OwnedFd,
}

impl Group {
    /// Makes a group with these limits; `None` if there are none.
    pub(super) fn make(limits: &Limits) -> Result<Option<Self>, Error> {
        let settings = limits.settings();
        if settings.is_empty() {
            return Ok(None);
        }
        let names: Vec<_> = settings.iter().map(|(controller, _)| *controller).collect();
        let what = format!("cannot limit {}", names.join(", "));
        let (top, own) = own_group().map_err(|why| refuse(&what, &why))?;
        let mut refusal = String::new();
        for parent in own.ancestors().take_while(|dir| dir.starts_with(&top)) {
            match make_below(parent, &settings) {
                Ok(group) => return Ok(Some(group)),
                Err(why) => {
                    refusal.clear();
                    let _ = write!(refusal, "{}: {why}", show_path(parent));
                }
            }
        }
        Err(refuse(&what, &refusal))
    }

    /// Puts this process into the group.
    pub(super) fn enter(&self) -> Result<(), Error> {
        self.add(Pid::from_raw(0))
    }

    /// Puts a process into the group; 0 is this one.
    pub(super) fn add(&self, pid: Pid) -> Result<(), Error> {
        rustix::io::write(&self.procs, pid.to_string().as_bytes())
            .map(drop)
            .trying(|| format!("cannot enter the control group {}", show_path(&self.dir)))
    }

    /// Removes the group, and whatever still runs in it.
    pub(super) fn remove(self) -> io::Result<()> {
        // Linux 5.14; the process namespace has ended them all anyway.
        let _ = write(&self.dir.join("cgroup.kill"), "1");
        let mut outcome = Ok(());
        for _ in 0..REMOVALS {
            outcome = fs::remove_dir(&self.dir);
            match &outcome {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                _ => break,
            }
        }
        outcome
    }
}

fn refuse(what: &str, why: &str) -> Error {
    Error::new(format!("{what}: {why}")).with_hint(
        "limits take control groups of version 2 that are root's or delegated: as an ordinary \
         user, try systemd-run --user --scope -p Delegate=yes",
    )
}

/// Where version 2 is mounted, and our own group's directory below that.
fn own_group() -> Result<(PathBuf, PathBuf), String> {
    let read = |path| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let (mounts, groups) = (read("/proc/self/mountinfo")?, read("/proc/self/cgroup")?);
    find(&mounts, &groups).ok_or_else(|| "control groups of version 2 are not mounted".into())
}

/// The lookup itself, on the content of the two files (proc(5), cgroups(7)).
fn find(mounts: &str, groups: &str) -> Option<(PathBuf, PathBuf)> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        if file_system.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let below = Path::new(own).strip_prefix(root).ok()?;
        // A group outside of our own namespace.
        let inside = !below.components().any(|part| part == std::path::Component::ParentDir);
        inside.then(|| (PathBuf::from(point), Path::new(point).join(below)))
    })
}

/// Makes a group in `parent`, or says what stands in the way.
fn make_below(
    parent: &Path,
    settings: &[(&'static str, Vec<(&'static str, String)>)],
) -> Result<Group, String> {
    let has = |file: &str| -> Result<Vec<String>, String> {
        let text = fs::read_to_string(parent.join(file)).map_err(|e| format!("{file}: {e}"))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    };
    let (available, enabled) = (has("cgroup.controllers")?, has("cgroup.subtree_control")?);
    for (controller, _) in settings {
        if !available.iter().any(|known| known == controller) {
            return Err(format!(
                "no {controller} controller in version 2 (it may be mounted as version 1)"
            ));
        }
        if !enabled.iter().any(|known| known == controller) {
            write(&parent.join("cgroup.subtree_control"), &format!("+{controller}"))
                .map_err(|error| format!("cannot hand {controller} down: {error}"))?;
        }
    }
    // Moving a process takes this of the group above both.
    open(&parent.join("cgroup.procs")).map_err(|error| format!("cgroup.procs: {error}"))?;
    let dir = make_unique(parent).map_err(|error| format!("cannot make a group: {error}"))?;
    let filled = settings.iter().flat_map(|(_, files)| files).try_for_each(|(file, value)| {
        match write(&dir.join(file), value) {
            Err(error) if *file == SWAP && error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map_err(|error| format!("{file}: {error}")),
        }
    });
    let procs = open(&dir.join("cgroup.procs")).map_err(|error| format!("cgroup.procs: {error}"));
    match filled.and(procs) {
        Ok(procs) => Ok(Group { dir, procs }),
        Err(why) => {
            let _ = fs::remove_dir(&dir);
            Err(why)
        }
    }
}

fn make_unique(parent: &Path) -> io::Result<PathBuf> {
    for attempt in 0..1000 {
        let dir = parent.join(format!("layerutils-{}.{attempt}", std::process::id()));
        match fs::create_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => return outcome.map(|()| dir),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Opens a file that is there for writing.
fn open(path: &Path) -> io::Result<OwnedFd> {
    fs::OpenOptions::new().write(true).open(path).map(OwnedFd::from)
}

/// Writes to a file that is there: one write, as the kernel wants it.
fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::File::from(open(path)?).write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Limits, find};

    #[test]
    fn our_own_group_is_found_below_the_mount() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let found = |group: &str| find(mounts, group).map(|(_, own)| own);
        let own = "/sys/fs/cgroup/user.slice/a.scope";
        assert_eq!(found("1:name=x:/\n0::/user.slice/a.scope\n"), Some(PathBuf::from(own)));
        assert_eq!(found("0::/\n"), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(found("0::/../outside\n"), None);
        assert_eq!(found("4:memory:/x\n"), None);
        let bound = "30 23 0:26 /box /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let own = find(bound, "0::/box/a\n").map(|(_, own)| own);
        assert_eq!(own, Some(PathBuf::from("/sys/fs/cgroup/a")));
        assert_eq!(find("1 2 0:3 / /x rw - tmpfs t rw\n", "0::/\n"), None);
    }

    #[test]
    fn limits_become_the_kernels_files() {
        let limits = Limits { memory_bytes: Some(6 << 20), pids: Some(10), milli_cpus: Some(1500) };
        let files: Vec<_> = limits.settings().into_iter().flat_map(|(_, files)| files).collect();
        let text = |name: &str| files.iter().find(|(file, _)| *file == name).unwrap().1.clone();
        assert_eq!(text("memory.max"), "6291456");
        assert_eq!(text("memory.swap.max"), "6291456");
        assert_eq!(text("pids.max"), "10");
        assert_eq!(text("cpu.max"), "150000 100000");
        assert!(Limits::default().settings().is_empty());
    }

    #[test]
    fn processes_that_are_not_the_commands_take_nothing_from_its_limit() {
        let limits = Limits { pids: Some(10), ..Limits::default() };
        assert_eq!((limits.beside(1).pids, limits.beside(0)), (Some(11), limits));
        assert_eq!(Limits::default().beside(1), Limits::default());
    }
}
