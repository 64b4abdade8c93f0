//! Where a user's data and caches are, as the XDG base directory specification says.

use std::env;
use std::fs;
use std::path::PathBuf;

/// Our folder below what `variable` names, else root's, or a user's in their home.
pub(crate) fn of_user(of_root: &str, variable: &str, below_home: &str) -> Option<PathBuf> {
    // The XDG specification: a relative path is to be ignored.
    let absolute =
        |name: &str| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    match absolute(variable) {
        Some(base) => Some(base.join("layerutils")),
        None if is_root() => Some(of_root.into()),
        None => {
            let home = absolute("HOME").or_else(home_of_record)?;
            Some(home.join(below_home).join("layerutils"))
        }
    }
}

/// The home of whoever runs this, for an environment without HOME (cron, `env -i`).
fn home_of_record() -> Option<PathBuf> {
    let uid = nix::unistd::geteuid();
    // Root of a user namespace has the home of another user in the host's record.
    if uid.is_root() {
        return None;
    }
    let user = nix::unistd::User::from_uid(uid).ok()??;
    Some(user.dir).filter(|dir| dir.is_absolute())
}

/// The real root, not a user who is root of a user namespace of their own.
fn is_root() -> bool {
    if !nix::unistd::geteuid().is_root() {
        return false;
    }
    match fs::read_to_string("/proc/self/uid_map") {
        Ok(map) => map.split_whitespace().take(2).eq(["0", "0"]),
        Err(_) => true,
    }
}
