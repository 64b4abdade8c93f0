//! Instructions of a seccomp filter (seccomp(2)) that several filters need.

use crate::sys::seccomp::Instruction;

// Offsets into struct seccomp_data, little-endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
pub(super) const FIRST_ARGUMENT: u32 = 16;

/// An instruction without a jump.
pub(super) const fn statement(code: u32, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips `otherwise` instructions unless the comparison holds.
pub(super) const fn only_if(comparison: u32, k: u32, otherwise: u8) -> Instruction {
    let code = libc::BPF_JMP | comparison | libc::BPF_K;
    Instruction { code: code as u16, jt: 0, jf: otherwise, k }
}

/// A filter of one section for each machine (`AUDIT_ARCH_*`), which begins with the number
/// of the call loaded, and of an action for the others.
pub(super) fn by_machine(
    sections: impl IntoIterator<Item = (u32, Vec<Instruction>)>,
    other: Instruction,
) -> Vec<Instruction> {
    let mut program = vec![load(ARCHITECTURE)];
    for (arch, section) in sections {
        // A conditional jump reaches 255 instructions, an unconditional one any.
        program.push(only_if(libc::BPF_JEQ, arch, 1));
        program.push(statement(libc::BPF_JMP | libc::BPF_JA, 1));
        program.push(statement(libc::BPF_JMP | libc::BPF_JA, section.len() as u32 + 1));
        program.push(load(NUMBER));
        program.extend(section);
    }
    program.push(other);
    program
}

/// Loads the word at this offset.
pub(super) const fn load(offset: u32) -> Instruction {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

/// Ends with this action.
pub(super) const fn give(action: u32) -> Instruction {
    statement(libc::BPF_RET | libc::BPF_K, action)
}
