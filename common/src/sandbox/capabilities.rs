//! Which capabilities the command may have, by the names that docker takes.

use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use super::Error;
use super::error::Trying as _;
use super::surroundings::Network;

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

const ALL: u64 = (1 << NAMES.len()) - 1;

/// The version of a `security.capability` attribute of 32 capabilities.
const VERSION_1: u64 = 1;

/// The bit of a `security.capability` attribute that makes its capabilities effective.
const EFFECTIVE: u64 = 1;

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(u64);

/// A name that no capability has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such capability: '{}'", crate::name::show(.0))]
pub struct UnknownCapability(pub String);

impl Capabilities {
    /// The capability that a name stands for, or all.
    ///
    /// # Errors
    /// A name that no capability has.
    pub fn named(name: &str) -> Result<Self, UnknownCapability> {
        named(name).map(Self)
    }

    /// The set with others added and taken away. As in docker, a capability that is added
    /// by name wins over one that is dropped.
    #[must_use]
    pub fn changed(self, added: &[Self], dropped: &[Self]) -> Self {
        let union = |sets: &[Self], all: bool| {
            let sets = sets.iter().filter(|set| (set.0 == ALL) == all);
            sets.fold(0, |union, set| union | set.0)
        };
        let first = (self.0 | union(added, true)) & !union(dropped, true);
        Self(first & !union(dropped, false) | union(added, false))
    }

    /// Docker's default set. On the host's network it is without `NET_RAW`, with which
    /// the command could read and forge whatever other processes send there.
    #[must_use]
    pub fn on(network: Network) -> Self {
        let all = DEFAULT.into_iter().filter_map(bit).fold(0, |all, one| all | one);
        match network {
            Network::Host => Self(all & !bit("NET_RAW").unwrap_or_default()),
            Network::None => Self(all),
        }
    }

    /// The capabilities that a program's `security.capability` attribute makes effective
    /// (`struct vfs_cap_data`). The kernel executes the program only if it can have all
    /// of them. None if the attribute is for another user namespace than this one.
    pub(super) fn of_program(attribute: &[u8]) -> Self {
        let word = |at: usize| {
            let bytes = attribute.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            u64::from(bytes.map_or(0, u32::from_le_bytes))
        };
        let (magic, low) = (word(0), word(4));
        let high = if magic >> 24 == VERSION_1 { 0 } else { word(12) };
        // Programs without the bit take what they can get. The last word is the user that
        // is root in the attribute's namespace.
        let insists = magic & EFFECTIVE != 0 && word(20) == 0;
        Self(if insists { high << 32 | low } else { 0 })
    }

    /// Those of `self` that `other` has not.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

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

    /// Those that this process has itself.
    pub(super) fn held(self) -> Result<Self, Error> {
        let held = rustix::thread::capabilities(None);
        let held = held.trying(|| "cannot read the capabilities".into())?;
        Ok(Self(self.0 & held.permitted.bits()))
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
        return Ok(ALL);
    }
    bit(upper.strip_prefix("CAP_").unwrap_or(&upper)).ok_or_else(|| UnknownCapability(name.into()))
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Network, UnknownCapability};

    #[test]
    fn the_default_set_is_dockers_but_for_the_hosts_network() {
        assert_eq!(Capabilities::on(Network::None).0, 0xa804_25fb);
        assert_eq!(Capabilities::on(Network::Host).0, 0xa804_05fb);
    }

    #[test]
    fn a_programs_capabilities_are_those_that_it_insists_on() {
        let attribute = |words: [u32; 5]| words.map(u32::to_le_bytes).concat();
        let of = |bytes: &[u8]| Capabilities::of_program(bytes).names();
        let names = ["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF"];
        let version_2 = attribute([0x0200_0001, 1 << 13 | 1 << 12, 0, 1 << 7, 0]);
        assert_eq!(of(&version_2), names);
        assert_eq!(
            of(&[&attribute([0x0300_0001, 1 << 13, 0, 0, 0])[..], &[0; 4]].concat()),
            ["CAP_NET_RAW"]
        );
        let foreign = [&attribute([0x0300_0001, 1 << 13, 0, 0, 0])[..], &[1, 0, 0, 0]].concat();
        assert_eq!(of(&foreign), [""; 0]);
        assert_eq!(of(&attribute([0x0100_0001, 1 << 13, 0, 1 << 7, 0])[..12]), ["CAP_NET_RAW"]);
        assert_eq!(of(&attribute([0x0200_0000, 1 << 13, 0, 0, 0])), [""; 0]);
        assert_eq!(of(b"\x01"), [""; 0]);
    }

    #[test]
    fn capabilities_are_added_and_taken_away_by_name() {
        let mut set = Capabilities::on(Network::None);
        set.remove("all").unwrap();
        set.add("CAP_SYS_ADMIN").unwrap();
        set.add("net_raw").unwrap();
        assert_eq!(set.0, 1 << 21 | 1 << 13);
        assert_eq!(set.names(), ["CAP_NET_RAW", "CAP_SYS_ADMIN"]);
        assert_eq!(set.add("CAP_FLY"), Err(UnknownCapability("CAP_FLY".into())));
    }
}
