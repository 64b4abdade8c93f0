//! Which system calls the emulator answers, and the filter that traps them.

use super::super::bpf::{FIRST_ARGUMENT, by_machine, give, load, only_if};
use crate::sys::seccomp::Instruction;

/// A call by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Call {
    Chown,
    Lchown,
    Fchown,
    Fchownat,
    Mknod,
    Mknodat,
    Mkdir,
    Mkdirat,
    Symlink,
    Symlinkat,
    Open,
    Creat,
    Openat,
    Openat2,
    Utimensat,
    Utime,
    Utimes,
    Futimesat,
    Stat,
    Lstat,
    Fstat,
    Newfstatat,
    Statx,
    Getuid,
    Geteuid,
    Getgid,
    Getegid,
    Getresuid,
    Getresgid,
    Getgroups,
    Setuid,
    Setgid,
    Setreuid,
    Setregid,
    Setresuid,
    Setresgid,
    Setfsuid,
    Setfsgid,
    Setgroups,
    Capget,
    Capset,
    Keepcaps,
    Execve,
    Execveat,
    Prlimit,
    Getrlimit,
    Setrlimit,
}

/// When a call is trapped.
#[derive(Debug, Clone, Copy)]
enum When {
    Always,
    /// If the argument with this index has one of these bits.
    Bits(u32, u32),
    /// If the argument with this index is this, or the next number.
    Pair(u32, u32),
    /// If the argument with this index is this.
    Equals(u32, u32),
}

/// Flags with which open(2) makes a file.
const CREATES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

// Its type is the C library's affair.
#[allow(clippy::unnecessary_cast)]
const LOCKS: u32 = libc::RLIMIT_LOCKS as u32;

/// The calls that all machines have.
const COMMON: &[(i64, Call, When)] = &[
    (libc::SYS_fchown, Call::Fchown, When::Always),
    (libc::SYS_fchownat, Call::Fchownat, When::Always),
    (libc::SYS_mknodat, Call::Mknodat, When::Always),
    (libc::SYS_mkdirat, Call::Mkdirat, When::Always),
    (libc::SYS_symlinkat, Call::Symlinkat, When::Always),
    (libc::SYS_openat, Call::Openat, When::Bits(2, CREATES)),
    (libc::SYS_openat2, Call::Openat2, When::Always),
    (libc::SYS_utimensat, Call::Utimensat, When::Always),
    (libc::SYS_fstat, Call::Fstat, When::Always),
    (libc::SYS_newfstatat, Call::Newfstatat, When::Always),
    (libc::SYS_statx, Call::Statx, When::Always),
    (libc::SYS_getuid, Call::Getuid, When::Always),
    (libc::SYS_geteuid, Call::Geteuid, When::Always),
    (libc::SYS_getgid, Call::Getgid, When::Always),
    (libc::SYS_getegid, Call::Getegid, When::Always),
    (libc::SYS_getresuid, Call::Getresuid, When::Always),
    (libc::SYS_getresgid, Call::Getresgid, When::Always),
    (libc::SYS_getgroups, Call::Getgroups, When::Always),
    (libc::SYS_setuid, Call::Setuid, When::Always),
    (libc::SYS_setgid, Call::Setgid, When::Always),
    (libc::SYS_setreuid, Call::Setreuid, When::Always),
    (libc::SYS_setregid, Call::Setregid, When::Always),
    (libc::SYS_setresuid, Call::Setresuid, When::Always),
    (libc::SYS_setresgid, Call::Setresgid, When::Always),
    (libc::SYS_setfsuid, Call::Setfsuid, When::Always),
    (libc::SYS_setfsgid, Call::Setfsgid, When::Always),
    (libc::SYS_setgroups, Call::Setgroups, When::Always),
    (libc::SYS_capget, Call::Capget, When::Always),
    (libc::SYS_capset, Call::Capset, When::Always),
    // PR_GET_KEEPCAPS and PR_SET_KEEPCAPS.
    (libc::SYS_prctl, Call::Keepcaps, When::Pair(0, 7)),
    (libc::SYS_execve, Call::Execve, When::Always),
    (libc::SYS_execveat, Call::Execveat, When::Always),
    (libc::SYS_prlimit64, Call::Prlimit, When::Equals(1, LOCKS)),
    (libc::SYS_getrlimit, Call::Getrlimit, When::Equals(0, LOCKS)),
    (libc::SYS_setrlimit, Call::Setrlimit, When::Equals(0, LOCKS)),
];

/// The calls of before there were those with a directory.
#[cfg(target_arch = "x86_64")]
const OLD: &[(i64, Call, When)] = &[
    (libc::SYS_chown, Call::Chown, When::Always),
    (libc::SYS_lchown, Call::Lchown, When::Always),
    (libc::SYS_mknod, Call::Mknod, When::Always),
    (libc::SYS_mkdir, Call::Mkdir, When::Always),
    (libc::SYS_symlink, Call::Symlink, When::Always),
    (libc::SYS_open, Call::Open, When::Bits(1, CREATES)),
    (libc::SYS_creat, Call::Creat, When::Always),
    (libc::SYS_utime, Call::Utime, When::Always),
    (libc::SYS_utimes, Call::Utimes, When::Always),
    (libc::SYS_futimesat, Call::Futimesat, When::Always),
    (libc::SYS_stat, Call::Stat, When::Always),
    (libc::SYS_lstat, Call::Lstat, When::Always),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[(i64, Call, When)] = &[];

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCH: u32 = 0;

/// Whether the calls of this machine are known.
pub(super) fn is_known() -> bool {
    ARCH != 0
}

/// The call with this number.
pub(super) fn call(arch: u32, number: i32) -> Option<Call> {
    let known = COMMON.iter().chain(OLD).find(|(own, ..)| *own == i64::from(number));
    known.filter(|_| arch == ARCH).map(|(_, call, _)| *call)
}

const ALLOW: Instruction = give(libc::SECCOMP_RET_ALLOW);
const TRAP: Instruction = give(libc::SECCOMP_RET_USER_NOTIF);

/// The filter. Programs of another machine (32 bits) are not trapped.
pub(super) fn program() -> Vec<Instruction> {
    let mut section = Vec::new();
    for (number, _, when) in COMMON.iter().chain(OLD) {
        let number = u32::try_from(*number).unwrap_or(u32::MAX);
        let argument = |index: u32| load(FIRST_ARGUMENT + 8 * index);
        let body = match *when {
            When::Always => vec![TRAP],
            When::Bits(index, bits) => {
                vec![argument(index), only_if(libc::BPF_JSET, bits, 1), TRAP, ALLOW]
            }
            When::Pair(index, first) => vec![
                argument(index),
                only_if(libc::BPF_JEQ, first, 1),
                TRAP,
                only_if(libc::BPF_JEQ, first + 1, 1),
                TRAP,
                ALLOW,
            ],
            When::Equals(index, value) => {
                vec![argument(index), only_if(libc::BPF_JEQ, value, 1), TRAP, ALLOW]
            }
        };
        section.push(only_if(libc::BPF_JEQ, number, body.len() as u8));
        section.extend(body);
    }
    section.push(ALLOW);
    by_machine([(ARCH, section)], ALLOW)
}
