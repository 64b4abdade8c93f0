//! The system calls that docker's default profile refuses to its default
//! capabilities, refused here too: kernel surface that needs a privilege the
//! command does not have, or that has been a way out before.
//!
//! Docker lists what is allowed, which for one kernel is the complement of this;
//! calls that are newer than this list are answered as an old kernel would,
//! `ENOSYS`. Without a filter a user namespace, where everybody is privileged,
//! would open all of that again.

use libc::{ENOSYS, EPERM};

use super::Error;
use crate::sys::seccomp::{Instruction, install};

/// Flags of clone(2) and unshare(2) that make namespaces.
const NAMESPACES: u32 = 0x7e02_0000;

/// What personality(2) may be asked for: Linux, 32 bits, either with addresses in
/// the old order, and what it is now.
const PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// Sockets to the hypervisor.
const AF_VSOCK: u32 = 40;

/// The last call of the numbering that all machines share (Linux 6.17).
const LATEST: u32 = 469;

/// Calls with the same number everywhere, refused: io_uring, the mount API with
/// open_tree_attr,
/// pidfd_getfd, process_madvise, quotactl_fd, set_mempolicy_home_node.
const SHARED: [u32; 15] =
    [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442, 443, 450, 467];

/// One machine's system calls.
struct Table {
    /// `AUDIT_ARCH_*`.
    arch: u32,
    /// Numbers from here on belong to yet another machine.
    foreign: Option<u32>,
    refused: &'static [u32],
    clone: u32,
    clone3: u32,
    personality: u32,
    socket: u32,
}

#[cfg(target_arch = "x86_64")]
const TABLES: &[Table] = &[
    Table {
        arch: 0xc000_003e,
        // x32, which hardly a kernel has.
        foreign: Some(0x4000_0000),
        refused: &NATIVE,
        clone: libc::SYS_clone as u32,
        clone3: libc::SYS_clone3 as u32,
        personality: libc::SYS_personality as u32,
        socket: libc::SYS_socket as u32,
    },
    // i386, the numbers of asm/unistd_32.h in the order of the native ones.
    Table {
        arch: 0x4000_0003,
        foreign: None,
        refused: &[
            51, 286, 357, 343, 405, 264, 404, 129, 338, 350, 275, 128, 349, 283, 288, 253, 274, 21,
            317, 169, 342, 336, 217, 131, 88, 287, 276, 121, 74, 346, 79, 25, 115, 87, 103, 22, 52,
            310, 374, 111, 127, 130, 167, 101, 110, 149, 135, 86, 62, 113, 166,
        ],
        clone: 120,
        clone3: 435,
        personality: 136,
        socket: 359,
    },
];

#[cfg(target_arch = "aarch64")]
const TABLES: &[Table] = &[Table {
    arch: 0xc000_00b7,
    foreign: None,
    refused: &NATIVE,
    clone: libc::SYS_clone as u32,
    clone3: libc::SYS_clone3 as u32,
    personality: libc::SYS_personality as u32,
    socket: libc::SYS_socket as u32,
}];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const TABLES: &[Table] = &[];

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const NATIVE: [u32; if cfg!(target_arch = "x86_64") { 45 } else { 38 }] = [
    libc::SYS_acct as u32,
    libc::SYS_add_key as u32,
    libc::SYS_bpf as u32,
    libc::SYS_clock_adjtime as u32,
    libc::SYS_clock_settime as u32,
    libc::SYS_delete_module as u32,
    libc::SYS_fanotify_init as u32,
    libc::SYS_finit_module as u32,
    libc::SYS_get_mempolicy as u32,
    libc::SYS_init_module as u32,
    libc::SYS_kcmp as u32,
    libc::SYS_kexec_file_load as u32,
    libc::SYS_kexec_load as u32,
    libc::SYS_keyctl as u32,
    libc::SYS_lookup_dcookie as u32,
    libc::SYS_mbind as u32,
    libc::SYS_mount as u32,
    libc::SYS_move_pages as u32,
    libc::SYS_nfsservctl as u32,
    libc::SYS_open_by_handle_at as u32,
    libc::SYS_perf_event_open as u32,
    libc::SYS_pivot_root as u32,
    libc::SYS_quotactl as u32,
    libc::SYS_reboot as u32,
    libc::SYS_request_key as u32,
    libc::SYS_set_mempolicy as u32,
    libc::SYS_setdomainname as u32,
    libc::SYS_sethostname as u32,
    libc::SYS_setns as u32,
    libc::SYS_settimeofday as u32,
    libc::SYS_swapoff as u32,
    libc::SYS_swapon as u32,
    libc::SYS_syslog as u32,
    libc::SYS_umount2 as u32,
    libc::SYS_unshare as u32,
    libc::SYS_userfaultfd as u32,
    libc::SYS_vhangup as u32,
    libc::SYS_migrate_pages as u32,
    #[cfg(target_arch = "x86_64")]
    174, // create_module
    #[cfg(target_arch = "x86_64")]
    177, // get_kernel_syms
    #[cfg(target_arch = "x86_64")]
    178, // query_module
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_ioperm as u32),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_iopl as u32),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_uselib as u32),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_ustat as u32),
];

/// Filters this process and all that it executes.
///
/// # Errors
/// The kernel refuses; there is no list for this machine.
pub(super) fn confine() -> Result<(), Error> {
    if TABLES.is_empty() {
        return Err(Error::new("no system call filter for this machine"));
    }
    install(&program(TABLES)).map_err(|error| Error::system("no system call filter", error))
}

