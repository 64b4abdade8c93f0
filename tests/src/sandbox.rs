//! A folder and an environment of its own for each test.
//!
//! Nothing of the caller's environment gets through: HOME, TMPDIR and the XDG
//! folders are inside, the locale is C, the time zone UTC, and PATH begins with
//! the tools under test. TMPDIR must be empty after every command.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::binaries;
use crate::requirement::is_root;
use crate::run::Run;
use crate::tool;

/// A user to run commands as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl User {
    /// Whoever runs the tests.
    #[must_use]
    pub fn current() -> Self {
        Self { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }
}

/// The ordinary user of the tests: the one that `LAYERUTILS_TEST_USER` names or,
/// for root, one without a name; for anybody else, oneself.
///
/// # Panics
/// If nobody has that name.
#[must_use]
pub fn ordinary_user() -> User {
    if !is_root() {
        return User::current();
    }
    match env::var("LAYERUTILS_TEST_USER") {
        Ok(name) if !name.is_empty() => {
            let found = nix::unistd::User::from_name(&name).expect("the user database is read");
            let user = found.unwrap_or_else(|| panic!("LAYERUTILS_TEST_USER: no user {name}"));
            User { uid: user.uid.as_raw(), gid: user.gid.as_raw() }
        }
        _ => User { uid: 54_321, gid: 54_321 },
    }
}

/// Somebody to whom subuid(5) and subgid(5) grant ids.
#[derive(Debug, Clone, Copy)]
pub struct SubordinateUser {
    /// Who it is.
    pub user: User,
    /// The first user id that is granted.
    pub first_uid: u32,
    /// The first group id that is granted.
    pub first_gid: u32,
}

/// Somebody with subordinate ids, for a test that root runs as them; skips the rest of
/// the test where there is nobody, or no root.
#[must_use]
pub fn subordinate_user() -> Option<SubordinateUser> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (users, groups) = (read("/etc/subuid"), read("/etc/subgid"));
    let first = |table: &str, name: &str| -> Option<u32> {
        let fields = table.lines().map(|line| line.split(':').collect::<Vec<_>>());
        fields
            .filter(|fields| fields.first() == Some(&name))
            .find_map(|fields| fields.get(1)?.parse().ok())
    };
    let found = read("/etc/passwd").lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let name = fields.first()?;
        let user = User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? };
        let (first_uid, first_gid) = (first(&users, name)?, first(&groups, name)?);
        Some(SubordinateUser { user, first_uid, first_gid })
    });
    if !is_root() {
        crate::requirement::skip("", "needs root, to become a user with subordinate ids");
        return None;
    }
    if found.is_none() {
        crate::requirement::skip(
            "",
            "nobody is in /etc/subuid and /etc/subgid (useradd sees to it)",
        );
    }
    found
}

/// A test's own folder, and the user who owns it.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    user: User,
}

impl Sandbox {
    /// For whoever runs the tests.
    #[must_use]
    pub fn new() -> Self {
        Self::owned_by(User::current(), None)
    }

    /// For an ordinary user, also where root runs the tests.
    #[must_use]
    pub fn ordinary() -> Self {
        Self::owned_by(ordinary_user(), None)
    }

    /// In memory, where that takes attributes as a disk does and TMPDIR does not say
    /// otherwise: for tests that make trees by the thousand.
    #[must_use]
    pub fn in_memory(user: User) -> Self {
        let memory = Path::new("/dev/shm");
        let takes_attributes = || {
            let probe = TempDir::new_in(memory).ok()?;
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(probe.path(), "user.probe", b"", flags).ok()
        };
        let is_free = env::var_os("TMPDIR").is_none();
        Self::owned_by(user, (is_free && takes_attributes().is_some()).then_some(memory))
    }

