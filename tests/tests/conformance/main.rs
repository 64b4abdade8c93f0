//! Every command line behaves alike: each test here is one rule, tried on each
//! tool of the table in `src/tool.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod determinism;
mod failures;
mod hints;
mod listings;
mod outputs;
mod signals;
mod streams;
mod terminals;
mod usage;

use std::fs;
use std::path::Path;

use layerutils_tests::fixture;
use layerutils_tests::requirement::{find, skip};
use layerutils_tests::run::Run;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{Endless, Tool};

/// A sandbox with the fixture that the table's command lines are about.
fn prepared() -> Sandbox {
    let sandbox = Sandbox::new();
    fixture::make(&sandbox);
    sandbox
}

/// Something of `tool` that does not end by itself, with an output's name right
/// after it; nothing if there is none, or if the machine lacks what that takes.
fn busy(sandbox: &Sandbox, tool: &Tool, endless: Endless, output: &str) -> Option<Run> {
    match endless {
        Endless::Work(line) => {
            let run = sandbox.words(&tool.line(&format!("{line}{output}")));
            Some(run.output_file(Path::new("/dev/null")))
        }
        Endless::Input(line, file) => {
            let bytes = fs::read(sandbox.path(file)).unwrap();
            let beginning = bytes[..bytes.len().min(30_000) / 2].to_vec();
            let run = sandbox.words(&tool.line(&format!("{line}{output}")));
            Some(run.input_held_open(beginning))
        }
        Endless::Command(_) if find("busybox").is_none() => {
            skip(&format!(" ({})", tool.name), "needs busybox");
            None
        }
        Endless::Command(line) => Some(sandbox.words(&tool.line(line))),
        Endless::Never => None,
    }
}
