//! INT, TERM and HUP: everything undone, then death by that signal.

use std::thread::sleep;
use std::time::Duration;

use layerutils_tests::fixture;
use layerutils_tests::sandbox::Sandbox;
use layerutils_tests::tool::{every, every_in_pipes};
use nix::sys::signal::Signal;

use crate::{busy, prepared};

#[test]
fn a_signal_ends_a_tool_as_that_signal_and_leaves_nothing() {
    every(|tool| {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let sandbox = Sandbox::new();
            fixture::make(&sandbox);
            let Some(run) = busy(&sandbox, tool, tool.endless, "") else { return };
            let before = everything(&sandbox);
            let mut running = run.start();
            sleep(Duration::from_millis(300));
            running.signal(signal);
            let outcome = running.wait();
            assert_eq!(outcome.status, 128 + signal as i32, "{signal}\n{outcome}");
            assert!(outcome.stderr.is_empty(), "{signal}\n{outcome}");
            // What a signal interrupts may be half done where it was asked to be
            // done, in `sink`; nothing else may be there.
            assert_eq!(everything(&sandbox), before, "{signal}");
        }
    });
}

#[test]
fn a_signal_that_the_caller_ignores_is_ignored() {
    let sandbox = prepared();
    every_in_pipes(|tool| {
        let line = tool.working();
        // nohup(1) relies on it.
        let script = format!("trap '' HUP INT TERM; {line} >/dev/null");
        let _ = sandbox.sh(&script).succeeds();
    });
}

/// Every name in the work folder but those below `sink`, and every blob and name
/// of the store.
fn everything(sandbox: &Sandbox) -> String {
    let listing = "find . -path ./sink -prune -o -print | sort; cd \"$LAYERUTILS_STORE\" && \
                   find . -type f ! -name '*.lock' ! -name .lock | sort; cat index.json; \
                   grep \"$HOME\" /proc/self/mounts || :";
    String::from_utf8_lossy(&sandbox.sh(listing).succeeds().stdout).into_owned()
}
