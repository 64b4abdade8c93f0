//! Other programs: found in PATH, run to their end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use common::signal;
use nix::unistd::Pid;

use crate::error::Error;

/// Runs a program to its end. It gets the signals that we get meanwhile, and is killed if
/// another step fails.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(command: &mut Command, name: &str) -> Result<ExitStatus, Error> {
    let failed = |source| Error::File { path: name.into(), source };
    let mut child = command.spawn().map_err(failed)?;
    let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
    let forwarding = signal::forward_to(Pid::from_raw(pid));
    let status = child.wait().map_err(failed);
    drop(forwarding);
    // Whoever interrupts a build means the build.
    signal::die_if_passed_on();
    status
}

/// Finds a program beside this one, or else in PATH.
pub(crate) fn find(name: &str) -> Result<PathBuf, Error> {
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = own.into_iter().chain(std::env::split_paths(&path));
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|file| is_program(file)));
    found.ok_or_else(|| Error::Other(format!("{name}: not in PATH")))
}

fn is_program(file: &Path) -> bool {
    let is_one =
        |metadata: fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    fs::metadata(file).is_ok_and(is_one)
}
