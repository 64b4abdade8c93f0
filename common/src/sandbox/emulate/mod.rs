//! A single id that behaves like root: system calls that need other ids are answered by a
//! process of ours, which records with each file whom it belongs to.
//!
//! The command's process installs a filter whose listener it hands to the emulator, a
//! process that the supervisor forks in the same user namespace, outside of the
//! command's mount and process namespaces (seccomp_unotify(2)). A call is answered in one
//! of three ways: the kernel carries it out, which is also the answer to every failure;
//! the emulator carries it out by descriptor; or the answer is a value.
//!
//! | file | owns |
//! |---|---|
//! | `filter` | which calls are trapped |
//! | `serve` | the emulator's life, and who answers which call |
//! | `identity` | who a process is, and the rules by which it becomes another |
//! | `powers` | its capabilities |
//! | `caller`, `own_link` | the memory, the descriptors and the paths of whoever calls |
//! | `files` | records: read, written, kept |
//! | `owner`, `create`, `look`, `change`, `execute` | the answers |
//!
//! # Trust
//!
//! The command is hostile. Its paths are resolved under its own root, which the emulator
//! makes its own, and never through a magic link; its memory, root, directory and
//! descriptors are reached through a descriptor of its directory in /proc, which is
//! opened before the call is seen to be waiting still, so that a reused process id
//! names nobody else. Of capabilities the emulator keeps those with which it reaches the
//! command, and those on files that the command's root has, too: whatever the command
//! gains it could do without the emulator, as all of its users are one user to the kernel.
//! Identities are counted, and everything else is forgotten after each call. The emulator
//! is in the command's control group.

mod caller;
mod change;
mod create;
mod execute;
mod files;
mod filter;
mod identity;
mod look;
mod own_link;
mod owner;
mod powers;
mod serve;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use super::capabilities::Capabilities;
use super::channel::Channel;
use super::plan::{Ids, Plan};
use super::surroundings::{Isolation, Measure, Privileges};
use super::user::User;
use crate::sys::foreign::{Limit, locks_limit, set_locks_limit};
use crate::sys::notify;

pub(super) use serve::main;

/// The settings that the emulator gets with the listener.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    /// The capabilities of the command's root.
    capabilities: Capabilities,
    /// Whether set-id programs work.
    may_gain: bool,
}

impl Start {
    /// The capabilities that the emulator needs for this command.
    fn needed(&self) -> CapabilitySet {
        let on_files = CapabilitySet::DAC_OVERRIDE
            | CapabilitySet::DAC_READ_SEARCH
            | CapabilitySet::FOWNER
            | CapabilitySet::FSETID;
        let reaching = CapabilitySet::SYS_CHROOT | CapabilitySet::SYS_PTRACE;
        self.capabilities.set().intersection(on_files) | reaching
    }

    /// The capabilities as the kernel's bits.
    fn bound(&self) -> u64 {
        self.capabilities.set().bits()
    }
}

/// Whether a command is to be emulated more ids than it has.
pub(super) fn is_wanted(plan: &Plan) -> bool {
    // An OCI runtime installs filters of its own. Whoever wants no filter wants none of
    // ours, and can have a sandbox within this one: there can be one listener.
    let settings = &plan.settings;
    let may_filter = settings.isolation != Isolation::Oci && settings.takes(Measure::SystemCalls);
    plan.ids == Ids::Single && may_filter && is_possible()
}

/// Set once the system has refused a listener.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Returns true if a command with one id can be emulated more of them here, as far as is
/// known before the first such command starts.
#[must_use]
pub fn is_possible() -> bool {
    !REFUSED.load(Ordering::Relaxed) && filter::is_known() && notify::is_supported()
}

/// Notes that it is not possible. Returns true for the first call.
pub(super) fn give_up() -> bool {
    !REFUSED.swap(true, Ordering::Relaxed)
}

/// Hands this process's calls, and those of all that it starts, to the emulator at the
/// other end of `socket`. From here on it is `user` to itself.
///
/// # Errors
/// The system refuses the filter: there is a listener already.
pub(super) fn attach(socket: OwnedFd, user: &User, plan: &Plan) -> io::Result<()> {
    let Limit { hard, .. } = locks_limit(0)?;
    set_locks_limit(0, Limit { soft: identity::FIRST, hard })?;
    let listener = notify::install(&filter::program())?;
    let start = Start {
        uid: user.uid,
        gid: user.gid,
        groups: user.groups.clone(),
        capabilities: plan.settings.capabilities(),
        may_gain: plan.settings.privileges == Privileges::MayGain,
    };
    Channel::new(socket).send_with(&start, listener)
}