// Offsets into struct seccomp_data, little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const fn statement(code: u32, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf: 0, k }
}

const fn load(offset: u32) -> Instruction {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

const fn give(action: u32) -> Instruction {
    statement(libc::BPF_RET | libc::BPF_K, action)
}

const fn errno(number: i32) -> Instruction {
    give(libc::SECCOMP_RET_ERRNO | number as u32)
}

const ALLOW: Instruction = give(libc::SECCOMP_RET_ALLOW);

/// Skips `otherwise` instructions unless the comparison holds.
const fn only_if(comparison: u32, k: u32, otherwise: u8) -> Instruction {
    let code = libc::BPF_JMP | comparison | libc::BPF_K;
    Instruction { code: code as u16, jt: 0, jf: otherwise, k }
}

/// The whole filter: a section for each machine whose calls this kernel takes.
fn program(tables: &[Table]) -> Vec<Instruction> {
    let mut program = vec![load(ARCH)];
    for table in tables {
        let section = section(table);
        // A conditional jump reaches 255 instructions, an unconditional one any.
        program.push(only_if(libc::BPF_JEQ, table.arch, 1));
        program.push(statement(libc::BPF_JMP | libc::BPF_JA, 1));
        program.push(statement(libc::BPF_JMP | libc::BPF_JA, section.len() as u32));
        program.extend(section);
    }
    program.push(errno(EPERM));
    program
}

/// What is done with one machine's calls. Every path ends in a verdict.
fn section(table: &Table) -> Vec<Instruction> {
    let mut section = vec![load(NUMBER)];
    if let Some(foreign) = table.foreign {
        section.extend([only_if(libc::BPF_JGE, foreign, 1), errno(ENOSYS)]);
    }
    for number in table.refused.iter().chain(&SHARED) {
        section.extend([only_if(libc::BPF_JEQ, *number, 1), errno(EPERM)]);
    }
    // Its flags are behind a pointer; without it the C library uses clone.
    section.extend([only_if(libc::BPF_JEQ, table.clone3, 1), errno(ENOSYS)]);
    section.extend([only_if(libc::BPF_JGT, LATEST, 1), errno(ENOSYS)]);
    section.extend([
        only_if(libc::BPF_JEQ, table.clone, 4),
        load(FIRST_ARGUMENT),
        only_if(libc::BPF_JSET, NAMESPACES, 1),
        errno(EPERM),
        ALLOW,
        only_if(libc::BPF_JEQ, table.socket, 4),
        load(FIRST_ARGUMENT),
        only_if(libc::BPF_JEQ, AF_VSOCK, 1),
        errno(EPERM),
        ALLOW,
        only_if(libc::BPF_JEQ, table.personality, 2 + 2 * PERSONALITIES.len() as u8),
        load(FIRST_ARGUMENT),
    ]);
    for known in PERSONALITIES {
        section.extend([only_if(libc::BPF_JEQ, known, 1), ALLOW]);
    }
    section.extend([errno(EPERM), ALLOW]);
    section
}

#[cfg(test)]
mod tests {
    use super::{ALLOW, ENOSYS, EPERM, Instruction, TABLES, errno, program};

    /// What the program answers to a call: an interpreter of the instructions it uses.
    fn verdict(program: &[Instruction], arch: u32, number: u32, argument: u32) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let code = u32::from(code);
            if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS {
                accumulator = [number, arch, 0, 0, argument][k as usize / 4];
            } else if code == libc::BPF_RET | libc::BPF_K {
                return k;
            } else if code == libc::BPF_JMP | libc::BPF_JA {
                at += k as usize;
            } else {
                let holds = match code & 0xf0 {
                    libc::BPF_JEQ => accumulator == k,
                    libc::BPF_JGE => accumulator >= k,
                    libc::BPF_JGT => accumulator > k,
                    libc::BPF_JSET => accumulator & k != 0,
                    other => panic!("unknown jump {other:#x}"),
                };
                at += usize::from(if holds { jt } else { jf });
            }
        }
    }

    #[test]
    fn each_call_gets_dockers_answer_on_each_machine() {
        let program = program(TABLES);
        for table in TABLES {
            let ask = |number, argument| verdict(&program, table.arch, number, argument);
            for number in table.refused {
                assert_eq!(ask(*number, 0), errno(EPERM).k, "{number}");
            }
            assert_eq!(ask(430, 0), errno(EPERM).k, "fsopen");
            assert_eq!(ask(437, 0), ALLOW.k, "openat2");
            assert_eq!(ask(table.clone3, 0), errno(ENOSYS).k);
            assert_eq!(ask(table.clone, 17), ALLOW.k, "fork");
            assert_eq!(ask(table.clone, 0x1000_0011), errno(EPERM).k, "CLONE_NEWUSER");
            assert_eq!(ask(table.socket, 2), ALLOW.k, "AF_INET");
            assert_eq!(ask(table.socket, 40), errno(EPERM).k, "AF_VSOCK");
            assert_eq!(ask(table.personality, 0x2_0008), ALLOW.k);
            assert_eq!(ask(table.personality, 0x40_0000), errno(EPERM).k, "READ_IMPLIES_EXEC");
            assert_eq!(ask(9999, 0), errno(ENOSYS).k);
        }
        assert_eq!(verdict(&program, 1, 0, 0), errno(EPERM).k, "another machine");
    }
}
