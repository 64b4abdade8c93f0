//! Which system calls are refused: docker's default profile (github.com/moby/profiles, June
//! 2026) turned inside out, as names and as each machine's numbers.
//!
//! Docker lists what is allowed; here stands what it does not list of all calls up to Linux
//! 6.17, with the capabilities of which any lets the call through.

use super::capabilities::Capabilities;

/// Flags of clone(2) that make namespaces.
pub(super) const NAMESPACES: u32 = 0x7e02_0000;

/// What personality(2) may be asked for: Linux, 32 bits, either with addresses in
/// the old order, and what it is now.
pub(super) const PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// Sockets that are refused: to the kernel's cryptography and to the hypervisor.
pub(super) const FAMILIES: [u32; 2] = [libc::AF_ALG as u32, libc::AF_VSOCK as u32];

/// The last call of the numbering that all machines share (Linux 6.17).
pub(super) const LATEST: u32 = 469;

/// One machine's system calls.
#[derive(Debug)]
pub(super) struct Table {
    /// `AUDIT_ARCH_*`.
    pub(super) arch: u32,
    /// Numbers from here on belong to yet another machine.
    pub(super) foreign: Option<u32>,
    /// Calls outside of the common numbering, allowed.
    pub(super) private: &'static [u32],
    /// This machine's place in [`Call::numbers`].
    column: usize,
    pub(super) clone: u32,
    pub(super) clone3: u32,
    pub(super) personality: u32,
    pub(super) socket: u32,
}

/// Machines whose programs run on this one: its own, and the one that was before it.
#[cfg(target_arch = "x86_64")]
pub(super) const TABLES: &[Table] = &[X86_64, I386];
/// Machines whose programs run on this one: its own, and the one that was before it.
#[cfg(target_arch = "aarch64")]
pub(super) const TABLES: &[Table] = &[AARCH64, ARM];
/// There is no list for this machine.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const TABLES: &[Table] = &[];

#[cfg(any(test, target_arch = "x86_64"))]
pub(super) const X86_64: Table = Table {
    arch: 0xc000_003e,
    // x32, which hardly a kernel has.
    foreign: Some(0x4000_0000),
    private: &[],
    column: 0,
    clone: 56,
    clone3: 435,
    personality: 135,
    socket: 41,
};

#[cfg(any(test, target_arch = "x86_64"))]
pub(super) const I386: Table = Table {
    arch: 0x4000_0003,
    foreign: None,
    private: &[],
    column: 1,
    clone: 120,
    clone3: 435,
    personality: 136,
    socket: 359,
};

#[cfg(any(test, target_arch = "aarch64"))]
pub(super) const AARCH64: Table = Table {
    arch: 0xc000_00b7,
    foreign: None,
    private: &[],
    column: 2,
    clone: 220,
    clone3: 435,
    personality: 92,
    socket: 198,
};

#[cfg(any(test, target_arch = "aarch64"))]
pub(super) const ARM: Table = Table {
    arch: 0x4000_0028,
    foreign: None,
    // breakpoint, cacheflush, set_tls: no program runs without the last.
    private: &[0xf_0001, 0xf_0002, 0xf_0005],
    column: 3,
    clone: 120,
    clone3: 435,
    personality: 136,
    socket: 281,
};

impl Table {
    /// Every number that is refused to these capabilities, whatever its arguments.
    pub(super) fn numbers(&self, capabilities: Capabilities) -> Vec<u32> {
        let numbers = refused(capabilities).map(|call| call.1.get(self.column).copied());
        numbers.flatten().filter(|number| *number != NONE).collect()
    }
}

/// The names of the calls that are refused to these capabilities, whatever their arguments.
pub(super) fn names(capabilities: Capabilities) -> impl Iterator<Item = &'static str> {
    refused(capabilities).map(|call| call.0)
}

fn refused(capabilities: Capabilities) -> impl Iterator<Item = &'static Call> {
    CALLS.iter().filter(move |call| !call.2.split(' ').any(|name| capabilities.contains(name)))
}

/// Whether namespaces may be made and entered.
pub(super) fn may_make_namespaces(capabilities: Capabilities) -> bool {
    capabilities.contains("SYS_ADMIN")
}

/// A call's name, its numbers (x86_64, i386, aarch64, arm), and the capabilities of which
/// any lets it through.
type Call = (&'static str, [u32; 4], &'static str);

/// The machine has no such call.
const NONE: u32 = u32::MAX;

