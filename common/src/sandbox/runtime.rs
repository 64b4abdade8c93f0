//! A command handed to an OCI runtime: a bundle in a mount namespace of ours, and the
//! runtime in a process namespace of ours.
//!
//! So the runtime starts and watches the command, and whatever it leaves is gone with
//! init: it needs no `delete`, and no control group is made that could stay behind.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, openat};
use rustix::mount::MountAttrFlags;
use serde::Deserialize;

use super::channel::{Channel, Report};
use super::error::Trying as _;
use super::mounts::{Mounts, NODEV, NOEXEC, NOSUID, RDONLY, clone};
use super::plan::{Ids, MountPlan, Plan};
use super::surroundings::Terminal;
use super::target::{SYSTEM, Shape, Target};
use super::terminal::Pair;
use super::tree::Staging;
use super::user::User;
use super::{Error, bundle, ids, inside, process};
use crate::mount::context::{Context, attach, tmpfs};
use crate::root::Located;
use crate::signal;

/// Where programs are that only root looks for.
const SYSTEM_PROGRAMS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// What the runtime has to say goes here, in the bundle: its standard error is the
/// command's.
const LOG: &str = "log.json";

/// An OCI runtime that is installed here.
#[derive(Debug)]
pub(super) struct Runtime {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Crun,
    Runc,
}

impl Runtime {
    /// Looks for crun, which starts faster, and then runc.
    pub(super) fn find() -> Result<Self, Error> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(SYSTEM_PROGRAMS.map(PathBuf::from));
        for (name, kind) in [("crun", Kind::Crun), ("runc", Kind::Runc)] {
            let mut paths = folders.iter().map(|folder| folder.join(name));
            if let Some(path) = paths.find(|path| is_program(path)) {
                return Ok(Self { path, kind });
            }
        }
        let error = Error::new("no OCI runtime: neither crun nor runc is in PATH");
        Err(error.with_hint("install one, or use --isolation full"))
    }

    /// The command line for the bundle in `dir`.
    fn command(&self, dir: &Path) -> std::process::Command {
        let mut command = std::process::Command::new(&self.path);
        command.arg("--root").arg(dir.join("state"));
        command.arg("--log").arg(dir.join(LOG)).args(["--log-format", "json"]);
        // Its limits are ours, and nothing is to stay behind.
        match self.kind {
            Kind::Crun => command.arg("--cgroup-manager=disabled"),
            Kind::Runc => command.args(["--rootless", "true"]),
        };
        command.arg("run").arg("--bundle").arg(dir);
        // Whatever the container's name is: the runtime's state is ours alone.
        command.arg("command");
        command
    }

    /// Becomes the runtime. Returns only if it cannot.
    pub(super) fn execute(&self, dir: &Path) -> Error {
        let mut command = self.command(dir);
        let variables = ["PATH", "HOME"].map(|name| (name, std::env::var_os(name)));
        command.env_clear().current_dir("/");
        for (name, value) in variables {
            command.env(name, value.unwrap_or_else(|| OsString::from("/")));
        }
        signal::reset_in_child();
        Error::system(self.path.display().to_string(), command.exec())
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// A bundle being made around a root that is mounted in it already.
#[derive(Debug)]
pub(super) struct Bundle<'a> {
    pub(super) dir: &'a Path,
    /// The file system on that directory.
    pub(super) staging: &'a Staging,
    pub(super) root: BorrowedFd<'a>,
}

