//! What the command may do: docker's default capabilities, and no more.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::Error;
use super::error::Trying as _;
use super::plan::Ids;
use super::user::User;

/// Docker's default set.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// Becomes `user` with no more than docker's capabilities, for good.
pub(super) fn become_user(user: &User, ids: Ids) -> Result<(), Error> {
    bound(KEPT)?;
    let raw = |id: u32| rustix::fs::Gid::from_raw(id);
    let groups: Vec<_> = user.groups.iter().map(|gid| raw(*gid)).collect();
    match (set_thread_groups(&groups), ids) {
        // Where groups may not be set they are the caller's: see `ids`.
        (Ok(()), _) | (Err(_), Ids::Single) => {}
        (Err(errno), Ids::Host) => return Err(Error::system("cannot set the groups", errno)),
    }
    let gid = raw(user.gid);
    set_thread_res_gid(gid, gid, gid).map_err(|errno| explain("group", user.gid, errno, ids))?;
    let uid = rustix::fs::Uid::from_raw(user.uid);
    set_thread_res_uid(uid, uid, uid).map_err(|errno| explain("user", user.uid, errno, ids))?;
    // As root they are still ours to drop; another user has lost them already.
    let held = capabilities(None).trying(|| "cannot read the capabilities".into())?;
    hold(held.permitted.intersection(KEPT))
}

/// Keeps what init needs once all is mounted: to pass signals on to other users.
pub(super) fn reduce_to_kill() -> Result<(), Error> {
    bound(CapabilitySet::KILL)?;
    hold(CapabilitySet::KILL)
}

fn hold(set: CapabilitySet) -> Result<(), Error> {
    let sets =
        CapabilitySets { effective: set, permitted: set, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).trying(|| "cannot drop capabilities".into())
}

/// Takes all but `kept` from what any program started later can gain.
fn bound(kept: CapabilitySet) -> Result<(), Error> {
    for number in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if kept.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // Numbers that this kernel does not have.
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => return Err(Error::system("cannot drop capabilities", errno)),
        }
    }
    Ok(())
}

fn explain(kind: &str, id: u32, errno: rustix::io::Errno, ids: Ids) -> Error {
    let error = Error::system(format!("cannot become {kind} {id}"), errno);
    if ids == Ids::Single && errno == rustix::io::Errno::INVAL {
        return error.with_hint(
            "an ordinary user has one id in the sandbox, root's: run the command as root \
             inside, or run this tool as root",
        );
    }
    error
}
