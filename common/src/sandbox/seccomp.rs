//! The system calls that docker's default profile refuses to the command's
//! capabilities, refused here too: kernel surface that needs a privilege the
//! command does not have, or that has been a way out before.
//!
//! Calls that are newer than the list are answered as an old kernel would,
//! `ENOSYS`. Without a filter a user namespace, where everybody is privileged,
//! would open all of that again.

use libc::{ENOSYS, EPERM};

use super::Error;
use super::bpf::{FIRST_ARGUMENT, by_machine, give, load, only_if};
use super::capabilities::Capabilities;
use super::syscalls::{
    FAMILIES, LATEST, NAMESPACES, PERSONALITIES, TABLES, Table, may_make_namespaces,
};
use crate::sys::seccomp::{Instruction, install};

/// Filters this process and all that it executes, as befits these capabilities.
///
/// # Errors
/// The kernel refuses; there is no list for this machine.
pub(super) fn confine(capabilities: Capabilities) -> Result<(), Error> {
    if TABLES.is_empty() {
        return Err(Error::new("no system call filter for this machine"));
    }
    install(&program(TABLES, capabilities))
        .map_err(|error| Error::system("no system call filter", error))
}

const fn errno(number: i32) -> Instruction {
    give(libc::SECCOMP_RET_ERRNO | number as u32)
}

const ALLOW: Instruction = give(libc::SECCOMP_RET_ALLOW);

/// The whole filter: a section for each machine whose calls this kernel takes.
fn program(tables: &[Table], capabilities: Capabilities) -> Vec<Instruction> {
    let sections = tables.iter().map(|table| (table.arch, section(table, capabilities)));
    by_machine(sections, errno(EPERM))
}

/// What is done with one machine's calls. Every path ends in a verdict.
fn section(table: &Table, capabilities: Capabilities) -> Vec<Instruction> {
    let mut section = Vec::new();
    if let Some(foreign) = table.foreign {
        section.extend([only_if(libc::BPF_JGE, foreign, 1), errno(ENOSYS)]);
    }
    for number in table.numbers(capabilities) {
        section.extend([only_if(libc::BPF_JEQ, number, 1), errno(EPERM)]);
    }
    for number in table.private {
        section.extend([only_if(libc::BPF_JEQ, *number, 1), ALLOW]);
    }
    section.extend([only_if(libc::BPF_JGT, LATEST, 1), errno(ENOSYS)]);
    if !may_make_namespaces(capabilities) {
        // Its flags are behind a pointer; without it the C library uses clone.
        section.extend([only_if(libc::BPF_JEQ, table.clone3, 1), errno(ENOSYS)]);
        section.extend([
            only_if(libc::BPF_JEQ, table.clone, 4),
            load(FIRST_ARGUMENT),
            only_if(libc::BPF_JSET, NAMESPACES, 1),
            errno(EPERM),
            ALLOW,
        ]);
    }
    let families = FAMILIES.map(|family| [only_if(libc::BPF_JEQ, family, 1), errno(EPERM)]);
    section.extend(arguments(table.socket, &families.concat(), ALLOW));
    let known = PERSONALITIES.map(|known| [only_if(libc::BPF_JEQ, known, 1), ALLOW]);
    section.extend(arguments(table.personality, &known.concat(), errno(EPERM)));
    section.push(ALLOW);
    section
}

/// `cases` of the call's first argument, and what is done in every other.
fn arguments(number: u32, cases: &[Instruction], other: Instruction) -> Vec<Instruction> {
    let mut section =
        vec![only_if(libc::BPF_JEQ, number, cases.len() as u8 + 2), load(FIRST_ARGUMENT)];
    section.extend(cases);
    section.push(other);
    section
}

#[cfg(test)]
mod tests {
    use super::{ALLOW, ENOSYS, EPERM, Instruction, Table, errno, program};

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

    use super::super::surroundings::Network;
    use super::super::syscalls::{AARCH64, ARM, I386, X86_64};
    use super::Capabilities;

    #[test]
    fn each_call_gets_dockers_answer_on_each_machine() {
        let tables = [X86_64, I386, AARCH64, ARM];
        let program = program(&tables, Capabilities::on(Network::Host));
        for table in &tables {
            let ask = |number, argument| verdict(&program, table.arch, number, argument);
            for number in table.numbers(Capabilities::on(Network::Host)) {
                assert_eq!(ask(number, 0), errno(EPERM).k, "{number}");
            }
            assert_eq!(ask(430, 0), errno(EPERM).k, "fsopen");
            assert_eq!(ask(437, 0), ALLOW.k, "openat2");
            assert_eq!(ask(table.clone3, 0), errno(ENOSYS).k);
            assert_eq!(ask(table.clone, 17), ALLOW.k, "fork");
            assert_eq!(ask(table.clone, 0x1000_0011), errno(EPERM).k, "CLONE_NEWUSER");
            assert_eq!(ask(table.socket, 2), ALLOW.k, "AF_INET");
            assert_eq!(ask(table.socket, 38), errno(EPERM).k, "AF_ALG");
            assert_eq!(ask(table.socket, 39), ALLOW.k, "AF_NFC");
            assert_eq!(ask(table.socket, 40), errno(EPERM).k, "AF_VSOCK");
            assert_eq!(ask(table.personality, 0x2_0008), ALLOW.k);
            assert_eq!(ask(table.personality, 0x40_0000), errno(EPERM).k, "READ_IMPLIES_EXEC");
            assert_eq!(ask(9999, 0), errno(ENOSYS).k);
        }
        let ask = |table: &Table, number| verdict(&program, table.arch, number, 0);
        assert_eq!(ask(&ARM, 0xf_0005), ALLOW.k, "set_tls");
        assert_eq!(ask(&AARCH64, 0xf_0005), errno(ENOSYS).k);
        assert_eq!(ask(&X86_64, 0x4000_0000), errno(ENOSYS).k, "x32");
        assert_eq!(verdict(&program, 1, 0, 0), errno(EPERM).k, "another machine");
    }

    #[test]
    fn capabilities_open_the_calls_that_take_them() {
        let mut capabilities = Capabilities::on(Network::Host);
        capabilities.add("SYS_ADMIN").unwrap();
        let program = program(&[X86_64, AARCH64], capabilities);
        for table in [X86_64, AARCH64] {
            let ask = |number, argument| verdict(&program, table.arch, number, argument);
            assert_eq!(ask(430, 0), ALLOW.k, "fsopen");
            assert_eq!(ask(table.clone, 0x1000_0011), ALLOW.k, "CLONE_NEWUSER");
            assert_eq!(ask(table.clone3, 0), ALLOW.k);
            assert_eq!(ask(438, 0), errno(EPERM).k, "pidfd_getfd");
        }
    }
}
