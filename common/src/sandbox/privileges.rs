//! From root inside to the command's user, with the capabilities it may have.

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set,
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::Error;
use super::capabilities::Capabilities;
use super::error::Trying as _;
use super::plan::Ids;
use super::user::User;

/// Becomes `user` with no more than these capabilities, for good.
pub(super) fn become_user(user: &User, ids: Ids, kept: Capabilities) -> Result<(), Error> {
    let kept = kept.set();
    bound(kept)?;
    let raw = |id: u32| rustix::fs::Gid::from_raw(id);
    let groups: Vec<_> = user.groups.iter().map(|gid| raw(*gid)).collect();
    match (set_thread_groups(&groups), ids) {
        // Where groups may not be set they are the caller's: see `ids`.
        (Ok(()), _) | (Err(_), Ids::Single) => {}
        // Root in a namespace of somebody else's making, which may not either.
        (Err(_), Ids::Host) if !user.has_other_groups() && are_fixed() => {}
        (Err(errno), Ids::Host) => {
            let error = Error::system("cannot set the groups", errno);
            return Err(error.with_hint("it takes the capability CAP_SETGID"));
        }
    }
    let gid = raw(user.gid);
    set_thread_res_gid(gid, gid, gid).trying(|| format!("cannot become group {}", user.gid))?;
    let uid = rustix::fs::Uid::from_raw(user.uid);
    set_thread_res_uid(uid, uid, uid).trying(|| format!("cannot become user {}", user.uid))?;
    // As root they are still ours to drop; another user has lost them already.
    let held = capabilities(None).trying(|| "cannot read the capabilities".into())?;
    hold(held.permitted.intersection(kept))
}

/// Stays who this process is, with no more than these capabilities, for good: who it is
/// to itself is emulated.
pub(super) fn keep(kept: CapabilitySet) -> Result<(), Error> {
    bound(kept)?;
    let held = capabilities(None).trying(|| "cannot read the capabilities".into())?;
    hold(held.permitted.intersection(kept))
}

/// Whether nobody in this user namespace may set groups (user_namespaces(7)): then the
/// capability for it is of no use.
fn are_fixed() -> bool {
    capabilities(None).is_ok_and(|held| held.effective.contains(CapabilitySet::SETGID))
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
