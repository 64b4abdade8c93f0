//! User namespaces, and how ids inside become ids outside.

use nix::sched::{CloneFlags, unshare};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::Error;
use super::channel::{Channel, Report};
use super::error::Trying as _;
use super::plan::{Ids, Plan};
use super::subordinate;
use super::surroundings::Isolation;
use super::surroundings::Writable;
use super::user::User;
use crate::privilege;

/// Returns the hint for an ordinary user who needs more than one id.
pub(super) fn advice() -> String {
    format!(
        "have subordinate ids, which root grants ({}), or run the command as root inside",
        subordinate::grant()
    )
}

/// How this process can have root inside.
pub(super) fn choose(isolation: Isolation) -> Ids {
    let enough = match isolation {
        Isolation::Full | Isolation::Oci => privilege::can_mount(),
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
    write("uid_map", &format!("0 {uid} 1")).map_err(|error| match uid.is_root() {
        // Linux 5.12.
        true => error.with_hint("to map root's own id takes the capability CAP_SETFCAP"),
        false => error,
    })
}

/// Where root is the only id inside, gives it the name that the command's user has: a
/// namespace within the first one, with one id again.
///
/// What belongs to root in the image belongs to that user, then. There is no other
/// id in either case, and most images that name a user need no more.
///
/// # Errors
/// What the command writes is kept: it would be taken for root's later, and a layer
/// made of it would lie.
pub(super) fn rename(user: &User, plan: &Plan, channel: &Channel) -> Result<(), Error> {
    if plan.ids == Ids::Host || (user.uid == 0 && user.gid == 0) {
        return Ok(());
    }
    if plan.settings.writable == Writable::AsMounted {
        let what = format!(
            "cannot become user {}:{}: there is one id, and what it writes would be kept as root's",
            user.uid, user.gid
        );
        return Err(Error::new(what).with_hint(advice()));
    }
    if user.has_other_groups() {
        let text = "with one id the user is in no supplementary groups";
        channel.report(&Report::Warning(text.into()));
    }
    unshare(CloneFlags::CLONE_NEWUSER).map_err(explain)?;
    // A hidden process does not own its files in /proc. Nobody but init is inside yet
    // who could look.
    let dumpable =
        |behavior| set_dumpable_behavior(behavior).trying(|| "cannot map the user's id".into());
    dumpable(DumpableBehavior::Dumpable)?;
    write("gid_map", &format!("{} 0 1", user.gid))?;
    write("uid_map", &format!("{} 0 1", user.uid))?;
    dumpable(DumpableBehavior::NotDumpable)
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