const CALLS: [Call; 105] = [
    ("_sysctl", [156, 149, NONE, 149], ""),
    ("acct", [163, 51, 89, 51], "SYS_PACCT"),
    ("add_key", [248, 286, 217, 309], ""),
    ("afs_syscall", [183, 137, NONE, NONE], ""),
    ("bdflush", [NONE, 134, NONE, 134], ""),
    ("bpf", [321, 357, 280, 386], "BPF SYS_ADMIN"),
    ("break", [NONE, 17, NONE, NONE], ""),
    ("chroot", [161, 61, 51, 61], "SYS_CHROOT"),
    ("clock_settime", [227, 264, 112, 262], "SYS_TIME"),
    ("clock_settime64", [NONE, 404, NONE, 404], "SYS_TIME"),
    ("create_module", [174, 127, NONE, NONE], ""),
    ("delete_module", [176, 129, 106, 129], "SYS_MODULE"),
    ("fanotify_init", [300, 338, 262, 367], "SYS_ADMIN"),
    ("file_getattr", [468, 468, 468, 468], ""),
    ("file_setattr", [469, 469, 469, 469], ""),
    ("finit_module", [313, 350, 273, 379], "SYS_MODULE"),
    ("fsconfig", [431, 431, 431, 431], "SYS_ADMIN"),
    ("fsmount", [432, 432, 432, 432], "SYS_ADMIN"),
    ("fsopen", [430, 430, 430, 430], "SYS_ADMIN"),
    ("fspick", [433, 433, 433, 433], "SYS_ADMIN"),
    ("ftime", [NONE, 35, NONE, NONE], ""),
    ("get_kernel_syms", [177, 130, NONE, NONE], ""),
    ("get_mempolicy", [239, 275, 236, 320], "SYS_NICE"),
    ("getpmsg", [181, 188, NONE, NONE], ""),
    ("gtty", [NONE, 32, NONE, NONE], ""),
    ("idle", [NONE, 112, NONE, NONE], ""),
    ("init_module", [175, 128, 105, 128], "SYS_MODULE"),
    ("io_uring_enter", [426, 426, 426, 426], ""),
    ("io_uring_register", [427, 427, 427, 427], ""),
    ("io_uring_setup", [425, 425, 425, 425], ""),
    ("ioperm", [173, 101, NONE, NONE], "SYS_RAWIO"),
    ("iopl", [172, 110, NONE, NONE], "SYS_RAWIO"),
    ("kcmp", [312, 349, 272, 378], "SYS_PTRACE"),
    ("kexec_file_load", [320, NONE, 294, 401], ""),
    ("kexec_load", [246, 283, 104, 347], ""),
    ("keyctl", [250, 288, 219, 311], ""),
    ("lock", [NONE, 53, NONE, NONE], ""),
    ("lookup_dcookie", [212, 253, 18, 249], "SYS_ADMIN"),
    ("lsm_get_self_attr", [459, 459, 459, 459], "SYS_ADMIN"),
    ("lsm_list_modules", [461, 461, 461, 461], "SYS_ADMIN"),
    ("lsm_set_self_attr", [460, 460, 460, 460], "SYS_ADMIN"),
    ("mbind", [237, 274, 235, 319], "SYS_NICE"),
    ("migrate_pages", [256, 294, 238, 400], ""),
    ("mount", [165, 21, 40, 21], "SYS_ADMIN"),
    ("mount_setattr", [442, 442, 442, 442], "SYS_ADMIN"),
    ("move_mount", [429, 429, 429, 429], "SYS_ADMIN"),
    ("move_pages", [279, 317, 239, 344], ""),
    ("mpx", [NONE, 56, NONE, NONE], ""),
    ("nfsservctl", [180, 169, 42, 169], ""),
    ("nice", [NONE, 34, NONE, 34], ""),
    ("oldfstat", [NONE, 28, NONE, NONE], ""),
    ("oldlstat", [NONE, 84, NONE, NONE], ""),
    ("oldolduname", [NONE, 59, NONE, NONE], ""),
    ("oldstat", [NONE, 18, NONE, NONE], ""),
    ("olduname", [NONE, 109, NONE, NONE], ""),
    ("open_by_handle_at", [304, 342, 265, 371], "DAC_READ_SEARCH"),
    ("open_tree", [428, 428, 428, 428], "SYS_ADMIN"),
    ("open_tree_attr", [467, 467, 467, 467], ""),
    ("pciconfig_iobase", [NONE, NONE, NONE, 271], ""),
    ("pciconfig_read", [NONE, NONE, NONE, 272], ""),
    ("pciconfig_write", [NONE, NONE, NONE, 273], ""),
    ("perf_event_open", [298, 336, 241, 364], "PERFMON SYS_ADMIN"),
    ("pidfd_getfd", [438, 438, 438, 438], "SYS_PTRACE"),
    ("pivot_root", [155, 217, 41, 218], ""),
    ("process_madvise", [440, 440, 440, 440], "SYS_PTRACE"),
    ("prof", [NONE, 44, NONE, NONE], ""),
    ("profil", [NONE, 98, NONE, NONE], ""),
    ("putpmsg", [182, 189, NONE, NONE], ""),
    ("query_module", [178, 167, NONE, NONE], ""),
    ("quotactl", [179, 131, 60, 131], "SYS_ADMIN"),
    ("quotactl_fd", [443, 443, 443, 443], "SYS_ADMIN"),
    ("readdir", [NONE, 89, NONE, NONE], ""),
    ("reboot", [169, 88, 142, 88], "SYS_BOOT"),
    ("request_key", [249, 287, 218, 310], ""),
    ("security", [185, NONE, NONE, NONE], ""),
    ("set_mempolicy", [238, 276, 237, 321], "SYS_NICE"),
    ("set_mempolicy_home_node", [450, 450, 450, 450], "SYS_NICE"),
    ("setdomainname", [171, 121, 162, 121], "SYS_ADMIN"),
    ("sethostname", [170, 74, 161, 74], "SYS_ADMIN"),
    ("setns", [308, 346, 268, 375], "SYS_ADMIN"),
    ("settimeofday", [164, 79, 170, 79], "SYS_TIME"),
    ("sgetmask", [NONE, 68, NONE, NONE], ""),
    ("sigaction", [NONE, 67, NONE, 67], ""),
    ("signal", [NONE, 48, NONE, NONE], ""),
    ("sigpending", [NONE, 73, NONE, 73], ""),
    ("sigsuspend", [NONE, 72, NONE, 72], ""),
    ("ssetmask", [NONE, 69, NONE, NONE], ""),
    ("stime", [NONE, 25, NONE, NONE], "SYS_TIME"),
    ("stty", [NONE, 31, NONE, NONE], ""),
    ("swapoff", [168, 115, 225, 115], ""),
    ("swapon", [167, 87, 224, 87], ""),
    ("sysfs", [139, 135, NONE, 135], ""),
    ("syslog", [103, 103, 116, 103], "SYSLOG SYS_ADMIN"),
    ("tuxcall", [184, NONE, NONE, NONE], ""),
    ("ulimit", [NONE, 58, NONE, NONE], ""),
    ("umount", [NONE, 22, NONE, NONE], "SYS_ADMIN"),
    ("umount2", [166, 52, 39, 52], "SYS_ADMIN"),
    ("unshare", [272, 310, 97, 337], "SYS_ADMIN"),
    ("uselib", [134, 86, NONE, 86], ""),
    ("userfaultfd", [323, 374, 282, 388], ""),
    ("ustat", [136, 62, NONE, 62], ""),
    ("vhangup", [153, 111, 58, 111], "SYS_TTY_CONFIG"),
    ("vm86", [NONE, 166, NONE, NONE], ""),
    ("vm86old", [NONE, 113, NONE, NONE], ""),
    ("vserver", [236, 273, NONE, 313], ""),
];

