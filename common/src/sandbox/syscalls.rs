//! Which system calls are refused: docker's default profile for its default
//! capabilities, as names and as each machine's numbers.

/// Flags of clone(2) and unshare(2) that make namespaces.
pub(super) const NAMESPACES: u32 = 0x7e02_0000;

/// What personality(2) may be asked for: Linux, 32 bits, either with addresses in
/// the old order, and what it is now.
pub(super) const PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// Sockets to the hypervisor.
pub(super) const AF_VSOCK: u32 = 40;

/// The last call of the numbering that all machines share (Linux 6.17).
pub(super) const LATEST: u32 = 469;

/// Calls with the same number everywhere, refused.
pub(super) const SHARED: [(&str, u32); 15] = [
    ("io_uring_setup", 425),
    ("io_uring_enter", 426),
    ("io_uring_register", 427),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("fsconfig", 431),
    ("fsmount", 432),
    ("fspick", 433),
    ("pidfd_getfd", 438),
    ("process_madvise", 440),
    ("mount_setattr", 442),
    ("quotactl_fd", 443),
    ("set_mempolicy_home_node", 450),
    ("open_tree_attr", 467),
];

/// One machine's system calls.
pub(super) struct Table {
    /// `AUDIT_ARCH_*`.
    pub(super) arch: u32,
    /// Numbers from here on belong to yet another machine.
    pub(super) foreign: Option<u32>,
    pub(super) refused: Refused,
    pub(super) clone: u32,
    pub(super) clone3: u32,
    pub(super) personality: u32,
    pub(super) socket: u32,
}

#[cfg(target_arch = "x86_64")]
pub(super) const TABLES: &[Table] = &[
    Table {
        arch: 0xc000_003e,
        // x32, which hardly a kernel has.
        foreign: Some(0x4000_0000),
        refused: Refused::Native,
        clone: libc::SYS_clone as u32,
        clone3: libc::SYS_clone3 as u32,
        personality: libc::SYS_personality as u32,
        socket: libc::SYS_socket as u32,
    },
    // i386, the numbers of asm/unistd_32.h in the order of the native ones.
    Table {
        arch: 0x4000_0003,
        foreign: None,
        refused: Refused::Other(&[
            51, 286, 357, 343, 405, 264, 404, 129, 338, 350, 275, 128, 349, 283, 288, 253, 274, 21,
            317, 169, 342, 336, 217, 131, 88, 287, 276, 121, 74, 346, 79, 25, 115, 87, 103, 22, 52,
            310, 374, 111, 127, 130, 167, 101, 110, 149, 135, 86, 62, 113, 166,
        ]),
        clone: 120,
        clone3: 435,
        personality: 136,
        socket: 359,
    },
];

#[cfg(target_arch = "aarch64")]
pub(super) const TABLES: &[Table] = &[Table {
    arch: 0xc000_00b7,
    foreign: None,
    refused: Refused::Native,
    clone: libc::SYS_clone as u32,
    clone3: libc::SYS_clone3 as u32,
    personality: libc::SYS_personality as u32,
    socket: libc::SYS_socket as u32,
}];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const TABLES: &[Table] = &[];

/// The calls that one machine refuses.
#[derive(Debug)]
pub(super) enum Refused {
    /// Those of [`names`].
    Native,
    /// The numbers that they have on a machine whose programs run here, too.
    Other(&'static [u32]),
}

impl Table {
    /// Every number that is refused, whatever its arguments.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let own: Vec<u32> = match self.refused {
            Refused::Native => NAMED.iter().map(|(_, number)| *number).collect(),
            Refused::Other(numbers) => numbers.to_vec(),
        };
        own.into_iter().chain(SHARED.iter().map(|(_, number)| *number)).collect()
    }
}

/// The names of the calls that are refused, whatever their arguments.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().chain(&SHARED).map(|(name, _)| *name)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const NAMED: [(&str, u32); 0] = [];

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const NAMED: [(&str, u32); if cfg!(target_arch = "x86_64") { 45 } else { 38 }] = [
    ("acct", libc::SYS_acct as u32),
    ("add_key", libc::SYS_add_key as u32),
    ("bpf", libc::SYS_bpf as u32),
    ("clock_adjtime", libc::SYS_clock_adjtime as u32),
    ("clock_settime", libc::SYS_clock_settime as u32),
    ("delete_module", libc::SYS_delete_module as u32),
    ("fanotify_init", libc::SYS_fanotify_init as u32),
    ("finit_module", libc::SYS_finit_module as u32),
    ("get_mempolicy", libc::SYS_get_mempolicy as u32),
    ("init_module", libc::SYS_init_module as u32),
    ("kcmp", libc::SYS_kcmp as u32),
    ("kexec_file_load", libc::SYS_kexec_file_load as u32),
    ("kexec_load", libc::SYS_kexec_load as u32),
    ("keyctl", libc::SYS_keyctl as u32),
    ("lookup_dcookie", libc::SYS_lookup_dcookie as u32),
    ("mbind", libc::SYS_mbind as u32),
    ("mount", libc::SYS_mount as u32),
    ("move_pages", libc::SYS_move_pages as u32),
    ("nfsservctl", libc::SYS_nfsservctl as u32),
    ("open_by_handle_at", libc::SYS_open_by_handle_at as u32),
    ("perf_event_open", libc::SYS_perf_event_open as u32),
    ("pivot_root", libc::SYS_pivot_root as u32),
    ("quotactl", libc::SYS_quotactl as u32),
    ("reboot", libc::SYS_reboot as u32),
    ("request_key", libc::SYS_request_key as u32),
    ("set_mempolicy", libc::SYS_set_mempolicy as u32),
    ("setdomainname", libc::SYS_setdomainname as u32),
    ("sethostname", libc::SYS_sethostname as u32),
    ("setns", libc::SYS_setns as u32),
    ("settimeofday", libc::SYS_settimeofday as u32),
    ("swapoff", libc::SYS_swapoff as u32),
    ("swapon", libc::SYS_swapon as u32),
    ("syslog", libc::SYS_syslog as u32),
    ("umount2", libc::SYS_umount2 as u32),
    ("unshare", libc::SYS_unshare as u32),
    ("userfaultfd", libc::SYS_userfaultfd as u32),
    ("vhangup", libc::SYS_vhangup as u32),
    ("migrate_pages", libc::SYS_migrate_pages as u32),
    #[cfg(target_arch = "x86_64")]
    ("create_module", 174),
    #[cfg(target_arch = "x86_64")]
    ("get_kernel_syms", 177),
    #[cfg(target_arch = "x86_64")]
    ("query_module", 178),
    #[cfg(target_arch = "x86_64")]
    ("ioperm", libc::SYS_ioperm as u32),
    #[cfg(target_arch = "x86_64")]
    ("iopl", libc::SYS_iopl as u32),
    #[cfg(target_arch = "x86_64")]
    ("uselib", libc::SYS_uselib as u32),
    #[cfg(target_arch = "x86_64")]
    ("ustat", libc::SYS_ustat as u32),
];
