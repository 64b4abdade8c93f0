//! What a test needs beyond a kernel and a shell: root, a user namespace, peer
//! programs. Without it the test is skipped, and says so where nobody captures it.
//!
//! `LAYERUTILS_TEST_SKIPS` may name a file that gets one line for each skip, so
//! that a run can be summed up.

use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Something that a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// The tests run as root (devices, owners, `security.*`, kernel overlay).
    Root,
    /// An ordinary user can make a user namespace.
    UserNamespace,
    /// This program can be found.
    Peer(&'static str),
    /// A docker daemon answers.
    DockerDaemon,
    /// This variable names an input.
    Variable(&'static str),
}

impl Requirement {
    /// Whether it is met, and what is missing if not.
    ///
    /// # Errors
    /// What is missing, for people.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::Root if !is_root() => Err("needs root".into()),
            Self::UserNamespace if !user_namespaces() => {
                Err("needs user namespaces for ordinary users".into())
            }
            Self::Peer(program) if find(program).is_none() => Err(format!("needs {program}")),
            Self::DockerDaemon if !docker_answers() => Err("needs a docker daemon".into()),
            Self::Variable(name) if env::var_os(name).is_none_or(|value| value.is_empty()) => {
                Err(format!("needs {name}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether the test program runs as root.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Where `program` is on our own PATH or in the folders of an administrator.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

fn succeeds<I: AsRef<OsStr>>(argv: &[I]) -> bool {
    let Some((program, arguments)) = argv.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn user_namespaces() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let unshare = ["unshare", "--user", "--map-root-user", "--mount", "true"];
        if is_root() {
            let user = crate::sandbox::ordinary_user();
            let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
            let setpriv = ["setpriv", &uid, &gid, "--clear-groups"];
            succeeds(&[&setpriv[..], &unshare[..]].concat())
        } else {
            succeeds(&unshare)
        }
    })
}

fn docker_answers() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| succeeds(&["docker", "version"]))
}

/// Records that `what`, a test or a part of one, was not run.
pub fn skip(what: &str, reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("SKIPPED {test}{what}: {reason}\n");
    // Not eprint!, which the test runner captures.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
    if let Some(path) = env::var_os("LAYERUTILS_TEST_SKIPS").filter(|path| !path.is_empty()) {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("skips can be recorded");
    }
}

/// Ends the test, recorded as skipped, unless all of these are there:
/// `require!(Root, Peer("umoci"))`.
#[macro_export]
macro_rules! require {
    ($($requirement:expr),+ $(,)?) => {
        #[allow(unused_imports)]
        {
            use $crate::requirement::Requirement::*;
            for requirement in [$($requirement),+] {
                if let Err(reason) = requirement.check() {
                    $crate::requirement::skip("", &reason);
                    return;
                }
            }
        }
    };
}
