//! User namespaces, and how ids inside become ids outside.

use nix::sched::{CloneFlags, unshare};

use super::Error;
use super::command::Isolation;
use super::error::Trying as _;
use super::plan::Ids;
use crate::mount;

/// How this process can have root inside.
pub(super) fn choose(isolation: Isolation) -> Ids {
    let enough = match isolation {
        Isolation::Full => mount::can_mount(),
        // chroot(2) is all that root needs there.
        Isolation::Chroot => nix::unistd::geteuid().is_root(),
    };
    if enough { Ids::Host } else { Ids::Single }
}

/// Enters a user namespace, if there is to be one, and becomes root in it.
pub(super) fn enter(ids: Ids) -> Result<(), Error> {
    if ids == Ids::Host {
        return Ok(());
    }
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(explain)?;
    // A group that no longer grants what it may have denied: without this no
    // ordinary user may map groups (user_namespaces(7)).
    write("setgroups", "deny")?;
    write("gid_map", &format!("0 {gid} 1"))?;
    write("uid_map", &format!("0 {uid} 1"))
}

fn write(file: &str, text: &str) -> Result<(), Error> {
    std::fs::write(format!("/proc/self/{file}"), text)
        .trying(|| format!("cannot write /proc/self/{file}"))
}

pub(super) fn explain(errno: nix::Error) -> Error {
    let hint = match errno {
        nix::Error::EPERM => {
            "user namespaces are refused: by a container's seccomp filter, by \
             kernel.unprivileged_userns_clone=0, by \
             kernel.apparmor_restrict_unprivileged_userns=1, or in a chroot; \
             allow them, or run as root"
        }
        nix::Error::ENOSPC => "user.max_user_namespaces is 0 or reached: raise it, or run as root",
        nix::Error::EINVAL | nix::Error::ENOSYS => "the kernel has no user namespaces: run as root",
        _ => "",
    };
    let error = Error::system("cannot make a user namespace", errno);
    if hint.is_empty() { error } else { error.with_hint(hint) }
}
