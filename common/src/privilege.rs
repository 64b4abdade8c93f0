//! What this process may do.

use rustix::thread::CapabilitySet;

/// Whether this process may mount where it is, without a user namespace of its own.
#[must_use]
pub fn can_mount() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN))
}

/// Whether this is the machine's own user namespace, whose root alone can write
/// `trusted.*` attributes.
#[must_use]
pub fn in_initial_user_namespace() -> bool {
    std::fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.split_whitespace().eq(["0", "0", "4294967295"]))
}

/// Whether files can be given to others: this is root, of more ids than its own.
#[must_use]
pub fn has_many_ids() -> bool {
    const MANY: u64 = 65_536;
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let counts = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    let total: u64 = counts.sum();
    rustix::process::geteuid().is_root() && total >= MANY
}
