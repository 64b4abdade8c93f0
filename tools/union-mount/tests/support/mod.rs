//! A scratch directory, a small tree to run things in, and the roles to run them in.
//!
//! Every test is run as root and as an ordinary user where this process is root,
//! and as the user it is otherwise. What cannot be tried says so.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use layerutils_tests::requirement::{Requirement, is_root, skip};

/// An id that nobody has.
const USER: u32 = 54_321;

/// `nobody`, whom every machine has and who owns nothing: fusermount3(1) serves
/// nobody without a name.
const NAMED_USER: u32 = 65_534;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Root,
    User,
    NamedUser,
}

/// A scratch directory that belongs to the role.
pub(crate) struct Scratch {
    dir: tempfile::TempDir,
    pub(crate) role: Role,
}

/// Runs `test` in each role that can be had.
pub(crate) fn in_each_role(test: impl Fn(&Scratch)) {
    if is_root() {
        test(&Scratch::new(Role::Root));
    } else {
        skip(" (as root)", "this process is not root");
    }
    as_user(test);
}

/// Runs `test` as root, or says that it cannot.
pub(crate) fn as_root(test: impl Fn(&Scratch)) {
    if is_root() {
        test(&Scratch::new(Role::Root));
    } else {
        skip("", "this process is not root");
    }
}

/// Runs `test` as an ordinary user, or says that it cannot.
pub(crate) fn as_user(test: impl Fn(&Scratch)) {
    as_some_user(Role::User, test);
}

/// Runs `test` as an ordinary user with a name, or says that it cannot.
pub(crate) fn as_named_user(test: impl Fn(&Scratch)) {
    as_some_user(Role::NamedUser, test);
}

fn as_some_user(role: Role, test: impl Fn(&Scratch)) {
    let scratch = Scratch::new(role);
    match Requirement::UserNamespace.check() {
        Ok(()) => test(&scratch),
        Err(reason) => skip(" (as an ordinary user)", &reason),
    }
}

/// Copies a program in a process of its own: another test that forks while we hold
/// a copy open for writing would make it "text file busy".
pub(crate) fn copy(from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) {
    let status = Command::new("cp").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

impl Scratch {
    fn new(role: Role) -> Self {
        let dir = tempfile::Builder::new().prefix("union-mount-test.").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let scratch = Self { dir, role };
        // The build folder may be out of the user's reach.
        let binary = scratch.path("union-mount");
        copy(env!("CARGO_BIN_EXE_union-mount"), &binary);
        scratch.own(scratch.dir.path());
        scratch
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Gives a path to the role.
    pub(crate) fn own(&self, path: impl AsRef<Path>) {
        if let Some(id) = self.other_id() {
            chown(path, Some(id), Some(id)).unwrap();
        }
    }

    /// The role's id, where it is not our own.
    fn other_id(&self) -> Option<u32> {
        match self.role {
            Role::User if is_root() => Some(USER),
            Role::NamedUser if is_root() => Some(NAMED_USER),
            _ => None,
        }
    }

    pub(crate) fn directory(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        self.own(&path);
        path
    }

    pub(crate) fn file(&self, name: impl AsRef<Path>, content: &str) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        self.own(&path);
    }

    /// A layer with a shell in it, that has no mount points. `None` where this
    /// machine has no static busybox.
    pub(crate) fn base(&self) -> Option<PathBuf> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| {
            let listed = Command::new(path).arg("--list").output();
            listed.is_ok_and(|output| output.status.success())
        });
        let Some(busybox) = busybox else {
            skip("", "no busybox (Debian: busybox-static)");
            return None;
        };
        let base = self.directory("base");
        let bin = self.directory("base/bin");
        copy(busybox, bin.join("busybox"));
        for name in ["sh", "ls", "cat", "rm", "mkdir", "sleep", "kill", "mount", "find", "touch"] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        for name in ["stat", "mknod", "chmod", "ps", "id", "hostname", "dd", "ln", "mv", "wc"] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        Some(base)
    }

    /// A program as the role, in the scratch directory, with nothing in its environment.
    pub(crate) fn as_role(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.other_id() {
            Some(id) => {
                let mut command = Command::new("setpriv");
                let ids = [format!("--reuid={id}"), format!("--regid={id}")];
                command.args(ids).args(["--clear-groups", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command.current_dir(self.dir.path()).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin");
        command.env("HOME", self.dir.path()).env("XDG_CACHE_HOME", self.path(".cache"));
    }

    /// Whether the role can open /dev/fuse, as udev lets everybody, or root can
    /// arrange for it. Says so if not.
    pub(crate) fn reaches_fuse(&self) -> bool {
        let mode = fs::metadata("/dev/fuse").map(|device| device.mode()).unwrap_or_default();
        let reaches = is_root() || mode & 0o006 == 0o006;
        if !reaches {
            skip("", "/dev/fuse is not for everybody");
        }
        reaches
    }

    /// A program as the role, where /dev/fuse is for everybody: root's own machine
    /// may have it otherwise, so it is arranged in a mount namespace.
    pub(crate) fn with_fuse(&self, argv: &[&str]) -> Command {
        let Some(id) = self.other_id() else {
            let mut command = self.as_role(argv[0]);
            command.args(&argv[1..]);
            return command;
        };
        let device = self.path(".fuse");
        let _ = fs::remove_file(&device);
        let made = Command::new("mknod").arg(&device).args(["c", "10", "229"]).status().unwrap();
        assert!(made.success());
        fs::set_permissions(&device, fs::Permissions::from_mode(0o666)).unwrap();
        let script = format!(
            "mount --bind .fuse /dev/fuse && rm -f .fuse && \
             exec setpriv --reuid={id} --regid={id} --clear-groups -- \"$@\""
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]).args(argv);
        self.surround(&mut command);
        command
    }

    /// The tool as the role.
    pub(crate) fn tool(&self) -> Command {
        self.as_role(self.path("union-mount"))
    }

    /// Runs a shell script in the union of `layers`.
    pub(crate) fn sh(&self, options: &[&str], layers: &[&Path], script: &str) -> Ran {
        let mut tool = self.tool();
        tool.args(options).args(layers).args(["--", "sh", "-c", script]);
        Ran::of(tool.output().unwrap())
    }

    /// Names in the scratch directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// All paths below a directory of the scratch one, sorted.
    pub(crate) fn tree(&self, name: &str) -> Vec<String> {
        let find = Command::new("find").arg(".").current_dir(self.path(name)).output().unwrap();
        let mut paths: Vec<String> =
            String::from_utf8_lossy(&find.stdout).lines().skip(1).map(str::to_owned).collect();
        paths.sort();
        paths
    }
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asserts success without a word on standard error, and gives what was printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }
}