#[cfg(test)]
mod tests {
    use super::super::surroundings::Network;
    use super::{CALLS, Capabilities, NONE, Table, names};

    #[test]
    fn numbers_are_this_machines() {
        let own: &[(&str, libc::c_long)] = &[
            ("acct", libc::SYS_acct),
            ("bpf", libc::SYS_bpf),
            ("chroot", libc::SYS_chroot),
            ("keyctl", libc::SYS_keyctl),
            ("mount", libc::SYS_mount),
            ("open_by_handle_at", libc::SYS_open_by_handle_at),
            ("setns", libc::SYS_setns),
            ("unshare", libc::SYS_unshare),
            ("userfaultfd", libc::SYS_userfaultfd),
            ("fsopen", libc::SYS_fsopen),
            ("pidfd_getfd", libc::SYS_pidfd_getfd),
        ];
        let Some(table) = super::TABLES.first() else { return };
        for (name, number) in own {
            let call = CALLS.iter().find(|call| call.0 == *name).unwrap();
            assert_eq!(libc::c_long::from(call.1[table.column]), *number, "{name}");
        }
        let Table { clone, clone3, personality, socket, .. } = table;
        let expected = [libc::SYS_clone, libc::SYS_clone3, libc::SYS_personality, libc::SYS_socket];
        let own = [clone, clone3, personality, socket];
        assert_eq!(own.map(|number| libc::c_long::from(*number)), expected);
    }

    #[test]
    fn every_call_is_listed_once_and_opened_by_real_capabilities() {
        for (place, (name, numbers, capabilities)) in CALLS.iter().enumerate() {
            assert!(numbers.iter().any(|number| *number != NONE), "{name}");
            assert!(CALLS[place + 1..].iter().all(|other| other.0 > *name), "{name}");
            for capability in capabilities.split(' ').filter(|name| !name.is_empty()) {
                Capabilities::on(Network::Host).add(capability).unwrap();
            }
        }
    }

    #[test]
    fn a_capability_opens_the_calls_that_take_it() {
        let mut capabilities = Capabilities::on(Network::Host);
        let default: Vec<_> = names(capabilities).collect();
        assert!(default.contains(&"syslog") && !default.contains(&"chroot"));
        capabilities.add("SYSLOG").unwrap();
        capabilities.remove("SYS_CHROOT").unwrap();
        let other: Vec<_> = names(capabilities).collect();
        assert!(!other.contains(&"syslog") && other.contains(&"chroot"));
        assert_eq!(default.len(), other.len());
    }
}