impl Bundle<'_> {
    /// Makes the rest of it, and what the runtime itself needs. Returns the terminal,
    /// if there is to be one; `None` if the command is not there, which has been
    /// reported.
    pub(super) fn fill(
        &self,
        plan: &Plan,
        user: &User,
        descriptors: &[OwnedFd],
        channel: &Channel,
    ) -> Result<Option<Option<Pair>>, Error> {
        if plan.ids == Ids::Single && (user.uid, user.gid) != (0, 0) {
            let what = format!("an OCI runtime cannot make the one id user {}", user.uid);
            return Err(Error::new(what).with_hint(ids::advice()));
        }
        // The runtime finds its own processes in it.
        let proc = Context::open("proc", "proc")?.mount(NOSUID | NODEV | NOEXEC)?;
        let place = openat(CWD, "/proc", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        place
            .map_err(io::Error::from)
            .and_then(|place| attach(&proc, place))
            .trying(|| "cannot mount /proc".into())?;

        protect_control_groups()?;
        // A runtime would follow a link that is one of these.
        for name in SYSTEM {
            let target = Target::of_system(name);
            if let Located::Found { fd, .. } = target.locate(self.root)? {
                target.check(&fd, Shape::Directory)?;
            }
        }
        Mounts::new(self.root, self.staging, channel, plan).all_but_system(descriptors)?;
        // It may be on one of these.
        if !process::is_there(self.root, plan, channel)? {
            return Ok(None);
        }
        let folder = self.staging.directory(bundle::MOUNTS)?;
        for (number, mount) in plan.mounts.iter().enumerate() {
            if Target::asked_for(&mount.target.0)?.is_system() {
                bring(mount, &folder, &number.to_string(), descriptors)?;
            }
        }
        let config = bundle::config(plan, user, self.dir)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(self.staging, "config.json", flags, Mode::RUSR)
            .map_err(io::Error::from)
            .and_then(|fd| File::from(fd).write_all(config.to_string().as_bytes()))
            .trying(|| "cannot write config.json".into())?;
        terminal(plan).map(Some)
    }
}

/// Control groups of both versions side by side.
const HYBRID: &str = "/sys/fs/cgroup/unified";

/// Lets the runtime make no control group, which would stay behind, and hides version 2
/// where version 1 is in use too: crun starts nothing there.
fn protect_control_groups() -> Result<(), Error> {
    let about = || "cannot protect the control groups".to_owned();
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    if let Ok(place) = openat(CWD, HYBRID, flags, Mode::empty()) {
        let empty = tmpfs(Some(4096), 0o555, NOSUID | NODEV | NOEXEC)?;
        attach(empty, place).trying(about)?;
    }
    let Ok(groups) = openat(CWD, "/sys/fs/cgroup", flags, Mode::empty()) else { return Ok(()) };
    let read_only = clone(groups.as_fd(), RDONLY, true).trying(about)?;
    attach(read_only, groups).trying(about)
}

/// Copies what is to be mounted to `name` in the bundle's folder for it.
fn bring(
    mount: &MountPlan,
    folder: &OwnedFd,
    name: &str,
    descriptors: &[OwnedFd],
) -> Result<(), Error> {
    let Some(source) = mount.source.open(descriptors)? else { return Ok(()) };
    let about = || format!("cannot mount on {}", crate::name::show(&mount.target.0));
    let kind = inside::kind(&source).trying(about)?;
    let made = match kind {
        FileType::Directory => mkdirat(folder, name, Mode::RWXU),
        _ => openat(folder, name, OFlags::CREATE | OFlags::CLOEXEC, Mode::RWXU).map(drop),
    };
    let place = made
        .and_then(|()| openat(folder, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()))
        .trying(about)?;
    let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
    let attributes = if device { MountAttrFlags::empty() } else { NODEV };
    clone(source.as_fd(), attributes, kind == FileType::Directory)
        .and_then(|copy| attach(copy, place))
        .trying(about)
}

/// The terminal of the runtime, which makes another for the command.
fn terminal(plan: &Plan) -> Result<Option<Pair>, Error> {
    if plan.settings.terminal == Terminal::None {
        return Ok(None);
    }
    let context = Context::open("devpts", "devpts")?;
    context.flag("newinstance")?;
    let terminals = context.mount(NOSUID | NOEXEC)?;
    Pair::new(&terminals).map(Some).trying(|| "cannot make a terminal".into())
}

/// A line of the runtime's log.
#[derive(Debug, Deserialize)]
struct Line {
    level: String,
    msg: String,
}

/// Why the runtime could not start the command, if it could not.
pub(super) fn failure(staging: &Staging) -> Option<Report> {
    let log = openat(staging, LOG, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let log = io::read_to_string(File::from(log)).ok()?;
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let what = lines.rfind(|line| line.level == "error")?.msg;
    Some(Report::Failed { what: format!("the OCI runtime: {}", what.trim()), hint: None })
}
