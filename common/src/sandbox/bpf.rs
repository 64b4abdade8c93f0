//! Instructions of a seccomp filter (seccomp(2)) that several filters need.

use crate::sys::seccomp::Instruction;

// Offsets into struct seccomp_data, little-endian.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
pub(super) const FIRST_ARGUMENT: u32 = 16;

/// An instruction without a jump.
pub(super) const fn statement(code: u32, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf: 0, k }
}

/// Loads the word at this offset.
pub(super) const fn load(offset: u32) -> Instruction {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

/// Ends with this action.
pub(super) const fn give(action: u32) -> Instruction {
    statement(libc::BPF_RET | libc::BPF_K, action)
}