    fn owned_by(user: User, place: Option<&Path>) -> Self {
        let mut builder = tempfile::Builder::new();
        builder.prefix("layerutils-test-").permissions(Permissions::from_mode(0o755));
        let folder = match place {
            Some(place) => builder.tempdir_in(place),
            None => builder.tempdir(),
        };
        let folder = folder.expect("a folder for the test");
        let sandbox = Self { folder, user };
        for name in ["work", "home", "tmp", "data", "cache", "run", "bin"] {
            let path = sandbox.folder.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
            if user != User::current() {
                chown(&path, Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        sandbox
    }

    /// Who runs what is run here.
    #[must_use]
    pub fn user(&self) -> User {
        self.user
    }

    /// The folder that commands start in.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// `name` in the folder that commands start in.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work().join(name)
    }

    /// The store that the tools use unless they are told otherwise.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("data/layerutils")
    }

    /// A command, to be run here: its program and arguments.
    ///
    /// # Panics
    /// If `argv` is empty.
    #[must_use]
    pub fn run<S: AsRef<OsStr>>(&self, argv: &[S]) -> Run {
        let (program, arguments) = argv.split_first().expect("a program to run");
        let mut run = Run::new(self.program(program.as_ref()), arguments, &self.tmp());
        run.environment(self.environment()).folder(self.work());
        if self.user != User::current() {
            run.user(self.user);
        }
        run
    }

    /// A command given as words with blanks between them.
    #[must_use]
    pub fn words(&self, line: &str) -> Run {
        self.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// A line for bash, with pipefail, as the project's pipelines are written.
    #[must_use]
    pub fn sh(&self, script: &str) -> Run {
        self.run(&["bash", "-o", "pipefail", "-c", script])
    }

    /// Puts a program of the test's own in front of all others on PATH.
    pub fn program_file(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes a file in the work folder, owned by the sandbox's user.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        self.own(&path);
        path
    }

    /// Gives `path` to the sandbox's user.
    pub fn own(&self, path: &Path) {
        if self.user != User::current() {
            std::os::unix::fs::lchown(path, Some(self.user.uid), Some(self.user.gid)).unwrap();
        }
    }

    fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    fn program(&self, name: &OsStr) -> OsString {
        match name.to_str().and_then(tool::find) {
            Some(tool) => self.tools().join(tool.name).into(),
            None => name.into(),
        }
    }

    /// The tools, where the sandbox's user can reach them: a clone in root's home
    /// is out of an ordinary user's reach, so they are linked, or copied, in here.
    fn tools(&self) -> PathBuf {
        let folder = binaries::folder();
        let searchable = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o001 != 0)
        };
        if self.user == User::current() || folder.ancestors().all(searchable) {
            return folder.to_path_buf();
        }
        let reachable = self.folder.path().join("tools");
        if fs::create_dir(&reachable).is_ok() {
            fs::set_permissions(&reachable, Permissions::from_mode(0o755)).unwrap();
            for tool in tool::ALL {
                let (from, to) = (binaries::path(tool.name), reachable.join(tool.name));
                if fs::hard_link(&from, &to).is_err() {
                    fs::copy(&from, &to).unwrap();
                }
            }
        }
        reachable
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let folder = self.folder.path();
        let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut path = OsString::from(folder.join("bin"));
        for next in [self.tools().as_os_str(), OsStr::new(system)] {
            path.push(":");
            path.push(next);
        }
        let mut variables = vec![
            ("PATH", path),
            ("LC_ALL", "C".into()),
            ("TZ", "UTC".into()),
            ("HOME", folder.join("home").into()),
            ("TMPDIR", self.tmp().into()),
            ("LAYERUTILS_STORE", self.store().into()),
            ("XDG_DATA_HOME", folder.join("data").into()),
            ("XDG_CACHE_HOME", folder.join("cache").into()),
            ("XDG_RUNTIME_DIR", folder.join("run").into()),
        ];
        // Where the daemon is that judges our images.
        variables.extend(env::var_os("DOCKER_HOST").map(|host| ("DOCKER_HOST", host)));
        variables
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        make_removable(self.folder.path());
    }
}

/// An ordinary user cannot remove what is in a directory without write permission.
fn make_removable(folder: &Path) {
    if is_root() {
        return;
    }
    let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_removable(&entry.path());
        }
    }
}
