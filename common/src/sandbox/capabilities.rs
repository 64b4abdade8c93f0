//! Which capabilities the command may have, by the names that docker takes.

use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

/// Every capability, in the order of its number (capability.h).
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Docker's default set.
const DEFAULT: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(u64);

/// A name that no capability has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such capability: '{}'", crate::name::show(.0))]
pub struct UnknownCapability(pub String);

impl Default for Capabilities {
    fn default() -> Self {
        Self(DEFAULT.into_iter().filter_map(bit).fold(0, |all, one| all | one))
    }
}

impl Capabilities {
    /// Adds one by its name, with or without `CAP_`, in any case; `ALL` are all.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn add(&mut self, name: &str) -> Result<(), UnknownCapability> {
        self.0 |= named(name)?;
        Ok(())
    }

    /// Takes one away by its name, as [`Capabilities::add`] takes it.
    ///
    /// # Errors
    /// The name is unknown.
    pub fn remove(&mut self, name: &str) -> Result<(), UnknownCapability> {
        self.0 &= !named(name)?;
        Ok(())
    }

    /// Whether one is in the set, by its name without `CAP_`.
    pub(super) fn contains(self, name: &str) -> bool {
        bit(name).is_some_and(|bit| self.0 & bit != 0)
    }

    /// The names, as an OCI runtime takes them.
    pub(super) fn names(self) -> Vec<String> {
        let names = NAMES.into_iter().filter(|name| self.contains(name));
        names.map(|name| format!("CAP_{name}")).collect()
    }

    pub(super) fn set(self) -> CapabilitySet {
        CapabilitySet::from_bits_retain(self.0)
    }
}

fn bit(name: &str) -> Option<u64> {
    NAMES.iter().position(|known| *known == name).map(|number| 1 << number)
}

fn named(name: &str) -> Result<u64, UnknownCapability> {
    let upper = name.to_ascii_uppercase();
    if upper == "ALL" {
        return Ok((1 << NAMES.len()) - 1);
    }
    bit(upper.strip_prefix("CAP_").unwrap_or(&upper)).ok_or_else(|| UnknownCapability(name.into()))
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, UnknownCapability};

    #[test]
    fn the_default_set_is_dockers() {
        assert_eq!(Capabilities::default().0, 0xa804_25fb);
    }

    #[test]
    fn capabilities_are_added_and_taken_away_by_name() {
        let mut set = Capabilities::default();
        set.remove("all").unwrap();
        set.add("CAP_SYS_ADMIN").unwrap();
        set.add("net_raw").unwrap();
        assert_eq!(set.0, 1 << 21 | 1 << 13);
        assert_eq!(set.names(), ["CAP_NET_RAW", "CAP_SYS_ADMIN"]);
        assert_eq!(set.add("CAP_FLY"), Err(UnknownCapability("CAP_FLY".into())));
    }
}
