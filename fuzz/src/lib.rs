//! What is tried with hostile and generated input: one function for each target,
//! which panics where a promise is broken.
//!
//! The functions know nothing of where their bytes come from: cargo-fuzz, whose
//! targets are in `libfuzzer/`, or the smoke test (`main.rs`), which needs no more
//! than the compiler of the machine.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tools/layer-merge/tests/odd/mod.rs"]
mod odd;
#[path = "../../tools/layer-diff/tests/support/mod.rs"]
mod support;

mod apply;
mod compression;
mod containerfile;
mod diff_apply;
mod generate;
mod mend;
mod merge;
mod model;
pub mod mutate;
mod oci;
mod pax;
mod scratch;
mod tar_reader;

/// Something to be fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, that of its corpus, and that of cargo-fuzz's target.
    pub name: &'static str,
    /// Tries one input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "tar_reader", run: tar_reader::run },
    Target { name: "pax", run: pax::run },
    Target { name: "compression", run: compression::run },
    Target { name: "apply", run: apply::run },
    Target { name: "merge", run: merge::run },
    Target { name: "model", run: model::run },
    Target { name: "diff_apply", run: diff_apply::run },
    Target { name: "containerfile", run: containerfile::run },
    Target { name: "oci", run: oci::run },
];

/// Tries `input` on the target of this name.
///
/// # Panics
/// If there is none, or if a promise is broken.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    (target.run)(input);
}
